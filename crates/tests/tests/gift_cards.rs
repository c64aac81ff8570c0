//! A gift card pays in the shop: alone, or beside the provider; and what fails or goes back is undone right. At the end of
//! each test the audit agrees.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use firstcome_tests::{Answer, Api, Random, Shop, Storefront as _, gift_card, ticket};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

/// What is on a card.
const FACE: i64 = 10_000;
/// What a till takes at a time.
const BY_TILL: i64 = 350;

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

async fn order(buyer: &Api, key: &str, offer: &str, quantity: u32, card: &str) -> Answer {
    let body = json!({"offer_id": offer, "quantity": quantity, "gift_card": card});
    buyer.post("/orders").key(key).json(&body).send().await.expect("an answer")
}

/// Pays so much of an order at the provider and asks the shop to collect it.
async fn pay(buyer: &Api, order: &str, amount: i64) -> Answer {
    let paid = buyer.pay_at_sandbox(order, amount).await.expect("an answer").json;
    let payment = text(&paid, "paymentKey");
    buyer.confirm(&format!("pay-{payment}"), order, payment, &won(amount)).await.expect("an answer")
}

async fn cancel(buyer: &Api, key: &str, order: &str, body: &Value) -> Answer {
    buyer.post(&format!("/orders/{order}/cancel")).key(key).json(body).send().await.expect("an answer")
}

/// A new card of the buyer. Returns its code and the order that bought it.
async fn card(buyer: &Api, key: &str, cards: &str) -> (String, String) {
    let bought = buyer.order(key, cards, 1).await.expect("an answer").want(201);
    let id = text(&bought, "order_id").to_owned();
    pay(buyer, &id, FACE).await.want(200);
    let code = text(&voucher(buyer, |voucher| voucher["order_id"] == id.as_str()).await, "code").to_owned();
    (code, id)
}

async fn voucher(buyer: &Api, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        if let Some(found) = buyer.vouchers().await.expect("an answer").into_iter().find(&wanted) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no such voucher: {:?}", buyer.vouchers().await);
}

/// Waits until so much is left on a card.
async fn left(buyer: &Api, code: &str, balance: i64) -> Value {
    voucher(buyer, |voucher| voucher["code"] == code && voucher["balance"]["amount"] == balance).await
}

