//! What the shop's settings promise reaches products, offers and orders.

use std::time::Duration;

use firstcome_tests::{Shop, ShopOptions, Storefront as _, gift_card};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_of_returns_and_gift_cards_are_settings() {
    let environment = [("FIRSTCOME_RETURNS_DAYS", "14"), ("FIRSTCOME_GIFT_CARDS_VALID_DAYS", "400")];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    let shop = Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await;
    let seller = shop.seller().await;
    let card = seller.post("/admin/products").json(&gift_card(10_000)).want(201).await;
    assert_eq!(card["valid_for_days"], 400);

    let offer = seller.sell(&json!({"kind": "goods", "name": "Cup"}), &json!({"price": 1_000, "stock": 10})).await;
    let buyer = shop.buyers(1).remove(0);
    assert_eq!(buyer.get(&format!("/offers/{offer}")).want(200).await["days_to_return"], 14);
    let order = buyer.buy("cup", &offer, 1).await;
    let step = async |action: &str, body: Value| {
        seller.post(&format!("/admin/orders/{order}/{action}")).json(&body).want(200).await["shipping"].clone()
    };
    step("ship", json!({"carrier": "CJ Logistics", "tracking": "123"})).await;
    let parcel = step("deliver", json!({})).await;
    let at = |name: &str| parcel[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect(name);
    let days = at("return_until").duration_since(at("delivered_at")).unsigned_abs();
    assert_eq!(days, Duration::from_hours(14 * 24));
}
