use std::time::Duration;

use firstcome_core::ids::UserId;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use serde_json::{Value, json};

use super::super::testing::{PASSWORD, TestApp};
use super::super::{Options, Versions};
use super::link::{address_to_unsubscribe, owner_of};
use super::{ConsentEntry, ConsentState};

const PATH: &str = "/api/v1/me/consents";
const SIGN_UP: &str = "/api/v1/auth/signup";
const KIM: &str = "kim@example.com";

/// A shop that asks for terms and privacy.
async fn strict() -> TestApp {
    let text = |text: &str| Some(text.to_owned());
    let consents = Versions { terms: text("t1"), privacy: text("p1"), advertising: "a1".to_owned() };
    TestApp::new().await.configured(Options { consents, ..Options::default() }).await
}

async fn sign_up(app: &TestApp, token: &str, consents: Value) -> super::super::testing::Answer {
    let body = json!({ "email": KIM, "password": PASSWORD, "name": "Kim", "verification_token": token,
        "consents": consents });
    app.post(SIGN_UP, None, &body).await
}

fn versions(view: &Value) -> Vec<Option<&str>> {
    view["items"].as_array().unwrap().iter().map(|item| item["version"].as_str()).collect()
}

#[tokio::test]
async fn a_sign_up_agrees_to_what_the_shop_asks_for() {
    let app = strict().await;
    let asked = app.get("/api/v1/auth/consents", None).await;
    assert_eq!(
        asked.body["items"],
        json!([
            { "what": "terms", "version": "t1", "required": true },
            { "what": "privacy", "version": "p1", "required": true },
        ])
    );
    let token = app.verify(KIM).await;
    for consents in [Value::Null, json!({}), json!({ "advertising": true }), json!({ "privacy": "p1" })] {
        let refused = sign_up(&app, &token, consents).await;
        refused.is_problem(422, "consent_missing");
        assert_eq!(refused.body["required"]["terms"], "t1");
    }
    for consents in [
        json!({ "terms": "t0", "privacy": "p1" }),
        json!({ "terms": "t1", "privacy": "p1", "advertising_at_night": true }),
        json!({ "terms": true, "privacy": "p1" }),
    ] {
        sign_up(&app, &token, consents).await.is_problem(422, "invalid_body");
    }
    let made = sign_up(&app, &token, json!({ "terms": "t1", "privacy": "p1", "advertising": true })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(app.mailbox.newest(KIM).expect("an e-mail").contains("You agreed to advertising"));
    let device = app.log_in(KIM).await;
    let view = app.get(PATH, Some(&device.access)).await.body;
    assert_eq!(versions(&view), [Some("t1"), Some("p1"), Some("a1"), None]);
    let history = view["history"].as_array().unwrap();
    assert!(history.len() == 3 && history.iter().all(|entry| entry["way"] == "sign_up" && entry["given"] == true));
}

#[tokio::test]
async fn a_shop_that_asks_for_nothing_takes_sign_ups_as_before() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/api/v1/auth/consents", None).await.body["items"], json!([]));
    app.sign_up(KIM).await;
    let device = app.log_in(KIM).await;
    let view = app.get(PATH, Some(&device.access)).await.body;
    assert_eq!((versions(&view), &view["history"]), (vec![None; 4], &json!([])));
    app.get(PATH, None).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_changed_is_kept_and_told() {
    let app = strict().await;
    let token = app.verify(KIM).await;
    sign_up(&app, &token, json!({ "terms": "t1", "privacy": "p1" })).await;
    let device = app.log_in(KIM).await;
    let put = async |body: Value| app.send("PUT", PATH, Some(&device.access), &body.to_string()).await;
    put(json!({ "advertising_at_night": true })).await.is_problem(422, "invalid_body");
    put(json!({ "terms": "t2" })).await.is_problem(422, "invalid_body");
    let both = put(json!({ "advertising": true, "advertising_at_night": true })).await;
    assert_eq!(versions(&both.body), [Some("t1"), Some("p1"), Some("a1"), Some("a1")]);
    assert!(app.mailbox.newest(KIM).unwrap().contains("also at night"));
    let same = put(json!({ "advertising": true, "terms": "t1" })).await;
    assert_eq!(same.body["history"].as_array().unwrap().len(), 4);
    app.clock.advance(Duration::from_secs(1));
    // Without days no nights.
    let none = put(json!({ "advertising": false })).await;
    assert_eq!(versions(&none.body), [Some("t1"), Some("p1"), None, None]);
    let newest = &none.body["history"][0];
    assert_eq!(
        (&newest["given"], &newest["way"], &newest["version"]),
        (&json!(false), &json!("account"), &json!("a1"))
    );
    assert!(app.mailbox.newest(KIM).unwrap().contains("took your consent"));
}

#[tokio::test]
async fn who_agrees_again_agrees_to_the_text_that_holds_now() {
    let app = TestApp::new().await;
    app.sign_up(KIM).await;
    let put = async |app: &TestApp| {
        let device = app.log_in(KIM).await;
        app.send("PUT", PATH, Some(&device.access), &json!({ "advertising": true }).to_string()).await.body
    };
    let first = put(&app).await;
    let consents = Versions { advertising: "another".to_owned(), ..Versions::default() };
    let app = app.configured(Options { consents, ..Options::default() }).await;
    let again = put(&app).await;
    assert_eq!((versions(&again)[2], again["history"].as_array().unwrap().len()), (Some("another"), 2));
    assert_ne!(versions(&first)[2], Some("another"));
}

#[tokio::test]
async fn the_history_stays_without_a_name_and_nobody_makes_it_grow_for_ever() {
    let app = TestApp::new().await;
    app.sign_up(KIM).await;
    let device = app.log_in(KIM).await;
    let put = async |given: bool| {
        let body = json!({ "advertising": given }).to_string();
        app.send("PUT", PATH, Some(&device.access), &body).await
    };
    for turn in 0..50 {
        assert_eq!(put(turn % 2 == 0).await.status, 200, "{turn}");
    }
    put(true).await.is_problem(429, "rate_limited");
    assert_eq!(put(false).await.status, 200);
    let user = app.user_of(&device).await;
    assert_eq!(app.delete("/api/v1/me", Some(&device.access)).await.status, 204);
    assert!(app.records.load::<ConsentState>(user).await.unwrap().is_none());
    let kept = app.records.list::<ConsentEntry>(Query::all(ConsentEntry::TABLE, 100).is("owner", user)).await.unwrap();
    assert_eq!(kept.len(), 50);
}

#[tokio::test]
async fn one_click_without_logging_in_takes_advertising_back() {
    let app = TestApp::new().await;
    app.sign_up(KIM).await;
    let device = app.log_in(KIM).await;
    app.send("PUT", PATH, Some(&device.access), r#"{"advertising": true}"#).await;
    let user = app.user_of(&device).await;
    let address = address_to_unsubscribe("https://shop.example/", user, &app.keys.index);
    let path = address.strip_prefix("https://shop.example").unwrap();
    let page = app.get(path, None).await;
    assert!(page.status == 200 && page.text.contains("<form method=\"post\">"), "{}", page.text);
    let view = async || app.get(PATH, Some(&device.access)).await.body;
    assert_eq!(versions(&view().await)[2], Some(""), "reading changes nothing");
    app.clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        let done = app.send("POST", path, None, "").await;
        assert!(done.status == 200 && done.text.contains("no more advertising"), "{}", done.text);
    }
    let view = view().await;
    assert_eq!((versions(&view)[2], &view["history"][0]["way"]), (None, &json!("link")));
    assert_eq!(view["history"].as_array().unwrap().len(), 2);
    let other = address_to_unsubscribe("", UserId([1; 16]), &app.keys.index);
    let forged = format!("{}{}", &other[..other.len() - 43], &address[address.len() - 43..]);
    for broken in [&forged, "/api/v1/unsubscribe/x", &path[..path.len() - 1]] {
        app.get(broken, None).await.is_problem(404, "not_found");
        app.post(broken, None, &json!({})).await.is_problem(404, "not_found");
    }
    let token = path.rsplit('/').next().unwrap();
    assert_eq!(owner_of(token, &app.keys.index), Some(user));
    // Also of an account that is gone.
    app.delete("/api/v1/me", Some(&device.access)).await;
    assert_eq!(app.post(path, None, &json!({})).await.status, 200);
}
