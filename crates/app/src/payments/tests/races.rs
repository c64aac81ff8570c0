//! A request that is slow, and the resolver that takes it for dead.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::PaymentId;
use firstcome_core::ledger::{Command, HoldState, ReleaseReason};
use tokio::sync::Notify;

use super::shop::{BUYER, HOLD_FOR, OFFER, PRICE, Shop};
use crate::payments::confirm::{Confirmation, Request};
use crate::stock::Pinned;

/// The request finds the units gone and is about to withdraw its attempt; the resolver, which does not know, finds them
/// there again. Whoever of the two is later must notice the other.
#[tokio::test]
async fn a_slow_request_does_not_withdraw_what_the_resolver_goes_on_with() {
    let mut shop = Shop::open(1);
    let order = shop.order("late");
    shop.expire(order);
    let rival = shop.order("rival");
    shop.provider.pay("card", &order.to_string(), PRICE);

    let request = Request { order_id: order, payment_key: "card".to_owned(), amount: PRICE };
    let id = PaymentId::derived(&[b"slow"]);
    let confirmation = Confirmation { id, person: BUYER, digest: 0, request };
    let (slow, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    // The request stops before the second of its commits, the one that withdraws.
    let (steps, reached, waits) = (Arc::clone(&shop.steps), Arc::clone(&slow), Arc::clone(&go_on));
    shop.steps.meanwhile("Reclaim", async move {
        steps.meanwhile("commit", async move {
            reached.notify_one();
            waits.notified().await;
        });
    });
    let payments = Arc::clone(&shop.payments);
    let request = tokio::spawn(async move { payments.confirm(confirmation).await.is_ok() });
    slow.notified().await;

    shop.ledger.now(OFFER, &Command::Release { order: rival, reason: ReleaseReason::Canceled });
    shop.clock.advance(Duration::from_secs(31));
    shop.steps.meanwhile("BeginPayment", async move {
        go_on.notify_one();
        let _ = request.await;
    });
    let _ = shop.payments.resolve_due().await;
    shop.rest().await;
    shop.check(order, "after the race").await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
    assert_eq!(shop.attempts(order).await.len(), 1);
}

/// Both find the order expired; one takes its units again and pins them before the other asks for them.
#[tokio::test]
async fn two_that_pin_for_the_same_attempt_both_pin() {
    let shop = Shop::open(1);
    let order = shop.order("late");
    shop.clock.advance(HOLD_FOR);
    let (hold, attempt) = (shop.ledger.hold(order).expect("it is there"), PaymentId::derived(&[b"one"]));
    let (payments, twin) = (Arc::clone(&shop.payments), hold.clone());
    shop.steps.meanwhile("Reclaim", async move {
        let pinned = payments.stock.begin(&twin, attempt).await;
        assert!(matches!(pinned, Ok(Pinned::Yes)), "{pinned:?}");
    });
    assert!(matches!(shop.payments.stock.begin(&hold, attempt).await, Ok(Pinned::Yes)));
    let other = shop.payments.stock.begin(&hold, PaymentId::derived(&[b"another"])).await;
    assert!(matches!(other, Ok(Pinned::No(_))), "{other:?}");
}
