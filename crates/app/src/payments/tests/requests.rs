//! What a buyer is answered.

use firstcome_core::ids::{PaymentId, UserId};
use firstcome_core::ledger::HoldState;
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::Records as _;
use firstcome_core::records::Unit;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::shop::{BUYER, PRICE, Shop};
use crate::payments::confirm::Request;
use crate::payments::rows::Payment;

async fn ask(shop: &mut Shop, person: UserId, key: &str, request: Request) -> (u16, Value) {
    let response = shop.confirm_as(person, key, request).await.expect("no crash");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).expect("JSON"))
}

fn request(order: firstcome_core::ids::OrderId, payment_key: &str, amount: Money) -> Request {
    Request { order_id: order, payment_key: payment_key.to_owned(), amount }
}

#[tokio::test]
async fn the_same_request_is_the_same_payment() {
    let mut shop = Shop::open(2);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    let (status, first) = ask(&mut shop, BUYER, "pay", request(order, "key", PRICE)).await;
    assert_eq!((status, &first["state"]), (200, &Value::from("DONE")));
    let (status, again) = ask(&mut shop, BUYER, "pay", request(order, "key", PRICE)).await;
    assert_eq!((status, again), (200, first));
    let (status, other) = ask(&mut shop, BUYER, "pay", request(order, "other", PRICE)).await;
    assert_eq!((status, &other["code"]), (422, &Value::from("idempotency_key_reused")));
    let (status, paid) = ask(&mut shop, BUYER, "new key", request(order, "key", PRICE)).await;
    assert_eq!((status, &paid["code"]), (409, &Value::from("already_paid")));
}

#[tokio::test]
async fn a_used_key_is_recognised_on_another_order() {
    let mut shop = Shop::open(2);
    let (order, other) = (shop.order("order"), shop.order("other"));
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.pay("other", &other.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    let (status, problem) = ask(&mut shop, BUYER, "pay", request(other, "other", PRICE)).await;
    assert_eq!((status, &problem["code"]), (422, &Value::from("idempotency_key_reused")));
    assert_eq!(shop.state(other), Some(HoldState::Held));
}

#[tokio::test]
async fn mismatches_move_nothing() {
    let mut shop = Shop::open(2);
    let (order, other) = (shop.order("order"), shop.order("other"));
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.pay("cheap", &order.to_string(), Money::new(1, Currency::KRW));
    shop.provider.pay("foreign", &order.to_string(), Money::new(PRICE.amount, "USD".parse().expect("valid")));
    let one = Money::new(1, Currency::KRW);
    for (case, code) in [
        (request(order, "key", one), "amount_mismatch"),
        (request(order, "cheap", one), "amount_mismatch"),
        (request(order, "cheap", PRICE), "amount_mismatch"),
        (request(order, "foreign", PRICE), "amount_mismatch"),
        (request(other, "key", PRICE), "payment_mismatch"),
        (request(order, "nobody-knows", PRICE), "payment_mismatch"),
    ] {
        let (status, problem) = ask(&mut shop, BUYER, "pay", case).await;
        assert_eq!((status, &problem["code"]), (422, &Value::from(code)));
    }
    assert_eq!(shop.provider.kept(order), 0);
    assert!(shop.attempts(order).await.is_empty());
}

#[tokio::test]
async fn anothers_order_is_not_there() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    let (status, problem) = ask(&mut shop, UserId([1; 16]), "pay", request(order, "key", PRICE)).await;
    assert_eq!((status, &problem["code"]), (404, &Value::from("not_found")));
}

#[tokio::test]
async fn a_declined_card_keeps_its_time() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    let deadline = shop.ledger.hold(order).expect("held").expires_at;
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.decline("key", "REJECT_CARD_PAYMENT");
    for _ in 0..2 {
        let (status, problem) = ask(&mut shop, BUYER, "pay", request(order, "key", PRICE)).await;
        assert_eq!((status, &problem["code"]), (402, &Value::from("payment_failed")));
        assert_eq!(problem["provider_code"], "REJECT_CARD_PAYMENT");
    }
    let hold = shop.ledger.hold(order).expect("held");
    assert_eq!((hold.state, hold.expires_at), (HoldState::Held, deadline));
    shop.provider.pay("second", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("second", order, "second").await, Some(200));
}

#[tokio::test]
async fn twins_charge_once() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("one", &order.to_string(), PRICE);
    shop.provider.pay("two", &order.to_string(), PRICE);
    let asks = ["one", "two", "one", "two"].map(|payment_key| {
        let payments = std::sync::Arc::clone(&shop.payments);
        let confirmation = crate::payments::confirm::Confirmation {
            id: firstcome_core::ids::PaymentId::derived(&[payment_key.as_bytes()]),
            person: BUYER,
            digest: 1,
            request: request(order, payment_key, PRICE),
        };
        tokio::spawn(async move { payments.confirm(confirmation).await.is_ok() })
    });
    for ask in asks {
        ask.await.expect("no panic");
    }
    shop.rest().await;
    shop.check(order, "twins").await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
    assert_eq!(shop.announced("payment.done"), 1);
}

#[tokio::test]
async fn an_order_takes_twenty_payments_that_fail() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    for number in 0..20 {
        let key = format!("key {number}");
        shop.provider.pay(&key, &order.to_string(), PRICE);
        shop.provider.decline(&key, "REJECT_CARD_PAYMENT");
        assert_eq!(shop.confirm(&key, order, &key).await, Some(402), "{number}");
    }
    shop.provider.pay("one more", &order.to_string(), PRICE);
    let (status, problem) = ask(&mut shop, BUYER, "one more", request(order, "one more", PRICE)).await;
    assert_eq!((status, &problem["code"]), (409, &Value::from("wrong_state")), "{problem}");
    assert_eq!((shop.attempts(order).await.len(), shop.state(order)), (20, Some(HoldState::Held)));
    let (status, again) = ask(&mut shop, BUYER, "key 3", request(order, "key 3", PRICE)).await;
    assert_eq!((status, &again["code"]), (402, &Value::from("payment_failed")), "what was answered is answered again");
    // Money that came without us is no attempt of the buyer's: it is taken.
    shop.provider.set("one more", firstcome_core::ports::ProviderStatus::Done);
    assert_eq!(shop.confirm("deposit", order, "one more").await, Some(200));
    shop.rest().await;
    shop.check(order, "paid after all").await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
}

#[tokio::test]
async fn an_attempt_is_found_among_any_number_of_others() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    let paid = shop.attempts(order).await.pop().expect("paid");
    for number in 0..2_500_u32 {
        let failed = Payment {
            payment_id: PaymentId::derived(&[&number.to_be_bytes()]),
            payment_key: format!("key {number}"),
            state: PaymentState::Fail,
            live: None,
            ..paid.clone()
        };
        shop.books.commit(Unit::new().insert(&failed)).await.expect("in memory");
    }
    assert_eq!(shop.attempts(order).await.len(), 2_501);
    shop.notice("key").await;
    shop.rest().await;
    let moved = shop.attempts(order).await.into_iter().filter(|attempt| attempt.state != PaymentState::Fail);
    assert_eq!(moved.map(|attempt| attempt.payment_id).collect::<Vec<_>>(), [paid.payment_id]);
    assert!(shop.refunds(order).await.is_empty());
    assert_eq!(shop.provider.kept(order), PRICE.amount);
}
