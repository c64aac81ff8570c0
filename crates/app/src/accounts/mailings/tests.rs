use std::time::Duration;

use firstcome_core::ports::{Clock as _, Committed, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use serde_json::{Value, json};

use super::super::Options;
use super::super::consents::ConsentWay;
use super::super::testing::{Answer, Device, TestApp};
use super::{Advertising, Sender};
use crate::http::{AccountRole, Roles};
use crate::mails::QueuedMail;

const PATH: &str = "/api/v1/admin/mailings";

fn options() -> Options {
    let sender = Sender { name: "The Shop".to_owned(), contact: "02-123-4567".to_owned() };
    let advertising =
        Advertising { sender: Some(sender), base: "https://shop.example".to_owned(), ..Advertising::default() };
    Options { advertising, codes_per_address: 10_000, ..Options::default() }
}

/// A shop at noon, its seller, and people who agreed to advertising; every other one also at night.
async fn shop(people: usize) -> (TestApp, Device, Vec<Device>) {
    let app = TestApp::new().await.configured(options()).await;
    let noon = (12 * 3_600 - app.clock.now().as_secs()).rem_euclid(24 * 3_600);
    app.clock.advance(Duration::from_secs(noon.unsigned_abs()));
    let seller = app.staff("seller@example.com", Roles::default().with(AccountRole::Seller)).await;
    let mut all = Vec::new();
    for number in 0..people {
        let email = format!("buyer-{number}@example.com");
        app.sign_up(&email).await;
        let device = app.log_in(&email).await;
        agree(&app, &device, json!({ "advertising": true, "advertising_at_night": number % 2 == 0 })).await;
        all.push(device);
    }
    app.sign_up("nobody@example.com").await;
    (app, seller, all)
}

async fn agree(app: &TestApp, device: &Device, body: Value) {
    let put = app.send("PUT", "/api/v1/me/consents", Some(&device.access), &body.to_string()).await;
    assert_eq!(put.status, 200, "{}", put.text);
}

impl TestApp {
    async fn mailing(&self, seller: &Device, key: &str, body: &Value) -> Answer {
        let headers = [("idempotency-key", key)];
        self.send_with("POST", PATH, Some(&seller.access), &body.to_string(), &headers).await
    }

    /// Sends until nothing is left to be done.
    async fn send_all(&self) {
        while self.accounts().send_step().await.unwrap() {}
    }

    async fn deliver(&self) {
        while self.accounts().mails.deliver_due().await.unwrap() > 0 {}
    }

    async fn queued(&self) -> usize {
        self.records.select(Query::all(QueuedMail::TABLE, 1_000)).await.unwrap().len()
    }
}

fn opening() -> Value {
    json!({ "subject": "Tickets", "text": "They open at two." })
}

#[tokio::test]
async fn those_who_agreed_get_it_once_marked_and_with_a_way_out() {
    let (app, seller, people) = shop(3).await;
    agree(&app, &people[1], json!({ "advertising": false })).await;
    let made = app.mailing(&seller, "one", &opening()).await;
    assert_eq!((made.status, &made.body["state"]), (202, &json!("sending")), "{}", made.text);
    let again = app.mailing(&seller, "one", &opening()).await;
    assert_eq!(again.body["mailing_id"], made.body["mailing_id"]);
    let other = json!({ "subject": "Other", "text": "Other" });
    app.mailing(&seller, "one", &other).await.is_problem(422, "idempotency_key_reused");
    app.send_all().await;
    app.deliver().await;
    app.send_all().await;
    app.deliver().await;
    for (number, got) in [(0, 1), (1, 0), (2, 1)] {
        let mails = app.mailbox.of(&format!("buyer-{number}@example.com"));
        let ads: Vec<_> = mails.iter().filter(|(subject, ..)| subject == "(광고) Tickets").collect();
        assert_eq!(ads.len(), got, "{number}");
        for (_, body, unsubscribe) in ads {
            let way_out = unsubscribe.as_ref().expect("a way out");
            assert!(way_out.starts_with("https://shop.example/api/v1/unsubscribe/"));
            assert!(body.contains("They open at two.") && body.contains("The Shop · 02-123-4567"));
            assert!(body.contains(way_out));
        }
    }
    assert!(app.mailbox.of("nobody@example.com").iter().all(|(subject, ..)| !subject.contains("(광고)")));
    let path = format!("{PATH}/{}", made.body["mailing_id"].as_str().unwrap());
    let done = app.get(&path, Some(&seller.access)).await.body;
    assert_eq!((&done["state"], &done["queued"]), (&json!("done"), &json!(2)));
    assert_eq!(app.get(PATH, Some(&seller.access)).await.body["items"].as_array().unwrap().len(), 1);
    let stop = app.post(&format!("{path}/stop"), Some(&seller.access), &json!({})).await;
    stop.is_problem(409, "wrong_state");
}

#[tokio::test]
async fn several_processes_and_restarts_send_nobody_two() {
    let (app, seller, _) = shop(5).await;
    let other = app.configured(options()).await;
    app.mailing(&seller, "one", &opening()).await;
    let (one, two) = (app.accounts(), other.accounts());
    for _ in 0..4 {
        let (first, second) = tokio::join!(one.send_step(), two.send_step());
        first.unwrap();
        second.unwrap();
    }
    assert_eq!(app.queued().await, 5);
    app.configured(options()).await.send_all().await;
    assert_eq!(app.queued().await, 5);
}

#[tokio::test]
async fn it_rests_at_night_but_for_those_who_agreed_to_that() {
    let (app, ..) = shop(4).await;
    app.clock.advance(Duration::from_hours(10));
    let seller = app.log_in("seller@example.com").await;
    app.mailing(&seller, "day", &opening()).await;
    app.send_all().await;
    assert_eq!(app.queued().await, 0);
    let night = json!({ "subject": "At night", "text": "For the owls.", "at_night": true });
    app.mailing(&seller, "night", &night).await;
    app.send_all().await;
    assert_eq!(app.queued().await, 2);
    app.deliver().await;
    app.clock.advance(Duration::from_hours(10));
    app.send_all().await;
    assert_eq!(app.queued().await, 4);
    // What could not be delivered by day is not delivered at night.
    app.clock.advance(Duration::from_hours(13));
    app.deliver().await;
    let mails = app.mailbox.of("buyer-0@example.com");
    assert!(mails.iter().any(|(subject, ..)| subject == "(광고) At night"));
    assert!(mails.iter().all(|(subject, ..)| subject != "(광고) Tickets"));
}

#[tokio::test]
async fn what_is_taken_back_goes_no_more_also_when_it_was_queued() {
    let (app, seller, people) = shop(3).await;
    app.mailing(&seller, "one", &opening()).await;
    let person = app.user_of(&people[0]).await;
    app.accounts().send_step().await.unwrap();
    assert_eq!(app.queued().await, 3);
    // Not by a request, after which these tests deliver.
    app.accounts().stop_advertising(person).await.unwrap();
    let left = app.records.list::<QueuedMail>(Query::all(QueuedMail::TABLE, 10)).await.unwrap();
    assert_eq!(left.iter().filter(|mail| mail.record.purpose == "advertising").count(), 2);
}

#[tokio::test]
async fn what_was_queued_for_the_night_goes_no_more_to_who_took_nights_back() {
    let (app, ..) = shop(3).await;
    app.clock.advance(Duration::from_hours(10));
    let seller = app.log_in("seller@example.com").await;
    let night = json!({ "subject": "At night", "text": "For the owls.", "at_night": true });
    app.mailing(&seller, "night", &night).await;
    let person = app.user_of(&app.log_in("buyer-0@example.com").await).await;
    app.accounts().send_step().await.unwrap();
    assert_eq!(app.queued().await, 2);
    // Not by a request, after which these tests deliver.
    let accounts = app.accounts();
    let known = accounts.consents(person).await.unwrap().unwrap();
    let after = known.record.clone().advertised("", true, false);
    assert_eq!(accounts.change_consents(Some(known), &after, ConsentWay::Account).await.unwrap(), Committed::Done);
    let left = app.records.list::<QueuedMail>(Query::all(QueuedMail::TABLE, 10)).await.unwrap();
    assert_eq!(left.iter().filter(|mail| mail.record.purpose == "advertising").count(), 1);
}

#[tokio::test]
async fn the_queue_is_bounded_and_a_stopped_mailing_ends() {
    let (app, seller, _) = shop(70).await;
    let made = app.mailing(&seller, "one", &opening()).await;
    app.send_all().await;
    assert_eq!(app.queued().await, 64);
    let stop = format!("{PATH}/{}/stop", made.body["mailing_id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(app.post(&stop, Some(&seller.access), &json!({})).await.body["state"], "stopped");
    }
    app.deliver().await;
    app.send_all().await;
    assert_eq!(app.queued().await, 0);
}

#[tokio::test]
async fn odd_requests() {
    let (app, seller, people) = shop(1).await;
    app.mailing(&people[0], "one", &opening()).await.is_problem(403, "forbidden");
    app.post(PATH, Some(&seller.access), &opening()).await.is_problem(400, "idempotency_key_missing");
    for body in [
        json!({}),
        json!({ "subject": "", "text": "x" }),
        json!({ "subject": "two\nlines", "text": "x" }),
        json!({ "subject": "s".repeat(201), "text": "x" }),
        json!({ "subject": "s", "text": "x".repeat(20_001) }),
        json!({ "subject": "s", "text": "x", "to": "everybody" }),
    ] {
        app.mailing(&seller, "one", &body).await.is_problem(422, "invalid_body");
    }
    let missing = format!("{PATH}/{}", firstcome_core::ids::MailingId([1; 16]));
    app.get(&missing, Some(&seller.access)).await.is_problem(404, "not_found");
    let nobody = app.configured(Options::default()).await;
    nobody.mailing(&seller, "two", &opening()).await.is_problem(409, "wrong_state");
}
