//! The cart of a person, across devices, checkouts and crashes; and the conditions of offers.

use std::collections::BTreeSet;
use std::time::Duration;

use firstcome_tests::{Answer, Api, PASSWORD, SOON, Shop, Storefront as _, ticket, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

async fn put(api: &Api, offer: &str, quantity: u32) -> Answer {
    let path = format!("/me/cart/items/{offer}");
    api.put(&path).json(&json!({"quantity": quantity})).send().await.expect("an answer")
}

async fn cart(api: &Api) -> Value {
    api.get("/me/cart").want(200).await
}

async fn check_out(api: &Api, key: &str) -> Answer {
    api.post("/me/cart/checkout").key(key).json(&json!({})).send().await.expect("an answer")
}

fn quantities(cart: &Value) -> Vec<u64> {
    cart["items"].as_array().expect("items").iter().filter_map(|item| item["quantity"].as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_cart_on_every_device() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let one = seller.sell(&ticket("One"), &json!({"price": 1_000, "stock": 5})).await;
    let two = seller.sell(&ticket("Two"), &json!({"price": 300, "stock": 2})).await;
    let desk = shop.account("buyer", "two-devices@shop.test").await;
    let phone = desk.log_in("two-devices@shop.test", PASSWORD).await;
    let empty = cart(&desk).await;
    assert_eq!((&empty["items"], &empty["amount"]), (&json!([]), &json!(null)));
    check_out(&desk, "empty").await.problem(409, "wrong_state");

    put(&desk, &one, 2).await.want(200);
    put(&phone, &two, 1).await.want(200);
    let seen = put(&desk, &one, 1).await.want(200);
    assert_eq!(seen, cart(&phone).await);
    assert_eq!((quantities(&seen), &seen["amount"]["amount"]), (vec![1, 1], &json!(1_300)));
    assert_eq!(seen["items"][1]["available"], 2, "nothing in a cart is held");
    // What is wrong with a line is said before the checkout.
    let wrong = put(&phone, &two, 3).await.want(200);
    assert_eq!(wrong["items"][1]["problem"]["code"], "sold_out", "{wrong}");
    assert_eq!(wrong["items"][0]["problem"], json!(null));
    assert_eq!(check_out(&desk, "too-many").await.problem(409, "sold_out")["offer_id"], two.as_str());
    assert_eq!(quantities(&cart(&desk).await), [1, 3], "a refusal leaves the cart");
    put(&phone, "ofr_00000000000000000000000000", 1).await.problem(404, "unknown_offer");
    put(&phone, "nonsense", 1).await.problem(404, "unknown_offer");
    put(&phone, &two, 0).await.problem(422, "invalid_body");

    // The refused key is decided anew, for what is in the cart now.
    put(&phone, &two, 2).await.want(200);
    let order = check_out(&desk, "too-many").await.want(201);
    assert_eq!(order["amount"]["amount"], 1_600, "{order}");
    assert_eq!(quantities(&cart(&phone).await), [0; 0], "emptied of what was ordered");
    put(&phone, &one, 4).await.want(200);
    for _ in 0..2 {
        assert_eq!(check_out(&desk, "too-many").await.want(201)["order_id"], order["order_id"]);
        assert_eq!(quantities(&cart(&phone).await), [4], "a repeat takes nothing more out");
        shop.kill();
        shop.start_again().await;
    }
    let path = format!("/me/cart/items/{one}");
    for _ in 0..2 {
        assert_eq!(desk.delete(&path).send().await.expect("an answer").status, 204);
    }
    assert_eq!(quantities(&cart(&desk).await), [0; 0]);
    let other = &shop.buyers(1)[0];
    assert_eq!(quantities(&cart(other).await), [0; 0], "everybody has their own");
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_hurry() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let mut offers = Vec::new();
    for number in 0..4 {
        offers.push(seller.sell(&ticket(&format!("Gate {number}")), &json!({"stock": 50})).await);
    }
    let buyer = shop.buyers(1).remove(0);
    // Every change is kept, also when devices change the cart at the same moment.
    let changes = offers.iter().map(|offer| put(&buyer, offer, 1));
    join_all(changes).await.into_iter().for_each(|answer| drop(answer.want(200)));
    assert_eq!(quantities(&cart(&buyer).await), [1; 4]);
    let answers = join_all((0..8).map(|_| check_out(&buyer, "twin"))).await;
    let orders: BTreeSet<String> = answers.into_iter().map(|answer| answer.want(201)["order_id"].to_string()).collect();
    assert_eq!(orders.len(), 1, "twins are one order");
    for offer in &offers {
        assert_eq!(seller.live(offer).await.expect("an answer").want(200)["held"], 1);
    }
    assert_eq!(quantities(&cart(&buyer).await), [0; 0]);
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_checkout() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let one = seller.sell(&ticket("One"), &json!({"price": 100, "stock": 500})).await;
    let two = seller.sell(&ticket("Two"), &json!({"price": 100, "stock": 500})).await;
    let buyers = shop.buyers(10);
    for round in 0..10_u64 {
        for buyer in &buyers {
            put(buyer, &one, 1).await.want(200);
            put(buyer, &two, 2).await.want(200);
        }
        let key = format!("round-{round}");
        let sent = buyers.iter().map(|buyer| {
            let (buyer, key) = (buyer.clone(), key.clone());
            tokio::spawn(async move { drop(buyer.post("/me/cart/checkout").key(&key).json(&json!({})).send().await) })
        });
        let sent: Vec<_> = sent.collect();
        tokio::time::sleep(Duration::from_millis(round * 4)).await;
        shop.kill();
        join_all(sent).await;
        shop.start_again().await;
        for buyer in &buyers {
            // Either it was ordered, and has left the cart, or the cart is as it was.
            let left = quantities(&cart(buyer).await);
            let orders = buyer.orders().await.expect("an answer").len() as u64;
            assert!(left == [1, 2] || left.is_empty(), "{left:?}");
            check_out(buyer, &key).await.want(201);
            assert_eq!(quantities(&cart(buyer).await), [0; 0]);
            assert!(orders == round || left.is_empty(), "ordered, and in the cart still");
        }
    }
    let held = async |offer: &str| seller.live(offer).await.expect("an answer").want(200)["held"].clone();
    until("each checkout holds its units once, and nothing else does", SOON, async || {
        let seen = (held(&one).await, held(&two).await);
        if seen == (json!(100), json!(200)) { Ok(()) } else { Err(seen) }
    })
    .await;
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_of_offers() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let first = seller.create_product(&ticket("First")).await;
    let free = json!({"amount": 0, "currency": "KRW"});
    let opener = seller.create_offer(&json!({"product_id": first, "price": free, "stock": 5})).await;
    let owners = json!([{"owns_product": first}, {"email_verified": true}]);
    let members = seller.sell(&ticket("Members"), &json!({"stock": 5, "conditions": owners})).await;
    let old = json!([{"account_older_than_days": 7}]);
    let elders = seller.sell(&ticket("Elders"), &json!({"stock": 5, "conditions": old})).await;
    let shown = shop.api().get(&format!("/offers/{members}")).want(200).await;
    assert_eq!(shown["conditions"], owners, "explained in advance");
    for wrong in [
        json!([{"email_verified": false}]),
        json!([{"account_older_than_days": 0}]),
        json!([{"owns_product": "prd_00000000000000000000000000"}]),
        json!([{"rich": true}]),
        json!([{}]),
        json!("none"),
    ] {
        let body = json!({"product_id": first, "price": free, "stock": 5, "conditions": wrong});
        seller.post("/admin/offers").json(&body).send().await.expect("an answer").problem(422, "invalid_body");
    }

    let buyer = &shop.buyers(1)[0];
    let refused = buyer.order("young", &elders, 1).await.expect("an answer").problem(403, "not_eligible");
    assert_eq!(refused["condition"], old[0], "{refused}");
    let refused = buyer.order("owner", &members, 1).await.expect("an answer").problem(403, "not_eligible");
    assert_eq!((&refused["condition"], &refused["offer_id"]), (&owners[0], &json!(members)), "{refused}");
    let lines = json!({"lines": [{"offer_id": opener, "quantity": 1}, {"offer_id": members, "quantity": 1}]});
    let several = buyer.post("/orders").key("several").json(&lines).send().await.expect("an answer");
    assert_eq!(several.problem(403, "not_eligible")["offer_id"], members.as_str());
    let seen = put(buyer, &members, 1).await.want(200);
    assert_eq!(seen["items"][0]["problem"]["code"], "not_eligible", "{seen}");
    assert_eq!(seller.live(&opener).await.expect("an answer").want(200)["sold"], 0, "nothing was granted");

    // Whoever has the product may, in the same moment; and keeps the order when the condition is met no more.
    buyer.order("first", &opener, 1).await.expect("an answer").want(201);
    let order = buyer.order("owner", &members, 1).await.expect("an answer").want(201);
    seller.patch(&format!("/admin/offers/{members}")).json(&json!({"conditions": old})).want(200).await;
    until("the new condition is known", SOON, async || cart(buyer).await["items"][0]["problem"]["condition"] == old[0])
        .await;
    assert_eq!(buyer.order("owner", &members, 1).await.expect("an answer").want(201)["order_id"], order["order_id"]);
    buyer.order("another", &members, 1).await.expect("an answer").problem(403, "not_eligible");
    seller.patch(&format!("/admin/offers/{members}")).json(&json!({"conditions": []})).want(200).await;
    shop.audit().ok();
}
