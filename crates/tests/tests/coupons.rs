//! A coupon from its campaign to its use: once, whoever is first.

use std::time::Duration;

use firstcome_tests::{Answer, Api, Shop, Storefront as _, ticket};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn coupon() -> Value {
    json!({"kind": "coupon", "name": "A tenth off", "discount": {"percent": 10, "max_amount": 5_000},
        "minimum_amount": 1_000})
}

async fn order(api: &Api, key: &str, offer: &str, coupon: &str) -> Answer {
    let body = json!({"offer_id": offer, "quantity": 1, "coupon": coupon});
    api.post("/orders").key(key).json(&body).send().await.expect("an answer")
}

/// The code of a coupon that the buyer takes from the campaign.
async fn taken(api: &Api, key: &str, campaign: &str) -> String {
    let order = api.order(key, campaign, 1).await.expect("an answer").want(201);
    api.delivered(|voucher| voucher["order_id"] == order["order_id"]).await["code"].as_str().expect("a code").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_once_wherever() {
    let mut shop = Shop::start().await;
    let (seller, till) = (shop.seller().await, shop.merchant().await);
    let campaign = seller.sell(&coupon(), &json!({"price": 0, "stock": 10})).await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 9_999, "stock": 50})).await;
    let buyers = shop.buyers(2);
    let (buyer, other) = (&buyers[0], &buyers[1]);
    let (paid, tilled, returned) = (
        taken(buyer, "first", &campaign).await,
        taken(buyer, "second", &campaign).await,
        taken(buyer, "third", &campaign).await,
    );
    let used = |problem: Value| assert_eq!(problem["reason"], "used", "{problem}");

    // Many checkouts at once with one coupon: one of them has it.
    let answers =
        join_all((0..12).map(async |number| order(buyer, &format!("race-{number}"), &gate, &paid).await)).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(placed.len(), 1);
    refused.into_iter().for_each(|answer| used(answer.problem(422, "coupon_not_applicable")));
    let first = &placed[0].json;
    assert_eq!((&first["amount"], &first["discount"]), (&won(9_000), &won(999)), "{first}");
    assert_eq!(seller.live(&gate).await.expect("an answer").want(200)["held"], 1, "who was refused holds nothing");
    till.redeem("reserved", &paid, None).await.expect("an answer").problem(409, "already_used");
    let theirs = order(other, "theirs", &gate, &paid).await.problem(422, "coupon_not_applicable");
    assert_eq!(theirs["reason"], "unknown");

    // Given back by a cancel, reserved again, and used when it is paid.
    buyer.cancel("back", first["order_id"].as_str().expect("an id")).await.expect("an answer").want(200);
    let again = order(buyer, "again", &gate, &paid).await.want(201);
    buyer.pay(&again).await;
    let is = |code: &str, state: &'static str| {
        let code = code.to_owned();
        move |voucher: &Value| voucher["code"] == code.as_str() && voucher["state"] == state
    };
    buyer.delivered(is(&paid, "USED")).await;
    till.redeem("late", &paid, None).await.expect("an answer").problem(409, "already_used");

    // Used at a till: no checkout has it any more. The same redemption again is the same.
    for _ in 0..2 {
        assert_eq!(till.redeem("till", &tilled, None).await.expect("an answer").want(200)["remaining"], 0);
    }
    till.redeem("till", &returned, None).await.expect("an answer").problem(422, "idempotency_key_reused");
    used(order(buyer, "tilled", &gate, &tilled).await.problem(422, "coupon_not_applicable"));

    // Taken back with the order that it was bought by: not while an order has reserved it.
    let reserved = order(buyer, "reserving", &gate, &returned).await.want(201);
    let of_returned = buyer.delivered(is(&returned, "ACTIVE")).await["order_id"].as_str().expect("an id").to_owned();
    buyer.cancel("unbuy", &of_returned).await.expect("an answer").want(200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    buyer.delivered(is(&returned, "ACTIVE")).await;
    buyer.cancel("free", reserved["order_id"].as_str().expect("an id")).await.expect("an answer").want(200);

    shop.kill();
    shop.start_again().await;
    used(order(buyer, "after", &gate, &paid).await.problem(422, "coupon_not_applicable"));
    assert_eq!(order(buyer, "again", &gate, &paid).await.want(201)["order_id"], again["order_id"]);
    // In a checkout, with what it asks for.
    let cheap = seller.sell(&ticket("Cheap"), &json!({"price": 999, "stock": 5})).await;
    let path = format!("/me/cart/items/{cheap}");
    buyer.put(&path).json(&json!({"quantity": 1})).want(200).await;
    let check_out = |key: &'static str| buyer.post("/me/cart/checkout").key(key).json(&json!({"coupon": returned}));
    let refused = check_out("cart").send().await.expect("an answer").problem(422, "coupon_not_applicable");
    assert_eq!((&refused["reason"], &refused["minimum_amount"]), (&json!("below_minimum"), &json!(1_000)));
    buyer.put(&path).json(&json!({"quantity": 2})).want(200).await;
    let bought = check_out("cart").send().await.expect("an answer").want(201);
    assert_eq!((&bought["amount"], &bought["lines"][0]["discount"]), (&won(1_799), &won(199)), "{bought}");
    // Its owner's again when the whole order is canceled, once.
    buyer.cancel("whole", again["order_id"].as_str().expect("an id")).await.expect("an answer").want(200);
    buyer.delivered(is(&paid, "ACTIVE")).await;
    let fresh = order(buyer, "fresh", &gate, &paid).await.want(201);
    assert_eq!(fresh["discount"], won(999));
    used(order(buyer, "greedy", &gate, &paid).await.problem(422, "coupon_not_applicable"));
    shop.stop().await;
    shop.audit().ok();
}
