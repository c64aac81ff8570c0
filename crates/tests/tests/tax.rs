//! VAT of a running shop: on orders and receipts, told to the provider, exact over parts that go back, in the books.

use std::fs;

use firstcome_tests::{Api, SOON, Shop, ShopOptions, Storefront as _, gift_card, until};
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn tax(supplied: i64, vat: i64, tax_free: i64) -> Value {
    json!({"supplied": won(supplied), "vat": won(vat), "tax_free": won(tax_free)})
}

/// Pays an order as a shop's page does, which tells the provider what of it is free of VAT.
async fn pay(buyer: &Api, order: &Value) {
    let id = order["order_id"].as_str().expect("an id");
    let (amount, free) = (&order["amount"]["amount"], &order["tax"]["tax_free"]["amount"]);
    let body = json!({"orderId": id, "amount": amount, "taxFreeAmount": free});
    let paid =
        buyer.anonymous().call(hyper::Method::POST, "/sandbox/toss/v1/test/payments").json(&body).want(200).await;
    let key = paid["paymentKey"].as_str().expect("a key");
    buyer.confirm(&format!("pay-{id}"), id, key, &order["amount"]).await.expect("an answer").want(200);
}

async fn receipt(buyer: &Api, order: &str) -> Value {
    buyer.get(&format!("/orders/{order}/receipt")).want(200).await
}

async fn refunded(buyer: &Api, order: &str, count: usize) {
    until("the money is back", SOON, async || {
        let payment = buyer.payment_of(order).await.expect("an answer").want(200);
        let refunds = payment["refunds"].as_array().expect("refunds");
        refunds.len() == count && refunds.iter().all(|refund| refund["state"] == "DONE")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_part_of_an_order_says_its_tax_and_together_they_are_the_whole() {
    let environment = [("FIRSTCOME_SHOP_NAME", "Lamp & Book"), ("FIRSTCOME_SHOP_BUSINESS_NUMBER", "123-45-67890")];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    let shop = Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await;
    let seller = shop.seller().await;
    let sell =
        async |product: Value, price: i64| seller.sell(&product, &json!({"stock": 10, "price": won(price)})).await;
    let lamp = sell(json!({"kind": "goods", "name": "Lamp"}), 9_026).await;
    let book = sell(json!({"kind": "goods", "name": "Book", "tax_free": true}), 974).await;
    let buyer = shop.buyers(1).remove(0);
    let lines = json!({"lines": [{"offer_id": lamp, "quantity": 3}, {"offer_id": book, "quantity": 2}]});
    let order = buyer.post("/orders").key("one").json(&lines).want(201).await;
    assert_eq!(order["tax"], tax(24_616, 2_462, 1_948));
    let id = order["order_id"].as_str().expect("an id").to_owned();
    let early = buyer.get(&format!("/orders/{id}/receipt")).send().await.expect("an answer");
    early.problem(409, "wrong_state");
    pay(&buyer, &order).await;
    let whole = receipt(&buyer, &id).await;
    assert_eq!(whole["shop"], json!({"name": "Lamp & Book", "business_number": "123-45-67890"}));
    assert_eq!((&whole["tax"], &whole["balance_tax"]), (&order["tax"], &order["tax"]));
    assert_eq!(whole["lines"][0]["name"], "Lamp");

    // The flag changes for those who buy later.
    let product = seller.get(&format!("/admin/offers/{book}")).want(200).await["product"]["product_id"].clone();
    let product = product.as_str().expect("an id");
    seller.patch(&format!("/admin/products/{product}")).json(&json!({"tax_free": false})).want(200).await;

    let parts = [
        json!({"lines": [{"offer_id": lamp, "quantity": 1}, {"offer_id": book, "quantity": 1}]}),
        json!({"lines": [{"offer_id": lamp, "quantity": 1}]}),
        json!({}),
    ];
    for (number, part) in parts.iter().enumerate() {
        let path = format!("/orders/{id}/cancel");
        buyer.post(&path).key(&format!("part-{number}")).json(part).want(200).await;
        refunded(&buyer, &id, number + 1).await;
    }
    let after = receipt(&buyer, &id).await;
    let refunds = after["refunds"].as_array().expect("refunds");
    assert_eq!(refunds[0]["tax"], tax(8_205, 821, 974));
    assert_eq!(refunds[1]["tax"], tax(8_206, 820, 0), "what the sum is rounded to");
    assert_eq!(refunds[2]["tax"], tax(8_205, 821, 974));
    assert_eq!((&after["balance"], &after["balance_tax"]), (&won(0), &tax(0, 0, 0)));
    let told: Vec<_> = shop.api().sandbox_payments().await.expect("payments")[0]["cancels"]
        .as_array()
        .expect("cancels")
        .iter()
        .map(|cancel| cancel["taxFreeAmount"].clone())
        .collect();
    assert_eq!(told, [974, 0, 974]);
    books_agree(&shop, &whole["tax"]);
    shop.audit().ok();
}

/// What the books say of the one order's tax is what its receipt says, and all of it went back.
fn books_agree(shop: &Shop, tax: &Value) {
    let folder = shop.scratch().join("books");
    shop.run(&["export", folder.to_str().expect("a plain path")], "").ok();
    for file in ["days.csv", "orders.csv", "refunds.csv"] {
        let text = fs::read_to_string(folder.join(file)).expect("a file");
        let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let columns = rows.next().expect("columns");
        let rows: Vec<_> = rows.collect();
        for part in ["supplied", "vat", "tax_free"] {
            let column = columns.iter().position(|name| *name == part).expect("a column");
            let sum: i64 = rows.iter().map(|row| row[column].parse::<i64>().expect("a number")).sum();
            assert_eq!(json!(sum), tax[part]["amount"], "{part} in {file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_card_is_sold_without_vat_and_pays_what_is_taxed() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let card = seller.sell(&gift_card(5_000), &json!({"stock": 5, "price": won(4_500)})).await;
    let buyer = shop.buyers(1).remove(0);
    let bought = buyer.order("card", &card, 1).await.expect("an answer").want(201);
    assert_eq!(bought["tax"], tax(0, 0, 4_500));
    pay(&buyer, &bought).await;
    let code = buyer.delivered(|_| true).await["code"].clone();
    let lamp = seller.sell(&json!({"kind": "goods", "name": "Lamp"}), &json!({"stock": 5, "price": won(11_000)})).await;
    let body = json!({"offer_id": lamp, "quantity": 1, "gift_card": code});
    let order = buyer.post("/orders").key("lamp").json(&body).want(201).await;
    assert_eq!(order["tax"], tax(10_000, 1_000, 0), "however it is paid");
    assert_eq!((&order["to_pay"], &order["to_pay_tax_free"]), (&won(6_000), &won(0)));
    shop.audit().ok();
}
