//! Bank transfers from end to end: account, deposit, delivery, receipt, refund; and what is lost, late or killed in
//! between. At the end of each test the audit agrees.

use firstcome_tests::{Api, SOON, Shop, Storefront as _, gift_card, ticket, until};
use serde_json::{Value, json};

/// What a unit costs.
pub(crate) const PRICE: i64 = 9_000;

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

struct Stage {
    shop: Shop,
    seller: Api,
    buyer: Api,
    offer: String,
}

/// A shop that sells so many gift cards, held for so many seconds.
async fn stage(stock: u32, hold_for_seconds: u32) -> Stage {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let terms = json!({"price": PRICE, "stock": stock, "hold_for_seconds": hold_for_seconds});
    let offer = seller.sell(&gift_card(10_000), &terms).await;
    let buyer = shop.buyers(1).remove(0);
    Stage { shop, seller, buyer, offer }
}

/// Orders one unit and asks for the account to pay it into. Returns the order's id.
pub(crate) async fn open_account(buyer: &Api, key: &str, offer: &str) -> String {
    let order = buyer.order(key, offer, 1).await.expect("an answer").want(201);
    let id = text(&order, "order_id").to_owned();
    let opened = buyer.transfer(&format!("transfer-{key}"), &id).await.expect("an answer").want(201);
    assert_eq!((&opened["state"], &opened["amount"]["amount"]), (&json!("READY"), &json!(PRICE)), "{opened}");
    let account = &opened["virtual_account"];
    assert!(text(account, "account_number").len() == 14 && account["bank"] == "88", "{opened}");
    id
}

pub(crate) async fn deposit(buyer: &Api, order: &str) {
    buyer.deposit_at_sandbox(order).await.expect("an answer").want(200);
}

