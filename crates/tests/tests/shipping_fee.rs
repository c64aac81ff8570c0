//! What sending goods costs: in the cart and on the order, frozen there, and what refunds do with it.

use firstcome_tests::{Api, SOON, Shop, ShopOptions, Storefront as _, ticket, until};
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

async fn shop() -> Shop {
    let environment = [("FIRSTCOME_SHOP_SHIPPING_FEE", "3000"), ("FIRSTCOME_SHOP_FREE_SHIPPING_FROM", "20000")];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await
}

/// Sells lamps for 9,000.
async fn lamps(seller: &Api) -> String {
    seller.sell(&json!({"kind": "goods", "name": "Lamp"}), &json!({"stock": 50, "price": won(9_000)})).await
}

/// What goes back for a cancel.
async fn cancel(buyer: &Api, key: &str, order: &str, body: &Value) -> Value {
    buyer.post(&format!("/orders/{order}/cancel")).key(key).json(body).want(200).await["refund"]["amount"].clone()
}

async fn settled(buyer: &Api, order: &str, count: usize) {
    until("the money is back", SOON, async || {
        let payment = buyer.payment_of(order).await.expect("an answer").want(200);
        let refunds = payment["refunds"].as_array().expect("refunds");
        refunds.len() == count && refunds.iter().all(|refund| refund["state"] == "DONE")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_few_goods_costs_its_sending_once() {
    let mut shop = shop().await;
    let seller = shop.seller().await;
    let (lamp, gate) = (lamps(&seller).await, ticket("Gate"));
    let gate = seller.sell(&gate, &json!({"stock": 50, "price": won(1_000)})).await;
    let buyer = shop.buyers(1).remove(0);
    for (offer, quantity) in [(&lamp, 2), (&gate, 1)] {
        buyer.put(&format!("/me/cart/items/{offer}")).json(&json!({"quantity": quantity})).want(200).await;
    }
    let cart = buyer.get("/me/cart").want(200).await;
    assert_eq!((&cart["amount"], &cart["shipping_fee"]), (&won(22_000), &won(3_000)));
    let order = buyer.post("/me/cart/checkout").key("cart").json(&json!({})).want(201).await;
    assert_eq!((&order["amount"], &order["shipping_fee"]), (&won(22_000), &won(3_000)));
    assert_eq!(order["tax"], json!({"supplied": won(20_000), "vat": won(2_000), "tax_free": won(0)}));
    let id = order["order_id"].as_str().expect("an id").to_owned();

    // It stays what it was when the shop asks for more.
    shop.stop().await;
    shop.options.environment[0].1 = "4000".into();
    shop.start_again().await;
    let buyer = shop.api().with_token(buyer.token().expect("a token"));
    buyer.pay(&order).await;
    let lines = |offer: &str| json!({"lines": [{"offer_id": offer, "quantity": 1}]});
    assert_eq!(cancel(&buyer, "lamp", &id, &lines(&lamp)).await, won(9_000), "a lamp is still to be sent");
    assert_eq!(cancel(&buyer, "last", &id, &lines(&lamp)).await, won(12_000), "nothing is to be sent any more");
    assert_eq!(cancel(&buyer, "gate", &id, &json!({})).await, won(1_000));
    settled(&buyer, &id, 3).await;
    let receipt = buyer.get(&format!("/orders/{id}/receipt")).want(200).await;
    assert_eq!(receipt["balance_tax"], json!({"supplied": won(0), "vat": won(0), "tax_free": won(0)}));

    let free = buyer.order("many", &lamp, 3).await.expect("an answer").want(201);
    assert_eq!((&free["amount"], &free["shipping_fee"]), (&won(27_000), &Value::Null));
    buyer.pay(&free).await;
    let id = free["order_id"].as_str().expect("an id");
    let two = json!({"lines": [{"offer_id": lamp, "quantity": 2}]});
    assert_eq!(cancel(&buyer, "two", id, &two).await, won(18_000), "nothing is asked for afterwards");
    settled(&buyer, id, 1).await;
    let none = buyer.order("gate", &gate, 1).await.expect("an answer").want(201);
    assert_eq!(none["shipping_fee"], Value::Null);
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_that_are_sent_back_were_sent() {
    let shop = shop().await;
    let seller = shop.seller().await;
    let lamp = lamps(&seller).await;
    let buyer = shop.buyers(1).remove(0);
    let order = buyer.buy("one", &lamp, 1).await;
    for (step, body) in [("ship", json!({"carrier": "CJ Logistics", "tracking": "1"})), ("deliver", json!({}))] {
        seller.post(&format!("/admin/orders/{order}/{step}")).json(&body).want(200).await;
    }
    buyer.post(&format!("/orders/{order}/return")).key("return").json(&json!({})).want(200).await;
    seller.post(&format!("/admin/orders/{order}/return/receive")).json(&json!({})).want(200).await;
    settled(&buyer, &order, 1).await;
    let payment = buyer.payment_of(&order).await.expect("an answer").want(200);
    assert_eq!((&payment["amount"], &payment["refunded"]), (&won(12_000), &won(9_000)));
    // Broken when it came: the shop sends that back too.
    let body = json!({"reason": "it was broken"});
    seller.post(&format!("/admin/orders/{order}/refund")).key("broken").json(&body).want(200).await;
    settled(&buyer, &order, 2).await;
    let receipt = buyer.get(&format!("/orders/{order}/receipt")).want(200).await;
    assert_eq!(receipt["balance"], won(0));
    shop.audit().ok();
}
