//! Orders over several offers: all lines or none, whatever goes wrong at whichever step.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::EventId;
use firstcome_core::ledger::Command;
use firstcome_core::order::OrderState;

use super::shop::{HOME, SECOND, STOCK, Shop, THIRD};
use crate::harm::Harm;

const WANTED: [(firstcome_core::ids::OfferNumber, u32); 3] = [(HOME, 1), (SECOND, 2), (THIRD, 1)];

/// Harms every step once in every way and gives the shop, with what was harmed, to `after`.
async fn at_every_step(prices: [i64; 3], after: impl AsyncFn(Shop, Option<bool>, String)) {
    for harm in Harm::ALL {
        for step in 0.. {
            let mut shop = Shop::open(prices).await;
            shop.steps.strike(step, harm);
            let placed = shop.place("key", &WANTED).await;
            let Some(struck) = shop.steps.struck() else { break };
            shop.steps.calm();
            shop.sweep().await;
            shop.check(&struck).await;
            after(shop, placed.map(|placed| placed.is_ok()), struck).await;
        }
    }
}

#[tokio::test]
async fn all_lines_are_held_or_none_whatever_step_fails() {
    at_every_step([1_000, 300, 50], async |mut shop, placed, when| {
        let held = shop.units().await;
        let all = [(1, 0), (2, 0), (1, 0)];
        assert!(held == all || placed != Some(true) && held == [(0, 0); 3], "{when}: {held:?}");
        let view = shop.place("key", &WANTED).await.expect("alive").expect(&when);
        assert_eq!((view.state, view.amount.amount, view.lines.len()), (OrderState::Pending, 1_650, 3), "{when}");
        assert_eq!(shop.units().await, all, "{when}: once");
        shop.check(&when).await;
        let again = shop.place("key", &WANTED).await.expect("alive").expect(&when);
        assert_eq!(again.order_id, view.order_id, "{when}");
    })
    .await;
}

#[tokio::test]
async fn a_free_order_is_sold_whole_whatever_step_fails() {
    at_every_step([0, 0, 0], async |mut shop, placed, when| {
        let units = shop.units().await;
        let all = [(0, 1), (0, 2), (0, 1)];
        assert!(units == all || placed != Some(true) && units == [(0, 0); 3], "{when}: {units:?}");
        let view = shop.place("key", &WANTED).await.expect("alive").expect(&when);
        assert_eq!(view.state, OrderState::Completed, "{when}");
        assert_eq!(shop.units().await, all, "{when}: once");
    })
    .await;
}

/// The last line cannot be held: nothing is, whatever fails while the others are given back; and the same request is
/// decided anew when it can.
#[tokio::test]
async fn a_refusal_leaves_nothing_and_is_decided_anew() {
    for harm in Harm::ALL {
        for step in 0.. {
            let mut shop = Shop::open([1_000, 300, 50]).await;
            // What a person owns only the lane knows: the other line is prepared when this one is refused.
            let limited = firstcome_core::product::OfferInfo {
                limit_per_person: Some(1),
                version: 2,
                ..super::shop::offer(THIRD, firstcome_core::money::Money::new(50, firstcome_core::money::Currency::KRW))
            };
            shop.sell(&limited).await;
            let wanted = [(HOME, 1), (SECOND, 2), (THIRD, 2)];
            shop.steps.strike(step, harm);
            let placed = shop.place("key", &wanted).await;
            let Some(struck) = shop.steps.struck() else {
                let refused = placed.expect("alive").expect_err("over the limit");
                assert_eq!(refused.code(), ErrorCode::OverLimit);
                break;
            };
            shop.steps.calm();
            shop.sweep().await;
            shop.check(&struck).await;
            assert_eq!(shop.units().await, [(0, 0); 3], "{struck}");
            let refused = shop.place("key", &wanted).await.expect("alive").expect_err("over the limit");
            assert_eq!(refused.code(), ErrorCode::OverLimit, "{struck}");
            shop.sell(&firstcome_core::product::OfferInfo { limit_per_person: None, version: 3, ..limited }).await;
            let view = shop.place("key", &wanted).await.expect("alive").expect(&struck);
            assert_eq!(view.state, OrderState::Pending, "{struck}");
            assert_eq!(shop.units().await, [(1, 0), (2, 0), (2, 0)], "{struck}");
        }
    }
}

#[tokio::test]
async fn what_is_sold_out_leaves_no_trace() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.decide(THIRD, Command::Adjust { id: EventId([1; 16]), delta: -(STOCK as i64) }).await;
    let before = shop.holds().await.len();
    let refused = shop.place("key", &WANTED).await.expect("alive").expect_err("sold out");
    assert_eq!(refused.code(), ErrorCode::SoldOut);
    assert!(format!("{refused:?}").contains(&super::shop::offer_id(THIRD).to_string()), "names the line");
    shop.decide(SECOND, Command::Freeze).await;
    let refused = shop.place("key", &WANTED).await.expect("alive").expect_err("frozen");
    assert_eq!(refused.code(), ErrorCode::Frozen, "in the ledger's precedence");
    assert_eq!(shop.holds().await.len(), before);
}

#[tokio::test]
async fn a_canceled_order_gives_every_line_back() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let view = shop.place("key", &WANTED).await.expect("alive").expect("placed");
    let hold = shop.ports.ledger.find(view.order_id).await.expect("readable").expect("an order");
    shop.orders.release(&hold).await.expect("canceled");
    assert_eq!(shop.units().await, [(0, 0); 3]);
    shop.check("canceled").await;
}

#[tokio::test]
async fn another_body_under_the_key_is_refused_also_after_an_abort() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.place("key", &WANTED).await.expect("alive").expect("placed");
    let refused = shop.place("key", &[(HOME, 1), (SECOND, 1)]).await.expect("alive").expect_err("another body");
    assert_eq!(refused.code(), ErrorCode::IdempotencyKeyReused);
}
