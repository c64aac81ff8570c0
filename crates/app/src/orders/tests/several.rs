//! Orders over several offers: all lines or none, whatever goes wrong at whichever step.

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, OfferNumber, PaymentId};
use firstcome_core::ledger::{Command, Hold, ReleaseReason};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::OrderState;
use firstcome_core::product::OfferInfo;
use firstcome_core::testkit::audit;

use super::shop::{HOME, SECOND, STOCK, Shop, THIRD, offer};
use crate::harm::Harm;
use crate::stock::{Pinned, Stock};

const WANTED: [(OfferNumber, u32); 3] = [(HOME, 1), (SECOND, 2), (THIRD, 1)];

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
            let limited =
                OfferInfo { limit_per_person: Some(1), version: 2, ..offer(THIRD, Money::new(50, Currency::KRW)) };
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
            shop.sell(&OfferInfo { limit_per_person: None, version: 3, ..limited }).await;
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

/// The time of a hold, and a moment more.
const LATE: Duration = Duration::from_secs(601);

async fn placed(shop: &mut Shop, wanted: &[(OfferNumber, u32)]) -> Hold {
    let view = shop.place("key", wanted).await.expect("alive").expect("placed");
    shop.ports.ledger.find(view.order_id).await.expect("readable").expect("an order")
}

/// Lets the clock release what is due, and the auditor read the whole journal.
async fn expire(shop: &Shop) {
    for number in [HOME, SECOND, THIRD] {
        shop.decide(number, Command::Expire).await;
    }
    let journal = shop.ports.ledger.entries(0, 10_000).await.expect("the journal");
    audit(&journal).check().expect("the journal agrees with itself");
}

#[tokio::test]
async fn lines_of_an_order_that_expired_before_they_were_told() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.steps.strike(2, Harm::CrashAfter);
    assert!(shop.place("key", &WANTED).await.is_none(), "the process stops");
    assert_eq!(shop.steps.struck().as_deref(), Some("CrashAfter at step 2, Hold"));
    shop.steps.calm();
    shop.clock.advance(LATE);
    expire(&shop).await;
    assert_eq!(shop.units().await, [(0, 0), (2, 0), (1, 0)], "no clock releases what is prepared");
    shop.sweep().await;
    expire(&shop).await;
    assert_eq!(shop.units().await, [(0, 0); 3]);
}

#[tokio::test]
async fn lines_of_an_order_that_was_canceled_before_they_were_told() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let order = placed(&mut shop, &WANTED).await.order;
    shop.decide(HOME, Command::Release { order, reason: ReleaseReason::Canceled }).await;
    assert_eq!(shop.units().await, [(0, 0), (2, 0), (1, 0)], "the process stopped here");
    shop.sweep().await;
    assert_eq!(shop.units().await, [(0, 0); 3]);
    shop.check("canceled").await;
}

#[tokio::test]
async fn paid_late_all_lines_are_taken_again_or_none() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let hold = placed(&mut shop, &WANTED).await;
    let stock = Stock(shop.ports.ledger.clone());
    let attempt = |number| PaymentId([number; 16]);
    shop.clock.advance(LATE);
    expire(&shop).await;
    // The payment fails: the order's time has run out again.
    assert_eq!(stock.begin(&hold, attempt(1)).await.expect("asked"), Pinned::Yes);
    assert_eq!(shop.units().await, [(1, 0), (2, 0), (1, 0)]);
    stock.end(hold.order, Some(&hold), attempt(1)).await.expect("ended");
    shop.clock.advance(Duration::from_millis(1));
    expire(&shop).await;
    assert_eq!(shop.units().await, [(0, 0); 3]);
    // A line is gone: the others are not held for its sake.
    let taken = Command::Adjust { id: EventId([1; 16]), delta: -(STOCK as i64) };
    shop.decide(THIRD, taken).await;
    assert_eq!(stock.begin(&hold, attempt(2)).await.expect("asked"), Pinned::No(ErrorCode::HoldExpired));
    shop.clock.advance(Duration::from_millis(1));
    expire(&shop).await;
    assert_eq!(shop.units().await, [(0, 0); 3]);
    // And there again.
    shop.decide(THIRD, Command::Adjust { id: EventId([2; 16]), delta: 1 }).await;
    assert_eq!(stock.begin(&hold, attempt(3)).await.expect("asked"), Pinned::Yes);
    assert_eq!(stock.begin(&hold, attempt(3)).await.expect("asked"), Pinned::Yes, "twice is once");
    assert!(stock.commit(hold.order, Some(&hold), attempt(3)).await.expect("asked"));
    expire(&shop).await;
    assert_eq!(shop.units().await, [(0, 1), (0, 2), (0, 1)]);
}

#[tokio::test]
async fn the_same_offers_have_one_home_in_whichever_order() {
    let shop = Shop::open([1_000, 300, 50]).await;
    let one = shop.basket("key", &[(THIRD, 1), (HOME, 1), (SECOND, 2)]).await;
    let lines: Vec<_> = one.lines.iter().map(|(offer, quantity)| (offer.number, *quantity)).collect();
    assert_eq!(lines, [(HOME, 1), (SECOND, 2), (THIRD, 1)]);
    assert_eq!(one.home(), HOME);
}

#[tokio::test]
async fn a_request_may_be_refused_often() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let third = |version, limit_per_person| OfferInfo {
        limit_per_person,
        version,
        ..offer(THIRD, Money::new(50, Currency::KRW))
    };
    shop.sell(&third(2, Some(1))).await;
    let wanted = [(HOME, 1), (SECOND, 2), (THIRD, 2)];
    for _ in 0..50 {
        let refused = shop.place("key", &wanted).await.expect("alive").expect_err("over the limit");
        assert_eq!(refused.code(), ErrorCode::OverLimit);
    }
    shop.sell(&third(3, None)).await;
    assert_eq!(placed(&mut shop, &wanted).await.other_lines().len(), 2);
}
