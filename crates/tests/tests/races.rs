//! Two that want opposite things at the same moment: one of them has it, and at the end of each test the audit agrees.

use firstcome_tests::{Answer, Api, SOON, Shop, Storefront as _, ticket, until};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

async fn cancel(buyer: &Api, key: &str, order: &str, body: &Value) -> Answer {
    buyer.post(&format!("/orders/{order}/cancel")).key(key).json(body).send().await.expect("an answer")
}

/// Waits until an order is in one of these states; returns it.
async fn becomes(buyer: &Api, order: &str, states: &[&str]) -> Value {
    until(format!("{order} becomes one of {states:?}"), SOON, async || {
        let view = buyer.order_of(order).await.expect("an answer").want(200);
        if states.iter().any(|state| view["state"] == *state) { Ok(view) } else { Err(view) }
    })
    .await
}

async fn audited(mut shop: Shop) {
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_gates_that_scan_a_ticket_at_once_one_lets_in() {
    let shop = Shop::start().await;
    let (seller, buyer) = (shop.seller().await, shop.buyers(1).remove(0));
    let gates = [shop.account("merchant", "east@shop.test").await, shop.account("merchant", "west@shop.test").await];
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 0, "stock": 50})).await;
    for round in 0..12 {
        let order = buyer.order(&format!("k{round}"), &gate, 1).await.expect("an answer").want(201);
        let code = text(&buyer.delivered(|voucher| voucher["order_id"] == order["order_id"]).await["code"]);
        let scans = (0..8).map(async |scan: usize| {
            gates[scan % 2].redeem(&format!("r{round}-{scan}"), &code, None).await.expect("an answer")
        });
        let (let_in, refused): (Vec<_>, Vec<_>) =
            join_all(scans).await.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(let_in.len(), 1, "{let_in:?}");
        refused.into_iter().for_each(|answer| drop(answer.problem(409, "already_used")));
        let history = buyer.voucher_history(&code).await.expect("an answer").want(200);
        let used =
            history["items"].as_array().expect("a list").iter().filter(|item| item["kind"] == "redeemed").count();
        assert_eq!(used, 1, "{history}");
    }
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_canceled_while_it_is_paid_is_one_or_the_other() {
    let shop = Shop::start().await;
    let (seller, buyer) = (shop.seller().await, shop.buyers(1).remove(0));
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 1_000, "stock": 50})).await;
    for round in 0..12 {
        let order = buyer.order(&format!("k{round}"), &gate, 1).await.expect("an answer").want(201);
        let id = text(&order["order_id"]);
        let paid = buyer.pay_at_sandbox(&id, 1_000).await.expect("an answer").json;
        let (key, payment) = (format!("p{round}"), text(&paid["paymentKey"]));
        let (canceled, confirmed) = join(
            cancel(&buyer, &format!("c{round}"), &id, &json!({})),
            buyer.confirm(&key, &id, &payment, &won(1_000)),
        )
        .await;
        let confirmed = confirmed.expect("an answer");
        match (canceled.status, confirmed.status) {
            // Taken back before or after it was paid.
            (200, _) => drop(becomes(&buyer, &id, &["CANCELED"]).await),
            (409, 200) => drop(becomes(&buyer, &id, &["COMPLETED"]).await),
            other => panic!("{other:?}: {canceled} {confirmed}"),
        }
    }
    until("the provider keeps money for what is sold alone", SOON, async || {
        let kept: i64 = shop
            .api()
            .sandbox_payments()
            .await
            .expect("an answer")
            .iter()
            .filter(|payment| payment["status"] == "DONE")
            .map(|payment| payment["balanceAmount"].as_i64().expect("a number"))
            .sum();
        let live = seller.live(&gate).await.expect("an answer").want(200);
        if kept == live["sold"].as_i64().expect("a number") * 1_000 { Ok(()) } else { Err((kept, live)) }
    })
    .await;
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_that_two_cancels_want_go_back_once() {
    let shop = Shop::start().await;
    let (seller, buyer) = (shop.seller().await, shop.buyers(1).remove(0));
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 999, "stock": 50})).await;
    let show = seller.sell(&ticket("Show"), &json!({"price": 501, "stock": 50})).await;
    let body = json!({"lines": [{"offer_id": gate, "quantity": 2}, {"offer_id": show, "quantity": 1}]});
    for round in 0..6 {
        let order = buyer.post("/orders").key(&format!("k{round}")).json(&body).want(201).await;
        let id = text(&order["order_id"]);
        buyer.pay(&order).await;
        // Both units of one line, one of them, and the other line, all at once.
        let part = |offer: &str, quantity: u32| json!({"lines": [{"offer_id": offer, "quantity": quantity}]});
        let wanted = [part(&gate, 2), part(&gate, 1), part(&show, 1)];
        let keys: Vec<String> = (0..3).map(|number| format!("c{round}-{number}")).collect();
        let answers = join_all(wanted.iter().zip(&keys).map(|(body, key)| cancel(&buyer, key, &id, body))).await;
        let gates = [answers[0].status, answers[1].status];
        assert!(gates == [200, 422] || gates == [422, 200], "{answers:?}");
        assert_eq!(answers[2].status, 200, "{}", answers[2]);
        let all = gates[0] == 200;
        let back = if all { 2_499 } else { 1_500 };
        until(format!("{back} are back"), SOON, async || {
            let payment = buyer.payment_of(&id).await.expect("an answer").want(200);
            if payment["refunded"] == won(back) { Ok(()) } else { Err(payment) }
        })
        .await;
        let view = becomes(&buyer, &id, &[if all { "CANCELED" } else { "PARTIALLY_CANCELED" }]).await;
        if !all {
            cancel(&buyer, &format!("rest{round}"), &id, &json!({})).await.want(200);
            becomes(&buyer, &id, &["CANCELED"]).await;
        }
        assert_eq!(view["amount"], won(2_499));
    }
    until("nothing is sold", SOON, async || {
        let sold =
            [&gate, &show].map(async |offer| seller.live(offer).await.expect("an answer").want(200)["sold"].clone());
        let sold = join_all(sold).await;
        if sold == [json!(0), json!(0)] { Ok(()) } else { Err(sold) }
    })
    .await;
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_while_the_price_changes_has_one_price() {
    let shop = Shop::start().await;
    let (seller, buyer) = (shop.seller().await, shop.buyers(1).remove(0));
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 1_000, "stock": 500})).await;
    let show = seller.sell(&ticket("Show"), &json!({"price": 500, "stock": 500})).await;
    for round in 0..12 {
        for (offer, quantity) in [(&gate, 2), (&show, 1)] {
            buyer.put(&format!("/me/cart/items/{offer}")).json(&json!({"quantity": quantity})).want(200).await;
        }
        let price = if round % 2 == 0 { 2_000 } else { 1_000 };
        let path = format!("/admin/offers/{gate}");
        let body = json!({"price": won(price)});
        let key = format!("k{round}");
        let (changed, placed) = join(
            seller.patch(&path).json(&body).send(),
            buyer.post("/me/cart/checkout").key(&key).json(&json!({})).send(),
        )
        .await;
        // Held units keep the price that their buyers were promised, so the change may be refused; the order never is mixed.
        let (changed, placed) = (changed.expect("an answer"), placed.expect("an answer").want(201));
        assert!([200, 409].contains(&changed.status), "{changed}");
        let lines = placed["lines"].as_array().expect("lines");
        let sum: i64 = lines
            .iter()
            .map(|line| {
                line["unit_price"]["amount"].as_i64().expect("a price") * line["quantity"].as_i64().expect("units")
            })
            .sum();
        assert_eq!(placed["amount"], won(sum), "{placed}");
        let of_gate = lines.iter().find(|line| line["offer_id"] == gate.as_str()).expect("a line");
        assert!([won(1_000), won(2_000)].contains(&of_gate["unit_price"]), "{placed}");
        let id = text(&placed["order_id"]);
        if round % 3 == 0 {
            buyer.pay(&placed).await;
            becomes(&buyer, &id, &["COMPLETED"]).await;
        } else {
            buyer.cancel(&format!("no{round}"), &id).await.expect("an answer").want(200);
        }
    }
    audited(shop).await;
}
