//! What is done at the provider without the shop: parts that go back, disputes; and what a buyer is shown of refunds.

use firstcome_tests::{Api, SOON, Shop, Storefront as _, gift_card, until};
use hyper::Method;
use serde_json::{Value, json};

const PRICE: i64 = 38_000;

struct Bought {
    order: String,
    charge: String,
    code: String,
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

async fn buy(buyer: &Api, key: &str, offer: &str) -> Bought {
    let order = buyer.buy(key, offer, 1).await;
    let code = text(&buyer.delivered(|voucher| voucher["order_id"] == order.as_str()).await, "code");
    let payment = buyer.payment_of(&order).await.expect("an answer").want(200);
    let charge = text(&payment["attempts"][0], "payment_key");
    Bought { order, charge, code }
}

/// Someone cancels in the provider's console.
async fn cancel_in_console(api: &Api, charge: &str, amount: i64) {
    let path = format!("/sandbox/toss/v1/payments/{charge}/cancel");
    let body = json!({"cancelReason": "in the console", "cancelAmount": amount});
    let anyone = api.anonymous();
    // test_sk_firstcome_sandbox and an empty password.
    let call = anyone.call(Method::POST, &path).header("authorization", "Basic dGVzdF9za19maXJzdGNvbWVfc2FuZGJveDo=");
    call.json(&body).send().await.expect("an answer").want(200);
}

async fn went_back(buyer: &Api, order: &str) -> i64 {
    let payment = buyer.payment_of(order).await.expect("an answer").want(200);
    payment["refunded"]["amount"].as_i64().expect("an amount")
}

async fn states(buyer: &Api, bought: &Bought) -> (String, String) {
    let order = buyer.order_of(&bought.order).await.expect("an answer").want(200);
    let voucher = buyer.voucher(&bought.code).await.expect("an answer").want(200);
    (text(&order, "state"), text(&voucher, "state"))
}

async fn is(buyer: &Api, bought: &Bought, order: &str, voucher: &str) -> bool {
    states(buyer, bought).await == (order.to_owned(), voucher.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_leave_the_delivery_and_the_whole_takes_it_back() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(10_000), &json!({"price": PRICE, "stock": 5})).await;
    let buyer = &shop.buyers(1)[0];
    let bought = buy(buyer, "parts", &offer).await;
    for (amount, so_far) in [(1_000, 1_000), (2_000, 3_000)] {
        cancel_in_console(buyer, &bought.charge, amount).await;
        until("a part is booked", SOON, async || went_back(buyer, &bought.order).await == so_far).await;
        assert_eq!(states(buyer, &bought).await, ("COMPLETED".to_owned(), "ACTIVE".to_owned()));
    }
    let payment = buyer.payment_of(&bought.order).await.expect("an answer").want(200);
    assert_eq!(payment["state"], "PARTIAL_CANCELED");
    assert_eq!(seller.live(&offer).await.expect("an answer").want(200)["sold"], 1);
    shop.audit().ok();

    cancel_in_console(buyer, &bought.charge, PRICE - 3_000).await;
    until("all is back", SOON, async || is(buyer, &bought, "CANCELED", "CANCELED").await).await;
    assert_eq!(seller.live(&offer).await.expect("an answer").want(200)["available"], 5);
    assert!(!shop.log().contains("dead letter"), "every event was taken");
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_refund_is_shown_and_a_dispute_after_it_is_taken() {
    let shop = Shop::start().await;
    let (seller, merchant) = (shop.seller().await, shop.merchant().await);
    let offer = seller.sell(&gift_card(10_000), &json!({"price": PRICE, "stock": 5})).await;
    let buyer = &shop.buyers(1)[0];
    let bought = buy(buyer, "used", &offer).await;
    merchant.redeem("r", &bought.code, Some(4_000)).await.expect("an answer").want(200);
    buyer.cancel("c", &bought.order).await.expect("an answer").want(200);
    let shown = async || {
        let payment = buyer.payment_of(&bought.order).await.expect("an answer").want(200);
        payment["refunds"].as_array().expect("a list").clone()
    };
    until("the refusal is shown", SOON, async || shown().await.iter().any(|refund| refund["state"] == "REFUSED")).await;
    assert_eq!(shown().await[0]["amount"], won(PRICE));
    assert_eq!(states(buyer, &bought).await, ("COMPLETED".to_owned(), "USING".to_owned()));
    shop.audit().ok();

    cancel_in_console(buyer, &bought.charge, 1_000).await;
    until("a part is booked", SOON, async || went_back(buyer, &bought.order).await == 1_000).await;
    assert_eq!(states(buyer, &bought).await, ("COMPLETED".to_owned(), "USING".to_owned()));
    cancel_in_console(buyer, &bought.charge, PRICE - 1_000).await;
    until("all is back", SOON, async || is(buyer, &bought, "CANCELED", "CANCELED").await).await;
    assert_eq!(seller.live(&offer).await.expect("an answer").want(200)["available"], 5);
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_buyer_cancels_what_went_back_in_part() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(10_000), &json!({"price": PRICE, "stock": 5})).await;
    let buyer = &shop.buyers(1)[0];
    let bought = buy(buyer, "rest", &offer).await;
    cancel_in_console(buyer, &bought.charge, 1_000).await;
    until("a part is booked", SOON, async || went_back(buyer, &bought.order).await == 1_000).await;
    let heard = "select count(*) from parts_back";
    until("the order has heard", SOON, async || number(&shop, heard) == 1).await;
    let canceled = buyer.cancel("c", &bought.order).await.expect("an answer").want(200);
    assert_eq!(canceled["refund"]["amount"], won(PRICE - 1_000), "{canceled}");
    until("the rest is back", SOON, async || went_back(buyer, &bought.order).await == PRICE).await;
    until("it is over", SOON, async || is(buyer, &bought, "CANCELED", "CANCELED").await).await;
    let again = buyer.cancel("c", &bought.order).await.expect("an answer").want(200);
    assert_eq!(again["refund"]["amount"], won(PRICE - 1_000), "{again}");
    assert_eq!(number(&shop, "select amount from refunds"), PRICE - 1_000);
    shop.audit().ok();
}

/// What the books of the orders role say.
fn number(shop: &Shop, query: &str) -> i64 {
    let path = shop.data().join("orders.db");
    let books = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    books.expect("a database").query_row(query, [], |row| row.get(0)).expect("a number")
}
