//! Webhooks and deliveries over HTTP.

use std::time::Duration;

use axum::http::Method;
use firstcome_core::ports::Records as _;
use firstcome_core::records::{Query, Record as _, Value as Stored};
use serde_json::{Value, json};

use super::super::rows::Webhook;
use super::receiver::Receiver;
use super::{AccountRole, DELIVERIES, WEBHOOKS, World};

#[tokio::test]
async fn a_webhook_is_made_shown_changed_and_removed_and_its_secret_is_shown_once() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let asked = json!({ "url": receiver.url(), "description": "the warehouse", "events": ["order.completed"] });
    let (status, made) = world.seller(Method::POST, WEBHOOKS, asked).await;
    assert_eq!((status, made["paused"].as_bool()), (201, Some(false)));
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"));
    let path = format!("{WEBHOOKS}/{}", made["webhook_id"].as_str().expect("an id"));
    let (_, shown) = world.seller(Method::GET, &path, Value::Null).await;
    let (_, listed) = world.seller(Method::GET, WEBHOOKS, Value::Null).await;
    assert_eq!(listed, json!({ "items": [shown], "next_cursor": null }));
    assert!(shown["secret"].is_null() && shown["description"] == "the warehouse");
    for value in world.records.select(Query::all(Webhook::TABLE, 1)).await.unwrap().remove(0).values {
        let bytes = match value {
            Stored::Blob(bytes) => bytes,
            Stored::Text(text) => text.into_bytes(),
            Stored::Integer(_) | Stored::Null => continue,
        };
        let bare = secret.trim_start_matches("whsec_").as_bytes();
        assert!(!bytes.windows(bare.len()).any(|window| window == bare), "the secret is readable");
    }
    let edit = json!({ "url": "http://127.0.0.1:9/", "description": "", "events": [], "paused": true });
    let (status, changed) = world.seller(Method::PATCH, &path, edit).await;
    assert_eq!((status, &changed["url"], &changed["events"]), (200, &json!("http://127.0.0.1:9/"), &json!([])));
    assert_eq!(changed["paused"], true);
    let (status, problem) = world.seller(Method::POST, &format!("{path}/test"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    assert_eq!(world.seller(Method::DELETE, &path, Value::Null).await.0, 204);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/test")),
        (Method::GET, format!("{WEBHOOKS}/whk_none")),
    ] {
        assert_eq!(world.seller(method, &path, Value::Null).await.0, 404, "{path}");
    }
    let (_, listed) = world.seller(Method::GET, WEBHOOKS, Value::Null).await;
    assert_eq!(listed["items"], json!([]));
    world.clock.advance(Duration::from_hours(1));
    world.sweep().await;
    assert!(world.records.select(Query::all(Webhook::TABLE, 1)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_field() {
    let world = World::open().await;
    let url = "http://127.0.0.1:9/";
    for (body, field) in [
        (json!({ "url": "ftp://shop.example/" }), "url"),
        (json!({ "url": "/notices" }), "url"),
        (json!({ "url": url, "events": ["webhook.test"] }), "events"),
        (json!({ "url": url, "events": ["order.completed", "order.completed"] }), "events"),
        (json!({ "url": url, "events": ["order.lost"] }), "events[0]"),
        (json!({ "url": url, "description": "x".repeat(201) }), "description"),
        (json!({ "url": url, "secret": "whsec_mine" }), "secret"),
    ] {
        let (status, problem) = world.seller(Method::POST, WEBHOOKS, body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_body")), "{problem}");
        assert!(problem["errors"].get(field).is_some(), "{field}: {problem}");
    }
    for number in 0..20 {
        assert_eq!(world.seller(Method::POST, WEBHOOKS, json!({ "url": url })).await.0, 201, "{number}");
    }
    let (status, problem) = world.seller(Method::POST, WEBHOOKS, json!({ "url": url })).await;
    assert_eq!((status, &problem["code"], &problem["limit"]), (409, &json!("wrong_state"), &json!(20)));
}

#[tokio::test]
async fn a_secret_is_replaced_with_an_overlap() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, first) = world.listen(&receiver, &[]).await;
    let path = format!("{WEBHOOKS}/{webhook}");
    let (status, rotated) = world.seller(Method::POST, &format!("{path}/rotate"), json!({ "overlap_hours": 2 })).await;
    assert_eq!((status, &rotated["previous_secret_until"]), (200, &json!("2027-01-15T10:00:00Z")));
    let second = rotated["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(first, second);
    let test = async || {
        assert_eq!(world.seller(Method::POST, &format!("{path}/test"), Value::Null).await.0, 202);
        world.step(webhook).await;
        receiver.got().pop().expect("a notice")
    };
    let got = test().await;
    assert!(got.is_signed_with(&first) && got.is_signed_with(&second) && got.json()["type"] == "webhook.test");
    world.clock.advance(Duration::from_hours(2));
    let got = test().await;
    assert!(!got.is_signed_with(&first) && got.is_signed_with(&second));
    let (_, shown) = world.seller(Method::GET, &path, Value::Null).await;
    assert!(shown.get("previous_secret_until").is_none(), "{shown}");
    // At once, when others have seen it.
    let (_, rotated) = world.seller(Method::POST, &format!("{path}/rotate"), json!({ "overlap_hours": 0 })).await;
    let got = test().await;
    assert!(!got.is_signed_with(&second) && got.is_signed_with(rotated["secret"].as_str().expect("a secret")));
    let refused = world.seller(Method::POST, &format!("{path}/rotate"), json!({ "overlap_hours": 169 })).await;
    assert_eq!(refused.0, 422);
}

#[tokio::test]
async fn deliveries_are_listed_by_state_and_sent_again_by_id() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    let (webhook, _) = world.listen(&receiver, &["order.completed"]).await;
    let operator = async |method, path: &str| world.ask(AccountRole::Operator, method, path, &Value::Null).await;
    assert_eq!(operator(Method::GET, DELIVERIES).await.1, json!({ "items": [], "next_cursor": null }));
    for key in ["a", "b", "c"] {
        world.sell(key, 1).await;
        world.read().await;
        world.clock.advance(Duration::from_secs(1));
    }
    receiver.say([204, 204, 500]);
    world.step(webhook).await;
    let list = async |query: &str| {
        let (status, body) = operator(Method::GET, &format!("{DELIVERIES}?{query}")).await;
        assert_eq!(status, 200, "{body}");
        body
    };
    let all = list("").await["items"].as_array().expect("a list").clone();
    let times: Vec<_> = all.iter().map(|item| item["created_at"].as_str().expect("a time")).collect();
    assert!(times.len() == 3 && times.is_sorted_by(|one, next| one > next), "{times:?}");
    let (delivered, waiting) = (list("state=delivered").await, list("state=waiting").await);
    assert_eq!((delivered["items"].as_array().unwrap().len(), waiting["items"].as_array().unwrap().len()), (2, 1));
    assert_eq!(list("state=given_up").await["items"], json!([]));
    let failed = &waiting["items"][0];
    assert_eq!((&failed["last_status"], &failed["reason"]), (&json!(500), &json!("it answered 500")));
    let page = list("limit=2").await;
    let rest = list(&format!("limit=2&cursor={}", page["next_cursor"].as_str().expect("a next page"))).await;
    assert_eq!((&rest["items"][0], &rest["next_cursor"]), (&all[2], &Value::Null));
    assert_eq!(list(&format!("webhook={webhook}&event=order.completed")).await["items"].as_array().unwrap().len(), 3);
    assert_eq!(list("event=offer.sold_out").await["items"], json!([]));
    for wrong in ["state=lost", "webhook=whk_1", "event=order.lost", "cursor=x"] {
        let (status, problem) = operator(Method::GET, &format!("{DELIVERIES}?{wrong}")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed_request")), "{wrong}");
    }
    let id = delivered["items"][0]["delivery_id"].as_str().expect("an id");
    let (_, whole) = operator(Method::GET, &format!("{DELIVERIES}/{id}")).await;
    assert_eq!((&whole["body"]["type"], &whole["state"]), (&json!("order.completed"), &json!("delivered")));
    let (status, again) = operator(Method::POST, &format!("{DELIVERIES}/{id}/resend")).await;
    assert_eq!((status, &again["state"], &again["tries"]), (202, &json!("waiting"), &json!(0)));
    world.step(webhook).await;
    let got = receiver.got();
    let same = got.iter().filter(|got| got.header("webhook-id") == whole["notice_id"]).count();
    assert_eq!((got.len(), same), (4, 2));
    assert_eq!(operator(Method::POST, &format!("{DELIVERIES}/dlv_1/resend")).await.0, 404);
}

#[tokio::test]
async fn only_sellers_look_after_webhooks_and_only_staff_sees_deliveries() {
    let world = World::open().await;
    for (role, method, path, status) in [
        (AccountRole::Operator, Method::GET, WEBHOOKS, 403),
        (AccountRole::Merchant, Method::GET, WEBHOOKS, 403),
        (AccountRole::Merchant, Method::GET, DELIVERIES, 403),
        (AccountRole::Buyer, Method::GET, DELIVERIES, 403),
        (AccountRole::Operator, Method::GET, DELIVERIES, 200),
        (AccountRole::Seller, Method::GET, DELIVERIES, 200),
    ] {
        assert_eq!(world.ask(role, method, path, &Value::Null).await.0, status, "{role:?} {path}");
    }
}