/// Waits until an order is in this state.
async fn is(buyer: &Api, order: &str, state: &str) -> Value {
    let mut seen = Value::Null;
    for _ in 0..600 {
        seen = buyer.order_of(order).await.expect("an answer").want(200);
        if seen["state"] == state {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not {state}: {seen}");
}

async fn history(buyer: &Api, code: &str) -> Vec<(String, i64)> {
    let all = buyer.voucher_history(code).await.expect("an answer").want(200);
    let items = all["items"].as_array().expect("a list").clone();
    let mut moved: Vec<_> = items
        .iter()
        .map(|item| (text(item, "kind").to_owned(), item["amount"]["amount"].as_i64().unwrap_or(0)))
        .collect();
    moved.sort();
    moved
}

struct Stage {
    shop: Shop,
    buyer: Api,
    till: Api,
    cards: String,
    gate: String,
}

async fn stage() -> Stage {
    let shop = Shop::start().await;
    let (seller, till) = (shop.seller().await, shop.merchant().await);
    let cards = seller.sell(&gift_card(FACE), &json!({"price": FACE, "stock": 100})).await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 7_000, "stock": 500})).await;
    let buyer = shop.buyers(1).remove(0);
    Stage { shop, buyer, till, cards, gate }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_the_provider_and_back() {
    let Stage { mut shop, buyer, till, cards, gate } = stage().await;
    let (code, bought) = card(&buyer, "card", &cards).await;
    let placed = order(&buyer, "two", &gate, 2, &code.to_ascii_lowercase().replace('-', " ")).await.want(201);
    let id = text(&placed, "order_id").to_owned();
    let amounts = [&placed["amount"], &placed["gift_card"], &placed["to_pay"]];
    assert_eq!((text(&placed, "state"), amounts), ("PENDING", [&won(14_000), &won(FACE), &won(4_000)]));

    // It is reserved: no till and no other order gets it, and it does not go back with its own order.
    let refused = till.redeem("till", &code, Some(1)).await.expect("an answer").problem(409, "insufficient_balance");
    assert_eq!(refused["balance"], won(0));
    let refused = order(&buyer, "empty", &gate, 1, &code).await.problem(422, "gift_card_not_applicable");
    assert_eq!(refused["reason"], "empty");
    cancel(&buyer, "unbuy", &bought, &json!({})).await.want(200);
    tokio::time::sleep(Duration::from_millis(400)).await;
    left(&buyer, &code, FACE).await;

    // Too much at the provider is refused, a declined card leaves the gift card where it is.
    assert_eq!(pay(&buyer, &id, 14_000).await.problem(422, "amount_mismatch")["amount"], won(4_000));
    let decline =
        json!({"on": "confirm", "kind": "decline", "probability": 1.0, "times": 1, "code": "REJECT_CARD_PAYMENT"});
    shop.api().sandbox_faults(&[decline]).await.expect("an answer").want(200);
    pay(&buyer, &id, 4_000).await.problem(402, "payment_failed");
    shop.kill();
    shop.start_again().await;
    assert_eq!(
        order(&buyer, "two", &gate, 2, &code.to_ascii_lowercase().replace('-', " ")).await.want(201)["order_id"],
        id.as_str()
    );
    pay(&buyer, &id, 4_000).await.want(200);
    is(&buyer, &id, "COMPLETED").await;
    assert_eq!(left(&buyer, &code, 0).await["state"], "USED");

    // A part goes back to the charge first, the rest to the card.
    let unit = json!({"lines": [{"offer_id": gate, "quantity": 1}]});
    let refund = cancel(&buyer, "one", &id, &unit).await.want(200)["refund"].clone();
    assert_eq!((&refund["amount"], &refund["to_gift_card"]), (&won(7_000), &won(3_000)), "{refund}");
    left(&buyer, &code, 3_000).await;
    let refund = cancel(&buyer, "other", &id, &json!({})).await.want(200)["refund"].clone();
    assert_eq!((&refund["amount"], &refund["to_gift_card"]), (&won(7_000), &won(7_000)), "{refund}");
    assert_eq!(left(&buyer, &code, FACE).await["state"], "ACTIVE");
    is(&buyer, &id, "CANCELED").await;
    let mut payment = Value::Null;
    for _ in 0..600 {
        payment = buyer.payment_of(&id).await.expect("an answer").want(200);
        if payment["refunded"] == won(4_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let back: Vec<_> = payment["refunds"]
        .as_array()
        .expect("refunds")
        .iter()
        .map(|refund| [&refund["amount"], &refund["to_gift_card"]])
        .collect();
    assert_eq!(back, [[&won(4_000), &won(3_000)], [&won(0), &won(7_000)]], "{payment}");
    let moved = [("issued", FACE), ("returned", 3_000), ("returned", 7_000), ("spent", FACE)]
        .map(|(kind, amount)| (kind.to_owned(), amount));
    assert_eq!(history(&buyer, &code).await, moved);
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_without_the_provider() {
    let Stage { mut shop, buyer, till, cards, gate } = stage().await;
    let (code, bought) = card(&buyer, "card", &cards).await;
    let placed = order(&buyer, "one", &gate, 1, &code).await.want(201);
    let id = text(&placed, "order_id").to_owned();
    assert_eq!((text(&placed, "state"), &placed["to_pay"]), ("COMPLETED", &won(0)), "{placed}");
    voucher(&buyer, |voucher| voucher["order_id"] == id.as_str() && voucher["kind"] == "ticket").await;
    shop.kill();
    shop.start_again().await;
    assert_eq!(order(&buyer, "one", &gate, 1, &code).await.want(201)["order_id"], id.as_str());
    left(&buyer, &code, 3_000).await;
    assert!(
        shop.api().sandbox_payments().await.expect("a list").iter().all(|payment| payment["orderId"] != id.as_str())
    );
    let payment = buyer.payment_of(&id).await.expect("an answer").want(200);
    assert_eq!((text(&payment, "state"), &payment["amount"], &payment["gift_card"]), ("DONE", &won(0), &won(7_000)));
    assert_eq!(payment["attempts"], json!([]));
    // Its own order cannot be undone now: some of it is used.
    cancel(&buyer, "unbuy", &bought, &json!({})).await;
    let refused =
        till.redeem("much", &code, Some(3_001)).await.expect("an answer").problem(409, "insufficient_balance");
    assert_eq!(refused["balance"], won(3_000));
    assert_eq!(till.redeem("rest", &code, Some(3_000)).await.expect("an answer").want(200)["remaining"], won(0));
    assert_eq!(till.redeem("rest", &code, Some(3_000)).await.expect("an answer").want(200)["remaining"], won(0));
    till.redeem("more", &code, Some(1)).await.expect("an answer").problem(409, "already_used");
    // All of it goes back to the card, whence it can be spent again; in a checkout too.
    let refund = cancel(&buyer, "back", &id, &json!({})).await.want(200)["refund"].clone();
    assert_eq!((&refund["amount"], &refund["to_gift_card"]), (&won(7_000), &won(7_000)), "{refund}");
    left(&buyer, &code, 7_000).await;
    is(&buyer, &id, "CANCELED").await;
    buyer.put(&format!("/me/cart/items/{gate}")).json(&json!({"quantity": 2})).want(200).await;
    let check_out = buyer.post("/me/cart/checkout").key("cart").json(&json!({"gift_card": code}));
    let placed = check_out.send().await.expect("an answer").want(201);
    assert_eq!((&placed["gift_card"], &placed["to_pay"]), (&won(7_000), &won(7_000)), "{placed}");
    let gift = order(&buyer, "gift", &cards, 1, &code).await.problem(422, "gift_card_not_applicable");
    assert_eq!(gift["reason"], "gift_card");
    buyer.cancel("never", text(&placed, "order_id")).await.expect("an answer").want(200);
    shop.stop().await;
    shop.audit().ok();
}

/// Checkouts and tills take from one card in the same moment: never more than is on it, and all of it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_never_overdraw_it() {
    let Stage { mut shop, buyer, till, cards, gate } = stage().await;
    let (code, _) = card(&buyer, "card", &cards).await;
    let orders = join_all((0..12).map(|number| {
        let (buyer, gate, code) = (&buyer, &gate, &code);
        async move { order(buyer, &format!("race-{number}"), gate, 1, code).await }
    }));
    let tills = join_all((0..12).map(|number| {
        let (till, code) = (&till, &code);
        async move { till.redeem(&format!("till-{number}"), code, Some(900)).await.expect("an answer") }
    }));
    let (orders, tills) = join(orders, tills).await;
    let placed: Vec<&Value> = orders.iter().filter(|answer| answer.status == 201).map(|answer| &answer.json).collect();
    let reserved: i64 = placed.iter().filter_map(|order| order["gift_card"]["amount"].as_i64()).sum();
    let redeemed = 900 * tills.iter().filter(|answer| answer.status == 200).count() as i64;
    assert!(reserved + redeemed <= FACE, "{reserved} reserved and {redeemed} redeemed of {FACE}");
    assert!(reserved + redeemed > FACE - 900, "{reserved} reserved and {redeemed} redeemed of {FACE}");
    for answer in orders.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.json["reason"], "empty", "{answer}");
    }
    let paid = |order: &&&Value| order["state"] == "COMPLETED";
    let spent: i64 = placed.iter().filter(paid).filter_map(|order| order["gift_card"]["amount"].as_i64()).sum();
    for order in placed.iter().filter(|order| !paid(order)) {
        let id = text(order, "order_id");
        buyer.cancel(&format!("cancel-{id}"), id).await.expect("an answer").want(200);
    }
    left(&buyer, &code, FACE - redeemed - spent).await;
    shop.stop().await;
    shop.audit().ok();
}

