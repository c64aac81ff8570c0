//! The same key is the same request: for twins at the same moment, after a restart, and never across people.

use std::collections::BTreeSet;

use firstcome_tests::{Answer, Api, SOON, Shop, Storefront as _, gift_card, ticket, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

const TWINS: usize = 32;

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

/// Asks so many times at once.
async fn at_once<F: Future<Output = Answer>>(call: impl Fn() -> F) -> Vec<Answer> {
    join_all((0..TWINS).map(|_| call())).await
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

async fn order(api: &Api, key: &str, offer: &str, quantity: u32) -> Answer {
    api.order(key, offer, quantity).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(10_000), &json!({"stock": 50})).await;
    let other_offer = seller.sell(&ticket("Gate"), &json!({"stock": 50})).await;
    let soon = json!({"stock": 5, "opens_at": "2099-01-01T00:00:00Z"});
    let not_yet = seller.sell(&ticket("Soon"), &soon).await;
    let buyers = shop.buyers(2);
    let (one, two) = (&buyers[0], &buyers[1]);

    let answers = at_once(|| order(one, "twin", &offer, 2)).await;
    let ids: BTreeSet<String> = answers.into_iter().map(|answer| text(&answer.want(201), "order_id")).collect();
    assert_eq!(ids.len(), 1, "twins are one order");
    let id = ids.into_iter().next().expect("one order");
    assert_eq!(seller.live(&offer).await.expect("an answer").want(200)["held"], 2);

    // Twins that differ: one of them wins, the others are told.
    let answers = join_all((1..=8).map(|quantity| order(one, "differ", &offer, quantity))).await;
    let granted = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(granted, 1, "one of several bodies under a key is granted");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "idempotency_key_reused"));

    // Another person's key of the same name is another key.
    let theirs = text(&order(two, "twin", &offer, 2).await.want(201), "order_id");
    assert_ne!(theirs, id);

    // A refusal is not remembered.
    order(one, "refused", &not_yet, 1).await.problem(409, "not_open_yet");
    order(one, "refused", &not_yet, 2).await.problem(409, "not_open_yet");
    seller.steer(&not_yet, "open").await.expect("an answer").want(200);
    order(one, "refused", &not_yet, 1).await.want(201);

    let no_key = one.post("/orders").json(&json!({"offer_id": offer, "quantity": 1})).send().await;
    no_key.expect("an answer").problem(400, "idempotency_key_missing");

    for round in ["before the restart", "after it", "after being killed"] {
        match round {
            "after it" => {
                shop.stop().await;
                shop.start_again().await;
            }
            "after being killed" => {
                shop.kill();
                shop.start_again().await;
            }
            _ => {}
        }
        order(one, "twin", &offer, 1).await.problem(422, "idempotency_key_reused");
        order(one, "twin", &other_offer, 2).await.problem(422, "idempotency_key_reused");
        assert_eq!(text(&order(one, "twin", &offer, 2).await.want(201), "order_id"), id, "{round}");
        assert_eq!(text(&order(two, "twin", &offer, 2).await.want(201), "order_id"), theirs, "{round}");
    }
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_cancels_and_redemptions() {
    let mut shop = Shop::start().await;
    let (seller, merchant) = (shop.seller().await, shop.merchant().await);
    let offer = seller.sell(&gift_card(10_000), &json!({"price": 9_000})).await;
    let buyers = shop.buyers(2);
    let (one, two) = (&buyers[0], &buyers[1]);
    let mine = bought(one, &offer).await;
    let spare = bought(one, &offer).await;
    let theirs = bought(two, &offer).await;

    // Payments. While the first twin asks the provider the others are told so; nobody is charged twice.
    let pay = |api: Api, key: &'static str, (id, payment): (String, String), amount: i64| async move {
        api.confirm(key, &id, &payment, &won(amount)).await.expect("an answer")
    };
    let answers = at_once(|| pay(one.clone(), "p", mine.clone(), 9_000)).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 202)), "{answers:?}");
    let payments: BTreeSet<String> = answers.iter().map(|answer| text(&answer.json, "payment_id")).collect();
    assert_eq!(payments.len(), 1, "twins are one payment");
    pay(one.clone(), "p", spare.clone(), 9_000).await.problem(422, "idempotency_key_reused");
    pay(two.clone(), "p", theirs.clone(), 8_999).await.problem(422, "amount_mismatch");
    pay(two.clone(), "p", theirs.clone(), 9_000).await.want(200);
    pay(two.clone(), "q", mine.clone(), 9_000).await.problem(404, "not_found");
    let body = json!({"order_id": mine.0, "payment_key": mine.1, "amount": won(9_000)});
    let no_key = one.post("/payments/confirm").json(&body).send().await;
    no_key.expect("an answer").problem(400, "idempotency_key_missing");

    // Cancels.
    let cancel = |api: Api, key: &'static str, order: String, reason: &'static str| async move {
        let path = format!("/orders/{order}/cancel");
        api.post(&path).key(key).json(&json!({"reason": reason})).send().await.expect("an answer")
    };
    let answers = at_once(|| cancel(one.clone(), "c", spare.0.clone(), "twice")).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json["state"] == "CANCELED"), "{answers:?}");
    cancel(one.clone(), "c", spare.0.clone(), "otherwise").await.problem(422, "idempotency_key_reused");
    cancel(one.clone(), "c", mine.0.clone(), "twice").await.problem(422, "idempotency_key_reused");
    cancel(two.clone(), "c", spare.0.clone(), "twice").await.problem(404, "not_found");
    let no_key = one.post(&format!("/orders/{}/cancel", spare.0)).json(&json!({})).send().await;
    no_key.expect("an answer").problem(400, "idempotency_key_missing");

    // Redemptions.
    let (card, other_card) = (voucher(one).await, voucher(two).await);
    let redeem = |api: Api, key: &'static str, code: String, amount: i64| async move {
        api.redeem(key, &code, Some(amount)).await.expect("an answer")
    };
    redeem(merchant.clone(), "r", card.clone(), 10_001).await.problem(409, "insufficient_balance");
    let answers = at_once(|| redeem(merchant.clone(), "r", card.clone(), 4_000)).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json["remaining"] == won(6_000)), "{answers:?}");
    redeem(merchant.clone(), "r", card.clone(), 3_000).await.problem(422, "idempotency_key_reused");
    redeem(merchant.clone(), "r", other_card.clone(), 4_000).await.problem(422, "idempotency_key_reused");
    let till = shop.account("merchant", "second@shop.test").await;
    assert_eq!(redeem(till, "r", card.clone(), 1_000).await.want(200)["remaining"], won(5_000));
    let path = format!("/vouchers/{card}/redeem");
    let no_key = merchant.post(&path).json(&json!({"amount": won(1)})).send().await;
    no_key.expect("an answer").problem(400, "idempotency_key_missing");

    shop.kill();
    shop.start_again().await;
    let payment = text(&pay(one.clone(), "p", mine.clone(), 9_000).await.want(200), "payment_id");
    assert!(payments.contains(&payment), "the same payment after the restart");
    pay(one.clone(), "p", spare.clone(), 9_000).await.problem(422, "idempotency_key_reused");
    cancel(one.clone(), "c", spare.0.clone(), "twice").await.want(200);
    cancel(one.clone(), "c", spare.0.clone(), "otherwise").await.problem(422, "idempotency_key_reused");
    assert_eq!(redeem(merchant.clone(), "r", card.clone(), 4_000).await.want(200)["remaining"], won(6_000));
    redeem(merchant.clone(), "r", card.clone(), 3_000).await.problem(422, "idempotency_key_reused");
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adjustments() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&ticket("Gate"), &json!({"stock": 50})).await;
    let other = seller.sell(&ticket("Other gate"), &json!({"stock": 50})).await;
    let adjust = |key: &'static str, offer: String, delta: i64| {
        let seller = seller.clone();
        async move { seller.adjust(key, &offer, delta).await.expect("an answer") }
    };
    let answers = at_once(|| adjust("a", offer.clone(), 10)).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json["stock"] == 60), "{answers:?}");
    for (key, out_of_range) in [("far", 9_000_000_000_000_000_000), ("low", i64::MIN), ("full", 999_999_999)] {
        let problem = adjust(key, offer.clone(), out_of_range).await.problem(422, "invalid_body");
        assert!(problem["errors"]["delta"].to_string().contains("out of range"), "{problem}");
    }
    adjust("take", offer.clone(), -61).await.problem(409, "would_go_negative");
    for _ in 0..2 {
        adjust("a", offer.clone(), 11).await.problem(422, "idempotency_key_reused");
        adjust("a", other.clone(), 10).await.problem(422, "idempotency_key_reused");
        assert_eq!(adjust("a", offer.clone(), 10).await.want(200)["stock"], 60);
        shop.kill();
        shop.start_again().await;
    }
    shop.audit().ok();
}

/// An order and what was authorised for it at the provider.
async fn bought(api: &Api, offer: &str) -> (String, String) {
    let key = format!("buy-{}", api.orders().await.expect("an answer").len());
    let id = text(&order(api, &key, offer, 1).await.want(201), "order_id");
    let is_mine = |order: &Value| order["order_id"] == id.as_str();
    until("it is listed", SOON, async || api.orders().await.expect("an answer").iter().any(is_mine)).await;
    let paid = api.pay_at_sandbox(&id, 9_000).await.expect("an answer");
    (id, text(&paid.json, "paymentKey"))
}

/// The code of the only voucher, when it is there.
async fn voucher(api: &Api) -> String {
    text(&api.delivered(|_| true).await, "code")
}
