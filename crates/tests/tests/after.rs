//! After the sale: refunds by the operator and by policy, parcels that leave and come back, parts of orders. At the end of each
//! test the audit agrees.

use std::collections::BTreeSet;

use firstcome_tests::{Answer, Api, SOON, Shop, ShopOptions, Storefront as _, gift_card, ticket, until};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn goods() -> Value {
    json!({"kind": "goods", "name": "Cup"})
}

/// A time zone where it is noon now, give or take half an hour: no day ends there while a test runs.
fn where_it_is_noon() -> String {
    let ahead = 12 - jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    // In these names what is ahead of UTC has a minus.
    if ahead < 0 { format!("Etc/GMT+{}", -ahead) } else { format!("Etc/GMT-{ahead}") }
}

/// A day so many days from now, in a time zone.
fn day(days: i64, zone: &str) -> String {
    let today = jiff::Timestamp::now().in_tz(zone).expect("a zone").date();
    today.saturating_add(jiff::Span::new().days(days)).to_string()
}

async fn cancel(buyer: &Api, key: &str, order: &str, body: &Value) -> Answer {
    buyer.post(&format!("/orders/{order}/cancel")).key(key).json(body).send().await.expect("an answer")
}

async fn refund(operator: &Api, key: &str, order: &str, body: &Value) -> Answer {
    operator.post(&format!("/admin/orders/{order}/refund")).key(key).json(body).send().await.expect("an answer")
}

async fn act(operator: &Api, order: &str, action: &str, body: &Value) -> Answer {
    operator.post(&format!("/admin/orders/{order}/{action}")).json(body).send().await.expect("an answer")
}

