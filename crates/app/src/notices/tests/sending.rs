//! Notices on their way: signed, tried again, given up, and never in each other's way.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::records::{RecordsExt as _, Unit};
use firstcome_core::time::Time;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::rows::{Delivery, DeliveryState};
use super::receiver::Receiver;
use super::{DELIVERIES, Options, Step, WEBHOOKS, World};
use crate::secrets::{Keys, SystemRandom, reseal};

/// The pauses of the specification, in seconds.
const PAUSES: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

#[tokio::test]
async fn it_arrives_signed_and_names_what_it_is() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, secret) = world.listen(&receiver, &[]).await;
    world.sell("k", 1).await;
    world.read().await;
    assert_eq!(world.step(webhook).await, Step { due: 1, arrived: 1 });
    let (row, got) = (world.row().await, receiver.got().remove(0));
    assert_eq!((got.header("webhook-id"), got.path.as_str()), (row.notice.to_string().as_str(), "/notices"));
    assert_eq!(got.header("webhook-timestamp"), world.clock.now().as_secs().to_string());
    assert_eq!(
        (got.header("content-type"), got.json()["type"].as_str()),
        ("application/json", Some("order.completed"))
    );
    assert!(got.is_signed_with(&secret) && !got.is_signed_with("whsec_AAAA"));
    assert_eq!((row.state, row.answer, row.tries), (DeliveryState::Delivered, Some(204), 1));
    assert_eq!(world.step(webhook).await, Step::default());
}

#[tokio::test]
async fn what_fails_is_tried_again_as_the_specification_says_and_then_given_up() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, _) = world.listen(&receiver, &[]).await;
    world.sell("k", 1).await;
    world.read().await;
    receiver.say([500; 10]);
    world.step(webhook).await;
    for (tries, pause) in PAUSES.into_iter().enumerate() {
        world.clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(world.step(webhook).await.due, 0, "after {tries} tries");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.step(webhook).await, Step { due: 1, arrived: 0 }, "after {tries} tries");
    }
    let row = world.row().await;
    assert_eq!((row.state, row.tries, row.answer), (DeliveryState::GivenUp, 10, Some(500)));
    assert_eq!(row.reason.as_deref(), Some("it answered 500"));
    let ids: std::collections::HashSet<_> =
        receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!((receiver.got().len(), ids.len()), (10, 1), "each try is the same notice");
    world.clock.advance(Duration::from_hours(30 * 24));
    world.sweep().await;
    assert!(world.rows().await.is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed_and_pauses_are_kept_that_are_asked_for() {
    let (world, receiver, other) = (World::open().await, Receiver::start().await, Receiver::start().await);
    let (webhook, _) = world.listen(&receiver, &[]).await;
    world.sell("k", 1).await;
    world.read().await;
    receiver.say_with(302, "location", other.url());
    world.step(webhook).await;
    let row = world.row().await;
    assert_eq!((row.answer, other.got().len()), (Some(302), 0));
    assert!(row.reason.is_some_and(|reason| reason.contains("redirects are not followed")));
    receiver.say_with(429, "retry-after", "1200");
    world.clock.advance(Duration::from_secs(5));
    world.step(webhook).await;
    assert_eq!(world.row().await.due_at, world.clock.now() + Duration::from_secs(1_200));
}

#[tokio::test]
async fn who_says_gone_is_paused() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, _) = world.listen(&receiver, &[]).await;
    world.sell("k", 1).await;
    world.read().await;
    receiver.say([410]);
    world.step(webhook).await;
    let (_, shown) = world.seller(Method::GET, &format!("{WEBHOOKS}/{webhook}"), Value::Null).await;
    assert_eq!((&shown["paused"], &shown["reason"]), (&json!(true), &json!("it answered 410: gone")));
    let row = world.row().await;
    assert_eq!(row.state, DeliveryState::GivenUp);
    let resend = format!("{DELIVERIES}/{}/resend", row.id);
    let (status, problem) = world.seller(Method::POST, &resend, Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    let (_, shown) = world.seller(Method::PATCH, &format!("{WEBHOOKS}/{webhook}"), json!({ "paused": false })).await;
    assert!(shown["reason"].is_null(), "{shown}");
    assert_eq!(world.seller(Method::POST, &resend, Value::Null).await.0, 202);
    assert_eq!(world.step(webhook).await.arrived, 1);
}

#[tokio::test]
async fn of_two_processes_one_sends_and_who_dies_on_the_way_leaves_it_to_another() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, _) = world.listen(&receiver, &["order.completed"]).await;
    for key in ["a", "b", "c"] {
        world.sell(key, 1).await;
    }
    world.read().await;
    let (one, two) = tokio::join!(world.step(webhook), world.step(webhook));
    assert_eq!((one.arrived + two.arrived, receiver.got().len()), (3, 3));
    // Leased, as by a process that dies before it is answered.
    let id = world.rows().await[0].id;
    let mut taken = world.records.load::<Delivery>(id).await.unwrap().unwrap();
    taken.record.state = DeliveryState::Waiting;
    taken.record.due_at = world.clock.now() + Duration::from_secs(30);
    world.records.commit(Unit::new().update(&taken)).await.unwrap();
    assert_eq!(world.step(webhook).await.due, 0);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.step(webhook).await.arrived, 1);
    assert_eq!(receiver.got()[3].header("webhook-id"), taken.record.notice.to_string());
}

