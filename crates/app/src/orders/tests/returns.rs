//! Goods that are sent back.

use firstcome_core::order::ShippingState;
use serde_json::json;

use super::shop::{BUYER, HOME, Shop};
use crate::orders::returns::Request;

/// Twins are under way, or the process died before it answered.
#[tokio::test]
async fn a_request_that_comes_again_is_the_same_return() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.sell_goods().await;
    let hold = shop.sold("key", HOME, 2).await;
    shop.deliver(&hold).await;
    let request: Request = serde_json::from_value(json!({ "reason": "too small" })).expect("a request");
    let ask = async |key: &str| {
        let asked = shop.orders.remember("return", BUYER, key, hold.order, 1).await?.record;
        shop.orders.ask_once(&hold, &asked, &request).await.map(|after| (after.shipping, after.parcel))
    };
    let (first, twin) = tokio::join!(ask("return"), ask("return"));
    let first = first.expect("asked");
    assert_eq!(first.0, Some(ShippingState::ReturnRequested));
    assert_eq!((twin.expect("the same"), ask("return").await.expect("the same")), (first.clone(), first));
    assert!(ask("another").await.is_err(), "it was asked for already");
}