/// Paying, canceling and redeeming race, and the shop dies in the middle of it, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_it() {
    let mut random = Random::new(Random::seed("FIRSTCOME_SEED"));
    let Stage { mut shop, buyer, till, cards, gate } = stage().await;
    let mut codes = Vec::new();
    for number in 0..3 {
        codes.push(card(&buyer, &format!("card-{number}"), &cards).await.0);
    }
    let redeemed = Arc::new(AtomicI64::new(0));
    for round in 0..6 {
        let visits = join_all((0..8).map(|number| {
            let (buyer, till, gate) = (buyer.clone(), till.clone(), gate.clone());
            let (code, key) = (codes[number % codes.len()].clone(), format!("{round}-{number}"));
            let redeemed = redeemed.clone();
            async move { visit(&buyer, &till, &gate, &code, &key, &redeemed).await }
        }));
        let after = Duration::from_millis(20 + random.below(400));
        let visits = tokio::spawn(visits);
        tokio::time::sleep(after).await;
        shop.kill();
        shop.start_again().await;
        visits.await.expect("no panic");
    }
    // Who was never answered asks again; what is unpaid is canceled.
    let mut unpaid = 0;
    for _ in 0..200 {
        unpaid = 0;
        for order in buyer.orders().await.expect("a list") {
            if matches!(text(&order, "state"), "PENDING" | "PAYING") {
                unpaid += 1;
                let id = text(&order, "order_id");
                let _ = buyer.cancel(&format!("tidy-{id}"), id).await;
            }
        }
        if unpaid == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(unpaid, 0, "orders that nobody can end");
    let mut seen = (0, 0, 0);
    for _ in 0..100 {
        seen = balance(&buyer).await;
        let (on_cards, spent, _) = seen;
        if (3 * FACE - on_cards - spent) % BY_TILL == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (on_cards, spent, refunds) = seen;
    let (taken, told) = (3 * FACE - on_cards - spent, redeemed.load(Ordering::Relaxed));
    assert!(
        taken % BY_TILL == 0 && taken >= told,
        "{on_cards} on cards, {spent} spent, {told} redeemed, {refunds} back"
    );
    shop.audit().ok();
    shop.stop().await;
    shop.audit().ok();
}

/// What is on the cards, what completed orders have spent of them, and how many orders gave it back.
async fn balance(buyer: &Api) -> (i64, i64, usize) {
    let vouchers = buyer.vouchers().await.expect("a list");
    let on_cards = vouchers.iter().filter_map(|voucher| voucher["balance"]["amount"].as_i64()).sum();
    let orders = buyer.orders().await.expect("a list");
    let in_state = |state: &'static str| orders.iter().filter(move |order| order["state"] == state);
    let spent = in_state("COMPLETED").filter_map(|order| order["gift_card"]["amount"].as_i64()).sum();
    (on_cards, spent, in_state("CANCELED").count())
}

/// One buyer's visit: an order beside the card, paid or canceled or both at once, while a till takes from the card.
async fn visit(buyer: &Api, till: &Api, gate: &str, code: &str, key: &str, redeemed: &AtomicI64) {
    let redeem = async {
        if till.redeem(key, code, Some(BY_TILL)).await.is_ok_and(|answer| answer.status == 200) {
            redeemed.fetch_add(BY_TILL, Ordering::Relaxed);
        }
    };
    let shopping = async {
        let body = json!({"offer_id": gate, "quantity": 1, "gift_card": code});
        let Ok(placed) = buyer.post("/orders").key(key).json(&body).send().await else { return };
        let (Some(id), Some(due)) = (placed.json["order_id"].as_str(), placed.json["to_pay"]["amount"].as_i64()) else {
            return;
        };
        if due == 0 {
            return;
        }
        let Ok(paid) = buyer.pay_at_sandbox(id, due).await else { return };
        let payment = paid.json["paymentKey"].as_str().unwrap_or_default().to_owned();
        let (pay, undo) = (format!("pay-{key}"), format!("cancel-{key}"));
        let _ = join(buyer.confirm(&pay, id, &payment, &won(due)), async {
            if key.ends_with(['1', '5']) { buyer.cancel(&undo, id).await.ok() } else { None }
        })
        .await;
    };
    join(redeem, shopping).await;
}

/// What is left of a card that is spent for the most part is paid back, once, also when the shop dies after its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_it_is_paid_back() {
    let Stage { mut shop, buyer, till, cards, .. } = stage().await;
    let (code, bought) = card(&buyer, "card", &cards).await;
    let path = format!("/vouchers/{code}/refund");
    let give_up = async |api: &Api, key: &str| api.post(&path).key(key).send().await.expect("an answer");
    till.redeem("most", &code, Some(7_999)).await.expect("an answer").want(200);
    let refused = give_up(&buyer, "early").await.problem(409, "wrong_state");
    assert_eq!((&refused["spent_percent"], &refused["needed_percent"]), (&json!(79), &json!(80)), "{refused}");
    give_up(&till, "theirs").await.problem(404, "not_found");
    till.redeem("one", &code, Some(1)).await.expect("an answer").want(200);
    let given_up = give_up(&buyer, "rest").await.want(200);
    assert_eq!((&given_up["given_up"], &given_up["percent"]), (&won(2_000), &json!(100)), "{given_up}");
    shop.kill();
    shop.start_again().await;
    assert_eq!(give_up(&buyer, "rest").await.want(200), given_up);
    assert_eq!(left(&buyer, &code, 0).await["state"], "USED");
    till.redeem("late", &code, Some(1)).await.expect("an answer").problem(409, "already_used");
    give_up(&buyer, "again").await.problem(409, "already_used");
    let mut payment = Value::Null;
    for _ in 0..600 {
        payment = buyer.payment_of(&bought).await.expect("an answer").want(200);
        if payment["refunded"] == won(2_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(payment["refunds"].as_array().map(Vec::len), Some(1), "{payment}");
    assert_eq!(payment["refunded"], won(2_000), "{payment}");
    let moved = [("issued", FACE), ("redeemed", 1), ("redeemed", 7_999), ("refunded", 2_000)];
    assert_eq!(history(&buyer, &code).await, moved.map(|(kind, amount)| (kind.to_owned(), amount)));
    shop.stop().await;
    shop.audit().ok();
}
