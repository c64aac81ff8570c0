//! What the shop promises where a seller does not say.

use serde_json::{Value, json};

use super::{Shop, card};
use crate::catalog::Imported;

#[tokio::test]
async fn a_gift_card_is_valid_for_as_long_as_the_shop_said_when_it_was_made() {
    let (mut shop, product, offer) = Shop::card().await;
    assert_eq!(product.valid_for_days, Some(1_825));
    shop.hold(offer.offer_id.number()).await;
    shop.catalog.ports.promises.gift_card_days = 365;
    // The same file again breaks no promise, though it does not speak of days.
    let (product, imported) = shop.catalog.import_product(card(10_000)).await.expect("taken");
    assert_eq!((product.valid_for_days, imported), (Some(1_825), Imported::Unchanged));
    let face_value = json!({ "amount": 10_000, "currency": "KRW" });
    for (product, days) in [
        (json!({ "kind": "gift_card", "name": "Card", "face_value": face_value }), Some(365)),
        (json!({ "kind": "gift_card", "name": "Card", "face_value": face_value, "valid_for_days": 30 }), Some(30)),
        (json!({ "kind": "ticket", "name": "Gate" }), Some(1_825)),
        (json!({ "kind": "goods", "name": "Lamp" }), None),
    ] {
        let new = serde_json::from_value(product.clone()).expect("a product");
        let made = shop.catalog.create_product(new).await.expect("made");
        assert_eq!(made.valid_for_days, days, "{product}");
    }
}

#[tokio::test]
async fn an_offer_of_goods_says_how_long_they_may_be_sent_back() {
    let mut shop = Shop::open();
    shop.catalog.ports.promises.days_to_return = 14;
    for (kind, days) in [("goods", json!(14)), ("ticket", Value::Null)] {
        let new = serde_json::from_value(json!({ "kind": kind, "name": "Lamp" })).expect("a product");
        let product_id = shop.catalog.create_product(new).await.expect("made").product_id;
        let price = json!({ "amount": 9_000, "currency": "KRW" });
        let offer = json!({ "product_id": product_id, "price": price, "stock": 5 });
        let offer = shop.catalog.create_offer(serde_json::from_value(offer).expect("an offer")).await.expect("made");
        let row = shop.catalog.offer(offer.offer_id).await.expect("there").record;
        let view = serde_json::to_value(shop.catalog.view(row).await.expect("a view")).expect("an object");
        assert_eq!(view["days_to_return"], days, "{kind}");
    }
}
