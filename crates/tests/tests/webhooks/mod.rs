//! The seller's systems are told what happens: by a real HTTP server that checks signatures, fails, is slow, and is away
//! while the shop is killed.

mod receiver;

use std::collections::BTreeSet;
use std::time::Duration;

use firstcome_tests::{Api, SOON, Shop, Storefront, gift_card, until};
use serde_json::{Value, json};

pub(crate) use receiver::Receiver;

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

/// A paid order. Returns its id.
pub(crate) async fn buy(buyer: &Api, key: &str, offer: &str, quantity: u32) -> String {
    let order = buyer.order(key, offer, quantity).await.expect("an answer").want(201);
    let (id, amount) = (text(&order, "order_id"), &order["amount"]);
    let paid = buyer.pay_at_sandbox(&id, amount["amount"].as_i64().expect("an amount")).await.expect("an answer");
    buyer
        .confirm(&format!("pay-{key}"), &id, &text(&paid.json, "paymentKey"), amount)
        .await
        .expect("an answer")
        .want(200);
    id
}

async fn cancel(buyer: &Api, key: &str, order: &str, body: Value) {
    buyer.post(&format!("/orders/{order}/cancel")).key(key).json(&body).want(200).await;
}

/// Deliveries that a query selects, when there are so many.
async fn deliveries(operator: &Api, query: &str, count: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    for _ in 0..1_000 {
        seen = operator.all(&format!("/admin/webhook-deliveries?limit=100&{query}")).await.expect("deliveries");
        if seen.len() == count {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query}: {count} wanted, {seen:#?}");
}

/// What a shop of either kind tells of a sale from its first unit to its last.
pub(crate) async fn a_sale_is_told<S: Storefront>(shop: &S, seller: &Api, receiver: &Receiver) -> Value {
    let webhook = receiver.listens(seller, &[]).await;
    let secret = text(&webhook, "secret");
    let offer = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 4})).await;
    let buyer = shop.buyers(1).remove(0);

    let withdrawn = text(&buyer.order("w", &offer, 1).await.expect("an answer").want(201), "order_id");
    cancel(&buyer, "w", &withdrawn, json!({})).await;
    let told = receiver.hears("order.canceled", &withdrawn).await;
    assert_eq!(told.body["data"]["refund_id"], Value::Null);

    let order = buy(&buyer, "one", &offer, 3).await;
    let told = receiver.hears("order.completed", &order).await;
    let line = json!({"offer_id": offer, "quantity": 3, "unit_price": won(9_000)});
    assert_eq!(told.body["data"], json!({"order_id": order, "amount": won(27_000), "lines": [line]}));

    cancel(&buyer, "part", &order, json!({"lines": [{"offer_id": offer, "quantity": 1}]})).await;
    let (canceled, refunded) =
        (receiver.hears("order.canceled", &order).await, receiver.hears("order.refunded", &order).await);
    let line = json!({"offer_id": offer, "quantity": 1});
    assert_eq!((&canceled.body["data"]["lines"], &canceled.body["data"]["whole"]), (&json!([line]), &json!(false)));
    assert_eq!(refunded.body["data"]["amount"], won(9_000));
    assert_eq!(refunded.body["data"]["refund_id"], canceled.body["data"]["refund_id"]);

    buy(&buyer, "rest", &offer, 2).await;
    let told = receiver.hears("offer.sold_out", &offer).await;
    assert_eq!(told.body["data"], json!({"offer_id": offer, "stock": 4, "sold": 4}));

    let buyer_id = text(&buyer.get("/me").want(200).await, "user_id");
    for got in receiver.got() {
        assert!(got.is_signed_with(&secret), "{got:?}");
        assert!(!got.body.to_string().contains(&buyer_id), "{got:?}");
    }
    webhook
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_is_told_to_the_sellers_systems() {
    let mut shop = Shop::start().await;
    let (seller, receiver) = (shop.seller().await, Receiver::start().await);
    let webhook = a_sale_is_told(&shop, &seller, &receiver).await;
    let id = text(&webhook, "webhook_id");

    // Each once: six things happened.
    let delivered = deliveries(&seller, "state=delivered", 6).await;
    let ids: BTreeSet<String> = receiver.got().into_iter().map(|got| got.id).collect();
    assert_eq!((receiver.got().len(), ids.len()), (6, 6));
    let again = &delivered[0];
    seller.post(&format!("/admin/webhook-deliveries/{}/resend", text(again, "delivery_id"))).want(202).await;
    seller.post(&format!("/admin/webhooks/{id}/test")).want(202).await;
    receiver.hears("webhook.test", &id).await;
    deliveries(&seller, "state=delivered", 7).await;
    let twice = receiver.got().iter().filter(|got| got.id == text(again, "notice_id")).count();
    assert_eq!(twice, 2, "it is known by the same id");

    // A new secret signs at once, and the old one for as long as was asked for.
    let rotated = seller.post(&format!("/admin/webhooks/{id}/rotate")).json(&json!({})).want(200).await;
    let sent = seller.post(&format!("/admin/webhooks/{id}/test")).want(202).await;
    deliveries(&seller, "state=delivered", 8).await;
    let got = receiver.got().into_iter().find(|got| got.id == text(&sent, "notice_id")).expect("it arrived");
    assert!(got.is_signed_with(&text(&rotated, "secret")) && got.is_signed_with(&text(&webhook, "secret")));

    seller.delete(&format!("/admin/webhooks/{id}")).want(204).await;
    let before = receiver.got().len();
    let offer = seller.sell(&gift_card(1_000), &json!({"price": 900, "stock": 1})).await;
    buy(&shop.buyers(1)[0], "untold", &offer, 1).await;
    deliveries(&seller, "", 0).await;
    assert_eq!(receiver.got().len(), before, "nobody listens any more");
    // No secret is in any file.
    shop.stop().await;
    shop.audit().ok();
    let secrets = [&webhook, &rotated].map(|shown| text(shown, "secret").trim_start_matches("whsec_").to_owned());
    for entry in std::fs::read_dir(shop.data()).expect("the data").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is readable in {}", entry.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_fails_or_is_away_while_the_shop_is_killed_is_told_all_the_same() {
    let mut shop = Shop::start().await;
    let (seller, mut receiver) = (shop.seller().await, Receiver::start().await);
    let webhook = receiver.listens(&seller, &["order.completed"]).await;
    let offer = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 100})).await;
    let buyer = shop.buyers(1).remove(0);

    receiver.answer(500);
    let failed = buy(&buyer, "failed", &offer, 1).await;
    receiver.hears("order.completed", &failed).await;
    until("the failure is written down", SOON, async || {
        let waiting = deliveries(&seller, "state=waiting", 1).await.remove(0);
        if waiting["last_status"] == 500 { Ok(()) } else { Err(waiting) }
    })
    .await;
    receiver.answer(204);
    let arrived = deliveries(&seller, "state=delivered", 1).await.remove(0);
    assert_eq!((&arrived["last_status"], &arrived["tries"]), (&json!(204), &json!(2)));
    let ids: BTreeSet<String> = receiver.got().into_iter().map(|got| got.id).collect();
    assert_eq!(ids.len(), 1, "both tries are one notice");

    receiver.go_away().await;
    let mut orders = Vec::new();
    for number in 0..5 {
        orders.push(buy(&buyer, &format!("away-{number}"), &offer, 1).await);
    }
    shop.kill();
    receiver.come_back().await;
    shop.start_again().await;
    for order in &orders {
        let told = receiver.hears("order.completed", order).await;
        assert!(told.is_signed_with(&text(&webhook, "secret")));
    }
    let delivered = deliveries(&seller, "state=delivered", 6).await;
    let subjects: BTreeSet<String> = delivered.iter().map(|delivery| text(delivery, "subject")).collect();
    assert_eq!(subjects.len(), 6, "none is queued twice");
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_answers_keeps_nobody_waiting() {
    let shop = Shop::start().await;
    let (seller, silent, quick) = (shop.seller().await, Receiver::start().await, Receiver::start().await);
    silent.answer(0);
    let held_up = silent.listens(&seller, &[]).await;
    quick.listens(&seller, &[]).await;
    let offer = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 100})).await;
    let buyer = shop.buyers(1).remove(0);
    let first = buy(&buyer, "first", &offer, 1).await;
    silent.hears("order.completed", &first).await;
    for number in 0..20 {
        let order = buy(&buyer, &format!("{number}"), &offer, 1).await;
        quick.hears("order.completed", &order).await;
    }
    deliveries(&seller, "state=delivered", 21).await;
    let waiting = deliveries(&seller, "state=waiting", 21).await;
    assert!(waiting.iter().all(|delivery| delivery["webhook_id"] == held_up["webhook_id"]));
}
