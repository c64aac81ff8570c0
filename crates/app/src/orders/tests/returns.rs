//! Goods that are sent back.

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ledger::Hold;
use firstcome_core::order::ShippingState;
use firstcome_core::ports::Clock as _;
use serde_json::json;

use super::shop::{BUYER, HOME, Shop};
use crate::http::Outcome;
use crate::orders::books::AfterSale;
use crate::orders::returns::Request;
use crate::orders::shipping::ShippingView;

const DAY: Duration = Duration::from_hours(24);

/// Asks to send all of an order back.
async fn ask(shop: &Shop, key: &str, hold: &Hold) -> Outcome<AfterSale> {
    let request: Request = serde_json::from_value(json!({ "reason": "too small" })).expect("a request");
    let asked = shop.orders.remember("return", BUYER, key, hold.order, 1).await?.record;
    shop.orders.ask_once(hold, &asked, &request).await
}

/// Twins are under way, or the process died before it answered.
#[tokio::test]
async fn a_request_that_comes_again_is_the_same_return() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.sell_goods().await;
    let hold = shop.sold("key", HOME, 2).await;
    shop.deliver(&hold).await;
    let ask = async |key: &str| ask(&shop, key, &hold).await.map(|after| (after.shipping, after.parcel));
    let (first, twin) = tokio::join!(ask("return"), ask("return"));
    let first = first.expect("asked");
    assert_eq!(first.0, Some(ShippingState::ReturnRequested));
    assert_eq!((twin.expect("the same"), ask("return").await.expect("the same")), (first.clone(), first));
    assert!(ask("another").await.is_err(), "it was asked for already");
}

/// The shop changes its mind between orders, and once more before anything arrives.
#[tokio::test]
async fn goods_are_sent_back_within_the_days_that_were_promised_with_the_order() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.sell_goods().await;
    let mut sold = Vec::new();
    for (days, keys) in [(7, ["usual", "usual too"]), (14, ["longer", "longer too"])] {
        shop.ports.shop.days_to_return = days;
        shop.restart().await;
        for key in keys {
            sold.push((shop.sold(key, HOME, 1).await, DAY * u32::from(days)));
        }
    }
    shop.ports.shop.days_to_return = 1;
    shop.restart().await;
    let delivered_at = shop.clock.now();
    for (hold, _) in &sold {
        shop.deliver(hold).await;
    }
    for pair in sold.chunks(2) {
        let [(in_time, days), (late, _)] = pair else { panic!("two of each") };
        let until = delivered_at + *days;
        let row = shop.orders.change(in_time, |books, _| Ok(books.after.clone())).await.expect("a row");
        let shown = serde_json::to_value(ShippingView::of(in_time, Some(&row))).expect("an object");
        assert_eq!(shown["return_until"], json!(until));
        shop.clock.advance((until - Duration::from_millis(1)).since(shop.clock.now()));
        let asked = ask(&shop, &format!("in time {days:?}"), in_time).await.expect("in time");
        let shown = serde_json::to_value(ShippingView::of(in_time, Some(&asked))).expect("an object");
        assert_eq!((&shown["state"], shown.get("return_until")), (&json!("RETURN_REQUESTED"), None));
        shop.clock.advance(Duration::from_millis(1));
        let refused = ask(&shop, &format!("late {days:?}"), late).await.expect_err("too late");
        assert_eq!(refused.code(), ErrorCode::WrongState);
    }
}