#[tokio::test]
async fn a_system_that_never_answers_keeps_no_other_waiting() {
    let (world, quick, silent) = (World::open().await, Receiver::start().await, Receiver::start().await);
    silent.answers(false);
    let ((held_up, _), (_, secret)) = (world.listen(&silent, &[]).await, world.listen(&quick, &[]).await);
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.deliveries.clone().worker().start(stop.clone()));
    for key in ["a", "b", "c"] {
        world.sell(key, 1).await;
        world.read().await;
    }
    // Three orders, and the offer is sold out.
    while quick.got().len() < 4 || silent.got().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(quick.got().iter().all(|got| got.is_signed_with(&secret)));
    let rows = world.rows().await.into_iter().filter(|row| row.webhook == held_up);
    assert_eq!(rows.filter(|row| row.state == DeliveryState::Waiting).count(), 4);
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn in_production_an_address_of_this_machine_is_not_called() {
    let receiver = Receiver::start().await;
    let world = World::with(Options { development: false }, Arc::new(Keys::in_memory(&SystemRandom))).await;
    let asked = json!({ "url": "https://shop.example/" });
    let (status, made) = world.seller(Method::POST, WEBHOOKS, asked).await;
    assert_eq!(status, 201);
    let id: firstcome_core::ids::WebhookId = made["webhook_id"].as_str().unwrap().parse().unwrap();
    // It may have been typed in while the shop was in development.
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    for (url, why) in [
        (receiver.url().to_owned(), "must begin with https://"),
        (format!("https://127.0.0.1:{port}"), "public Internet"),
        (format!("https://127.1:{port}"), "the connection failed"),
    ] {
        let mut webhook = world.records.load::<super::super::Webhook>(id).await.unwrap().unwrap();
        webhook.record.url = url;
        world.records.commit(Unit::new().update(&webhook)).await.unwrap();
        assert_eq!(world.seller(Method::POST, &format!("{WEBHOOKS}/{id}/test"), Value::Null).await.0, 202);
        assert_eq!(world.step(id).await, Step { due: 1, arrived: 0 });
        let row = world.rows().await.into_iter().max_by_key(|row| (row.tries, row.created_at)).unwrap();
        assert!(row.reason.as_ref().is_some_and(|reason| reason.contains(why)), "{row:?}");
        world.records.commit(Unit::new().delete(&row)).await.unwrap();
    }
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn secrets_are_sealed_anew_and_sign_as_before() {
    let folder = std::env::temp_dir().join(format!("firstcome-notices-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let keys = Arc::new(Keys::create_in(&folder, &SystemRandom, Time(0)).unwrap());
    let world = World::with(Options { development: true }, keys.clone()).await;
    let receiver = Receiver::start().await;
    let (webhook, secret) = world.listen(&receiver, &[]).await;
    let now = world.clock.now();
    Keys::rotate(&folder, &SystemRandom, now, now).unwrap();
    assert_eq!(keys.reload(now).unwrap(), Some(2));
    assert_eq!(reseal::<super::super::Webhook>(&*world.records, &keys).await.unwrap().rows, 1);
    std::fs::remove_file(folder.join("data-1.key")).unwrap();
    keys.reload(now).unwrap();
    assert_eq!(world.seller(Method::POST, &format!("{WEBHOOKS}/{webhook}/test"), Value::Null).await.0, 202);
    world.step(webhook).await;
    assert!(receiver.got()[0].is_signed_with(&secret));
    std::fs::remove_dir_all(folder).unwrap();
}

/// So the notices for a receiver that is dead for ever do not grow without end.
#[tokio::test]
async fn what_waited_for_days_is_tried_once_and_what_is_resent_like_new() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, _) = world.listen(&receiver, &[]).await;
    world.sell("k", 1).await;
    world.read().await;
    receiver.say([500; 2]);
    world.clock.advance(Duration::from_hours(77));
    assert_eq!(world.step(webhook).await, Step { due: 1, arrived: 0 });
    let row = world.row().await;
    assert_eq!((row.state, row.tries), (DeliveryState::GivenUp, 1));
    let resend = format!("{DELIVERIES}/{}/resend", row.id);
    assert_eq!(world.seller(Method::POST, &resend, Value::Null).await.0, 202);
    assert_eq!(world.step(webhook).await, Step { due: 1, arrived: 0 });
    assert_eq!((world.row().await.state, world.row().await.tries), (DeliveryState::Waiting, 1));
}