/// Waits until an order is in this state.
pub(crate) async fn is(buyer: &Api, order: &str, state: &str) {
    until(format!("{order} is {state}"), SOON, async || {
        let seen = buyer.order_of(order).await.expect("an answer").want(200);
        if seen["state"] == state { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// Waits until the payment of an order is as wanted.
pub(crate) async fn payment(buyer: &Api, order: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(format!("{order}: {what}"), SOON, async || {
        let seen = buyer.payment_of(order).await.expect("an answer").want(200);
        if wanted(&seen) { Ok(seen) } else { Err(seen) }
    })
    .await
}

pub(crate) fn receipt_is(state: &str) -> impl Fn(&Value) -> bool {
    move |payment: &Value| payment["cash_receipt"]["state"] == state
}

async fn faults(api: &Api, rules: &[Value]) {
    api.sandbox_faults(rules).await.expect("an answer").want(200);
}

/// The books agree, while it runs and when it is stopped.
async fn agrees(mut shop: Shop) {
    shop.audit().ok();
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposited_delivered_and_refunded_in_parts() {
    let Stage { shop, seller, buyer, offer } = stage(5, 900).await;
    let order = open_account(&buyer, "one", &offer).await;
    let waiting = buyer.payment_of(&order).await.expect("an answer").want(200);
    assert_eq!((&waiting["state"], &waiting["method"]), (&json!("READY"), &json!("bank_transfer")), "{waiting}");
    is(&buyer, &order, "PENDING").await;
    let again = buyer.transfer("transfer-one", &order).await.expect("an answer").want(201);
    assert_eq!(again["virtual_account"], waiting["virtual_account"], "the same account for the same request");
    let other = buyer.transfer("other", &order).await.expect("an answer");
    assert_eq!((other.status, other.code()), (409, "virtual_account_issued"), "{other}");
    deposit(&buyer, &order).await;
    is(&buyer, &order, "COMPLETED").await;
    let paid = payment(&buyer, &order, "a receipt", receipt_is("ISSUED")).await;
    assert_eq!((&paid["state"], &paid["cash_receipt"]["amount"]["amount"]), (&json!("DONE"), &json!(PRICE)), "{paid}");
    assert_eq!(buyer.sandbox_receipts(&order).await, [(PRICE, PRICE)]);
    let body = json!({"amount": {"amount": 2_000, "currency": "KRW"}, "reason": "a scratch"});
    seller.post(&format!("/admin/orders/{order}/refund")).key("part").json(&body).send().await.expect("an answer");
    let lowered = payment(&buyer, &order, "a lower receipt", receipt_is("PARTIAL_CANCELED")).await;
    assert_eq!(lowered["cash_receipt"]["amount"]["amount"], PRICE - 2_000, "{lowered}");
    assert_eq!(lowered["refunds"][0]["state"], "DONE", "nobody had to be asked where the money goes: {lowered}");
    buyer.cancel("whole", &order).await.expect("an answer").want(200);
    let back = payment(&buyer, &order, "no receipt", receipt_is("CANCELED")).await;
    assert_eq!((&back["state"], &back["refunded"]["amount"]), (&json!("CANCELED"), &json!(PRICE)), "{back}");
    assert_eq!(buyer.sandbox_receipts(&order).await, [(PRICE, 0)]);
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_deposit_and_its_notice() {
    let Stage { mut shop, buyer, offer, .. } = stage(5, 900).await;
    let order = open_account(&buyer, "one", &offer).await;
    // What the provider believes outlives the kill; its notice does not.
    faults(&buyer, &[json!({"on": "webhook", "kind": "delay", "delay_ms": 60_000})]).await;
    deposit(&buyer, &order).await;
    shop.kill();
    shop.start_again().await;
    is(&buyer, &order, "COMPLETED").await;
    payment(&buyer, &order, "a receipt", receipt_is("ISSUED")).await;
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_and_lost_early_and_repeated_notices() {
    let Stage { shop, buyer, offer, .. } = stage(20, 900).await;
    for (number, rules) in [
        vec![json!({"on": "virtual_account", "kind": "answer_lost", "times": 1})],
        vec![json!({"on": "virtual_account", "kind": "error_500", "times": 1})],
        vec![json!({"on": "virtual_account", "kind": "delay", "delay_ms": 300, "times": 1})],
        vec![json!({"on": "webhook", "kind": "drop"})],
        vec![json!({"on": "webhook", "kind": "duplicate"})],
        vec![json!({"on": "webhook", "kind": "early"})],
        vec![json!({"on": "cash_receipt", "kind": "answer_lost", "times": 2})],
        vec![json!({"on": "cash_receipt", "kind": "error_500", "times": 2})],
        vec![json!({"on": "cancel", "kind": "answer_lost", "times": 1})],
    ]
    .into_iter()
    .enumerate()
    {
        faults(&buyer, &rules).await;
        let placed = buyer.order(&format!("order-{number}"), &offer, 1).await.expect("an answer").want(201);
        let order = text(&placed, "order_id");
        let asked = buyer.transfer(&format!("transfer-{number}"), order).await.expect("an answer");
        assert!(matches!(asked.status, 201 | 202), "{rules:?}: {asked}");
        let has_number = |payment: &Value| payment["virtual_account"]["account_number"].is_string();
        payment(&buyer, order, "an account", has_number).await;
        deposit(&buyer, order).await;
        is(&buyer, order, "COMPLETED").await;
        payment(&buyer, order, "a receipt", receipt_is("ISSUED")).await;
        buyer.cancel(&format!("cancel-{number}"), order).await.expect("an answer").want(200);
        payment(&buyer, order, "all is back", receipt_is("CANCELED")).await;
        assert_eq!(buyer.sandbox_receipts(order).await, [(PRICE, 0)], "{rules:?}");
    }
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_deposit_takes_units_again_if_there_are_any() {
    let Stage { shop, buyer, offer, .. } = stage(1, 3).await;
    let order = open_account(&buyer, "one", &offer).await;
    is(&buyer, &order, "EXPIRED").await;
    payment(&buyer, &order, "given up", |payment| payment["state"] == "FAIL").await;
    deposit(&buyer, &order).await;
    is(&buyer, &order, "COMPLETED").await;
    payment(&buyer, &order, "a receipt", receipt_is("ISSUED")).await;
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_deposit_goes_back_by_itself_when_there_are_none() {
    let Stage { shop, seller, buyer, offer } = stage(1, 3).await;
    let order = open_account(&buyer, "one", &offer).await;
    is(&buyer, &order, "EXPIRED").await;
    seller.adjust("none-left", &offer, -1).await.expect("an answer").want(200);
    deposit(&buyer, &order).await;
    let back = payment(&buyer, &order, "it goes back", |payment| payment["state"] == "CANCELED").await;
    let refund = &back["refunds"][0];
    assert_eq!((&refund["origin"], &refund["state"]), (&json!("undeliverable"), &json!("DONE")), "{back}");
    is(&buyer, &order, "EXPIRED").await;
    let kept: i64 = buyer
        .sandbox_payments()
        .await
        .expect("an answer")
        .iter()
        .filter_map(|paid| paid["balanceAmount"].as_i64())
        .sum();
    assert_eq!(kept, 0);
    assert!(buyer.sandbox_receipts(&order).await.is_empty(), "nothing was sold");
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_not_to_be_paid_any_more_closes_its_account() {
    let Stage { shop, buyer, offer, .. } = stage(5, 900).await;
    let canceled = open_account(&buyer, "one", &offer).await;
    buyer.cancel("cancel", &canceled).await.expect("an answer").want(200);
    let by_card = open_account(&buyer, "two", &offer).await;
    let placed = buyer.order_of(&by_card).await.expect("an answer").want(200);
    buyer.pay(&placed).await;
    for order in [&canceled, &by_card] {
        until("the account is closed", SOON, async || {
            let answer = buyer.deposit_at_sandbox(order).await.expect("an answer");
            // One that was paid in a moment too late goes back by itself.
            if answer.status == 400 { Ok(()) } else { Err(answer) }
        })
        .await;
    }
    is(&buyer, &canceled, "CANCELED").await;
    is(&buyer, &by_card, "COMPLETED").await;
    until("only the card's money is kept", SOON, async || {
        let all = buyer.sandbox_payments().await.expect("an answer");
        let charged = all.iter().filter(|paid| paid["status"] != "WAITING_FOR_DEPOSIT");
        let kept: i64 = charged.filter_map(|paid| paid["balanceAmount"].as_i64()).sum();
        if kept == PRICE { Ok(()) } else { Err(all) }
    })
    .await;
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_offers_with_a_gift_card_beside() {
    let Stage { shop, seller, buyer, offer } = stage(5, 900).await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 7_000, "stock": 50})).await;
    let other = seller.sell(&ticket("Other gate"), &json!({"price": 4_000, "stock": 50})).await;
    let bought = open_account(&buyer, "card", &offer).await;
    deposit(&buyer, &bought).await;
    let card = buyer.delivered(|voucher| voucher["order_id"] == bought.as_str()).await;
    let body = json!({"lines": [{"offer_id": gate, "quantity": 1}, {"offer_id": other, "quantity": 2}],
        "gift_card": card["code"]});
    let order = buyer.post("/orders").key("both").json(&body).want(201).await;
    let id = text(&order, "order_id");
    let opened = buyer.transfer("transfer", id).await.expect("an answer").want(201);
    assert_eq!(opened["amount"]["amount"], 5_000, "what the card leaves: {opened}");
    deposit(&buyer, id).await;
    is(&buyer, id, "COMPLETED").await;
    payment(&buyer, id, "a receipt", receipt_is("ISSUED")).await;
    assert_eq!(buyer.sandbox_receipts(id).await, [(5_000, 5_000)]);
    buyer.cancel("cancel", id).await.expect("an answer").want(200);
    payment(&buyer, id, "all is back", receipt_is("CANCELED")).await;
    agrees(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_request_must_say() {
    let Stage { shop, buyer, offer, .. } = stage(5, 900).await;
    let placed = buyer.order("one", &offer, 1).await.expect("an answer").want(201);
    let order = text(&placed, "order_id");
    let account = json!({"bank": "20", "account_number": "1002-123-456789", "holder_name": "Kim Minsu"});
    let whole = json!({"order_id": order, "bank": "88", "depositor_name": "Kim Minsu", "refund_account": account});
    let refused = async |field: &str, value: Value| {
        let mut body = whole.clone();
        match field.split_once('.') {
            Some((outer, inner)) => body[outer][inner] = value,
            None => body[field] = value,
        }
        let answer = buyer.post("/payments/virtual-accounts").key("wrong").json(&body).send().await.expect("an answer");
        assert_eq!((answer.status, answer.code()), (422, "invalid_body"), "{field}: {answer}");
    };
    for (field, value) in [
        ("bank", json!("Shinhan")),
        ("depositor_name", json!(" ")),
        ("refund_account", Value::Null),
        ("refund_account.bank", json!("00")),
        ("refund_account.account_number", json!("12")),
        ("refund_account.holder_name", json!("")),
        ("cash_receipt", json!({"type": "income", "number": "010-1234-5678"})),
        ("cash_receipt", json!({"type": "deduction", "number": "900101-1234567"})),
        ("cash_receipt", json!({"type": "expenditure", "number": "010-1234-5678"})),
        ("surprise", json!(1)),
    ] {
        refused(field, value).await;
    }
    let unkeyed = buyer.post("/payments/virtual-accounts").json(&whole).send().await.expect("an answer");
    assert_eq!((unkeyed.status, unkeyed.code()), (400, "idempotency_key_missing"), "{unkeyed}");
    let stranger = shop.buyers(1).remove(0).transfer("theirs", order).await.expect("an answer");
    assert_eq!((stranger.status, stranger.code()), (404, "not_found"), "{stranger}");
    buyer.transfer("mine", order).await.expect("an answer").want(201);
    let other = buyer.post("/payments/virtual-accounts").key("mine").json(&whole).send().await.expect("an answer");
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"), "{other}");
    agrees(shop).await;
}