/// Waits until an order is in this state and so much of its money is back.
async fn settled(buyer: &Api, order: &str, state: &str, refunded: i64) {
    until(format!("{order} is {state} with {refunded} back"), SOON, async || {
        let view = buyer.order_of(order).await.expect("an answer").want(200);
        let payment = buyer.payment_of(order).await.expect("an answer").want(200);
        let seen = (view["state"].clone(), payment["refunded"]["amount"].clone());
        if seen == (json!(state), json!(refunded)) { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// The states of an order's vouchers, in order.
async fn vouchers(buyer: &Api, order: &str) -> Vec<String> {
    let all = buyer.vouchers().await.expect("an answer");
    let own = all.into_iter().filter(|voucher| voucher["order_id"] == order);
    let mut states: Vec<String> = own.map(|voucher| voucher["state"].as_str().expect("a state").to_owned()).collect();
    states.sort();
    states
}

async fn delivered(buyer: &Api, order: &str, count: usize) {
    until(format!("{order} is delivered"), SOON, async || vouchers(buyer, order).await.len() == count).await;
}

async fn audited(mut shop: Shop) {
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_refunds_a_part_or_all() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let operator = shop.account("operator", "night@shop.test").await;
    let offer = seller.sell(&gift_card(10_000), &json!({"price": 1_000, "stock": 10})).await;
    let buyer = shop.buyers(1).remove(0);

    let unpaid = buyer.order("unpaid", &offer, 1).await.expect("an answer").want(201);
    let unpaid = unpaid["order_id"].as_str().expect("an id");
    refund(&operator, "u", unpaid, &json!({"reason": "x"})).await.problem(409, "wrong_state");

    let order = buyer.buy("one", &offer, 2).await;
    delivered(&buyer, &order, 2).await;
    refund(&operator, "w0", &order, &json!({"amount": won(0), "reason": "x"})).await.problem(422, "invalid_body");
    // Nothing came of it, but a key means one body for ever.
    refund(&operator, "w0", &order, &json!({"reason": "y"})).await.problem(422, "idempotency_key_reused");
    for (key, wrong) in [("w1", won(-1)), ("w2", won(2_001)), ("w3", json!({"amount": 1, "currency": "USD"}))] {
        refund(&operator, key, &order, &json!({"amount": wrong, "reason": "x"})).await.problem(422, "invalid_body");
    }
    refund(&operator, "w4", &order, &json!({"amount": won(5)})).await.problem(422, "invalid_body");
    refund(&operator, "w5", "ord_00000000000000000000000000", &json!({"reason": "x"})).await.problem(404, "not_found");

    // A part leaves the delivery. Twins are one refund.
    let part = json!({"amount": won(300), "reason": "a scratch"});
    let twins = join_all((0..8).map(|_| refund(&operator, "part", &order, &part))).await;
    let ids: BTreeSet<String> =
        twins.into_iter().map(|twin| twin.want(200)["refund"]["refund_id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    settled(&buyer, &order, "COMPLETED", 300).await;
    assert_eq!(vouchers(&buyer, &order).await, ["ACTIVE", "ACTIVE"]);

    // The rest takes it back, also what was used.
    let merchant = shop.account("merchant", "till@shop.test").await;
    let code = buyer.vouchers().await.expect("an answer")[0]["code"].as_str().expect("a code").to_owned();
    merchant.redeem("r", &code, Some(400)).await.expect("an answer").want(200);
    cancel(&buyer, "c", &order, &json!({})).await;
    let all = until("the buyer's own cancel is decided", SOON, async || {
        let all = refund(&operator, "all", &order, &json!({"reason": "the shop closes"})).await;
        if all.status == 409 { Err(all) } else { Ok(all) }
    })
    .await;
    assert_eq!(all.want(200)["refund"]["amount"], won(1_700));
    settled(&buyer, &order, "CANCELED", 2_000).await;
    refund(&operator, "more", &order, &json!({"reason": "x"})).await.problem(409, "wrong_state");
    assert_eq!(seller.live(&offer).await.expect("an answer").want(200)["sold"], 0);
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_goes_back_than_was_paid_however_many_ask() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let merchant = shop.account("merchant", "till@shop.test").await;
    let offer = seller.sell(&gift_card(10_000), &json!({"price": 1_000, "stock": 50})).await;
    let buyer = shop.buyers(1).remove(0);
    let order = buyer.buy("many", &offer, 1).await;
    let some = json!({"amount": won(400), "reason": "sorry"});
    let keys: Vec<String> = (0..8).map(|number| format!("k{number}")).collect();
    let answers = join_all(keys.iter().map(|key| refund(&seller, key, &order, &some))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2, "{answers:?}");
    settled(&buyer, &order, "COMPLETED", 800).await;

    // A refund and a redemption at the same moment: the card is used, or the money is back.
    for round in 0..6 {
        let order = buyer.buy(&format!("race{round}"), &offer, 1).await;
        delivered(&buyer, &order, 1).await;
        let all = buyer.vouchers().await.expect("an answer");
        let code = all.iter().find(|voucher| voucher["order_id"] == order.as_str()).expect("one")["code"].clone();
        let code = code.as_str().expect("a code").to_owned();
        let key = format!("c{round}");
        let (canceled, redeemed) =
            join(cancel(&buyer, &key, &order, &json!({})), merchant.redeem(&key, &code, Some(10_000))).await;
        let redeemed = redeemed.expect("an answer").status == 200;
        assert!([200, 409].contains(&canceled.status), "{canceled}");
        if redeemed {
            settled(&buyer, &order, "COMPLETED", 0).await;
        } else {
            settled(&buyer, &order, "CANCELED", 1_000).await;
        }
    }
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_the_one_that_was_bought_under() {
    let zone = where_it_is_noon();
    let environment = vec![("FIRSTCOME_SERVER_TIME_ZONE".into(), zone.clone().into())];
    let shop = Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await;
    let seller = shop.seller().await;
    let buyer = shop.buyers(1).remove(0);
    for (days, percent) in [(30, 100), (10, 100), (9, 90), (7, 90), (6, 80), (3, 80), (2, 70), (1, 70), (0, 0)] {
        let product = json!({"kind": "ticket", "name": format!("Day {days}"), "visit_date": day(days, &zone)});
        let terms = json!({"price": 1_001, "refund_policy": "by_visit_date"});
        let offer = seller.sell(&product, &terms).await;
        assert_eq!(buyer.offer(&offer).await.expect("an answer").want(200)["refund_policy"], "by_visit_date");
        let order = buyer.buy(&format!("o{days}"), &offer, 1).await;
        // What the offer says later is for later buyers.
        let edit = json!({"refund_policy": if days % 2 == 0 { "none" } else { "full_until_used" }});
        seller.patch(&format!("/admin/offers/{offer}")).json(&edit).want(200).await;
        let answer = cancel(&buyer, &format!("c{days}"), &order, &json!({})).await;
        if percent == 0 {
            answer.problem(409, "wrong_state");
            settled(&buyer, &order, "COMPLETED", 0).await;
            continue;
        }
        let refund = answer.want(200)["refund"].clone();
        let amount = 1_001 * percent / 100;
        assert_eq!((&refund["policy"], &refund["amount"]), (&json!("by_visit_date"), &won(amount)), "{days} days");
        settled(&buyer, &order, "CANCELED", amount).await;
    }
    let never = seller.sell(&ticket("Never"), &json!({"price": 900, "refund_policy": "none"})).await;
    let order = buyer.buy("never", &never, 1).await;
    cancel(&buyer, "never", &order, &json!({})).await.problem(409, "wrong_state");
    // The operator may, whatever the policy says.
    refund(&seller, "never", &order, &json!({"reason": "illness"})).await.want(200);
    settled(&buyer, &order, "CANCELED", 900).await;
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_leave_and_come_back() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let operator = shop.account("operator", "night@shop.test").await;
    let offer = seller.sell(&goods(), &json!({"price": 1_000, "stock": 10, "refund_policy": "withdrawal"})).await;
    let buyer = shop.buyers(1).remove(0);
    let ship_to = json!({"name": "Kim Minsu", "phone": "010-1234-5678", "address": "1 Sejong-daero, Seoul"});
    let body = json!({"offer_id": offer, "quantity": 2, "ship_to": ship_to});
    let placed = buyer.post("/orders").key("goods").json(&body).want(201).await;
    let order = placed["order_id"].as_str().expect("an id").to_owned();
    let parcel = json!({"carrier": "CJ Logistics", "tracking": "123"});
    act(&operator, &order, "ship", &parcel).await.problem(409, "wrong_state");
    buyer.pay(&placed).await;

    let shipping = async |state: &str| {
        let view = buyer.order_of(&order).await.expect("an answer").want(200);
        assert_eq!(view["shipping"]["state"], state, "{view}");
        assert!(view.get("ship_to").is_none(), "a buyer's own page does not repeat the address");
        view["shipping"].clone()
    };
    let back = async |key: &str| {
        let path = format!("/orders/{order}/return");
        buyer.post(&path).key(key).json(&json!({"reason": "too small"})).send().await.expect("an answer")
    };
    shipping("PREPARING").await;
    for action in ["deliver", "return/approve", "return/receive"] {
        act(&operator, &order, action, &json!({})).await.problem(409, "wrong_state");
    }
    back("early").await.problem(409, "wrong_state");
    // Of a parcel that leaves twice one does.
    let two = join(act(&operator, &order, "ship", &parcel), act(&operator, &order, "ship", &parcel)).await;
    let mut statuses = [two.0.status, two.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let listed = operator.admin_orders("state=COMPLETED").await.expect("an answer");
    assert_eq!((&listed[0]["ship_to"], &listed[0]["shipping"]["tracking"]), (&ship_to, &json!("123")));
    assert_eq!(shipping("SHIPPING").await["carrier"], "CJ Logistics");
    let repeated = buyer.post("/orders").key("goods").json(&body).want(201).await;
    assert_eq!(repeated["shipping"]["state"], "SHIPPING", "a repeat is the order in its state of now");
    cancel(&buyer, "late", &order, &json!({})).await.problem(409, "wrong_state");
    back("still-early").await.problem(409, "wrong_state");
    act(&operator, &order, "deliver", &json!({})).await.want(200);
    shipping("DELIVERED").await;
    act(&operator, &order, "deliver", &json!({})).await.problem(409, "wrong_state");

    assert_eq!(back("now").await.want(200)["shipping"]["state"], "RETURN_REQUESTED");
    assert_eq!(back("now").await.want(200)["refund"], Value::Null);
    back("again").await.problem(409, "wrong_state");
    act(&operator, &order, "return/approve", &json!({})).await.want(200);
    act(&operator, &order, "return/approve", &json!({})).await.problem(409, "wrong_state");
    act(&operator, &order, "return/receive", &json!({"restock": false})).await.want(200);
    act(&operator, &order, "return/refuse", &json!({"reason": "x"})).await.problem(409, "wrong_state");
    settled(&buyer, &order, "RETURNED", 2_000).await;
    shipping("RETURNED").await;
    let live = seller.live(&offer).await.expect("an answer").want(200);
    assert_eq!((&live["sold"], &live["stock"]), (&json!(0), &json!(8)), "what is not restocked leaves the stock");
    assert_eq!(operator.admin_orders("state=RETURNED").await.expect("an answer").len(), 1);

    // One that is refused: the goods and the money stay where they are.
    let kept = buyer.buy("kept", &offer, 1).await;
    act(&operator, &kept, "ship", &parcel).await.want(200);
    act(&operator, &kept, "deliver", &json!({})).await.want(200);
    buyer.post(&format!("/orders/{kept}/return")).key("kept").json(&json!({})).want(200).await;
    let refused = act(&operator, &kept, "return/refuse", &json!({"reason": "it was worn"})).await.want(200);
    assert_eq!(refused["shipping"]["return"]["refusal"], "it was worn");
    act(&operator, &kept, "return/receive", &json!({})).await.problem(409, "wrong_state");
    settled(&buyer, &kept, "COMPLETED", 0).await;

    // Cancel with ship: either the parcel left or the money is back.
    for round in 0..8 {
        let order = buyer.buy(&format!("race{round}"), &offer, 1).await;
        let key = format!("c{round}");
        let (canceled, shipped) =
            join(cancel(&buyer, &key, &order, &json!({})), act(&operator, &order, "ship", &parcel)).await;
        let mut statuses = [canceled.status, shipped.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{canceled} {shipped}");
        let (state, refunded) = if canceled.status == 200 { ("CANCELED", 1_000) } else { ("COMPLETED", 0) };
        settled(&buyer, &order, state, refunded).await;
        if state == "COMPLETED" {
            // Makes room for the next.
            refund(&operator, &format!("r{round}"), &order, &json!({"reason": "x", "restock": true})).await.want(200);
            settled(&buyer, &order, "CANCELED", 1_000).await;
        }
    }
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_an_order_are_canceled() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let merchant = shop.account("merchant", "till@shop.test").await;
    let offer = seller.sell(&ticket("Gate"), &json!({"price": 1_000, "stock": 20})).await;
    let buyer = shop.buyers(1).remove(0);
    let some = |quantity: i64| json!({"lines": [{"offer_id": offer, "quantity": quantity}]});

    let unpaid = buyer.order("unpaid", &offer, 2).await.expect("an answer").want(201);
    let unpaid = unpaid["order_id"].as_str().expect("an id").to_owned();
    cancel(&buyer, "unpaid", &unpaid, &some(1)).await.problem(409, "wrong_state");
    cancel(&buyer, "whole", &unpaid, &json!({})).await.want(200);

    let order = buyer.buy("four", &offer, 4).await;
    delivered(&buyer, &order, 4).await;
    let foreign = "ofr_00000000000000000000000000";
    for (key, lines) in [
        ("none", json!([])),
        ("zero", json!([{"offer_id": offer, "quantity": 0}])),
        ("negative", json!([{"offer_id": offer, "quantity": -1}])),
        ("more", json!([{"offer_id": offer, "quantity": 5}])),
        ("twice", json!([{"offer_id": offer, "quantity": 1}, {"offer_id": offer, "quantity": 1}])),
        ("foreign", json!([{"offer_id": foreign, "quantity": 1}])),
    ] {
        cancel(&buyer, key, &order, &json!({"lines": lines})).await.problem(422, "invalid_body");
    }
    let first = cancel(&buyer, "first", &order, &some(1)).await.want(200);
    assert_eq!(first["refund"]["amount"], won(1_000));
    settled(&buyer, &order, "PARTIALLY_CANCELED", 1_000).await;
    assert_eq!(vouchers(&buyer, &order).await, ["ACTIVE", "ACTIVE", "ACTIVE", "CANCELED"]);
    assert_eq!(seller.live(&offer).await.expect("an answer").want(200)["sold"], 3);
    let again = cancel(&buyer, "first", &order, &some(1)).await.want(200);
    assert_eq!(again["refund"]["refund_id"], first["refund"]["refund_id"]);
    cancel(&buyer, "first", &order, &some(2)).await.problem(422, "idempotency_key_reused");

    // One is used: of the three that are left two can go back.
    let all = buyer.vouchers().await.expect("an answer");
    let usable = all.iter().find(|voucher| voucher["state"] == "ACTIVE").expect("one");
    merchant.redeem("gate", usable["code"].as_str().expect("a code"), None).await.expect("an answer").want(200);
    cancel(&buyer, "three", &order, &some(3)).await;
    until("three are refused, two go back", SOON, async || cancel(&buyer, "two", &order, &some(2)).await.status == 200)
        .await;
    settled(&buyer, &order, "PARTIALLY_CANCELED", 3_000).await;
    assert_eq!(vouchers(&buyer, &order).await, ["CANCELED", "CANCELED", "CANCELED", "USED"]);

    // After being killed everything is where it was, and the last units are the whole order.
    let last = buyer.buy("last", &offer, 3).await;
    cancel(&buyer, "l1", &last, &some(1)).await.want(200);
    shop.kill();
    shop.start_again().await;
    settled(&buyer, &last, "PARTIALLY_CANCELED", 1_000).await;
    let keys = ["a", "b", "c", "d"];
    let one = some(1);
    let answers = join_all(keys.iter().map(|key| cancel(&buyer, key, &last, &one))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2, "{answers:?}");
    settled(&buyer, &last, "CANCELED", 3_000).await;
    audited(shop).await;
}
