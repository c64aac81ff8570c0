//! Late and double money, and money that nobody can find out about.

use std::time::Duration;

use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Command, Hold, HoldState, ReleaseReason};
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::{Committed, ProviderStatus};
use firstcome_core::records::{Stored, Unit};

use super::shop::{BUYER, OFFER, PRICE, Shop};
use crate::payments::rows::{Origin, Payment};

#[tokio::test]
async fn paid_after_expiry_takes_units_again_if_there_are_any() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.expire(order);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    assert_eq!(shop.state(order), Some(HoldState::Sold));
}

#[tokio::test]
async fn paid_after_expiry_with_nothing_left_moves_no_money() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.expire(order);
    shop.order("another");
    assert_eq!(shop.confirm("pay", order, "key").await, Some(409));
    assert_eq!(shop.provider.payment("key").status, ProviderStatus::InProgress);
    assert!(shop.attempts(order).await.is_empty(), "a refused attempt is decided anew");
}

#[tokio::test]
async fn a_canceled_order_is_not_revived() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.ledger.now(OFFER, &Command::Release { order, reason: ReleaseReason::Canceled });
    assert_eq!(shop.confirm("pay", order, "key").await, Some(409));
    shop.provider.set("key", ProviderStatus::Done);
    shop.notice("key").await;
    shop.rest().await;
    shop.check(order, "charged after it was canceled").await;
    assert_eq!(shop.refunds(order).await[0].origin, Origin::Undeliverable);
    assert_eq!(shop.state(order), Some(HoldState::Released));
}

#[tokio::test]
async fn a_charge_of_another_amount_goes_back() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), Money::new(7, Currency::KRW));
    shop.provider.set("key", ProviderStatus::Done);
    shop.notice("key").await;
    shop.rest().await;
    assert_eq!(shop.provider.kept(order), 0);
    assert_eq!(shop.state(order), Some(HoldState::Held), "the order can still be paid");
    shop.provider.pay("right", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "right").await, Some(200));
    shop.check(order, "paid rightly afterwards").await;
}

#[tokio::test]
async fn a_charge_of_an_order_that_nobody_placed_goes_back() {
    let mut shop = Shop::open(1);
    let order = OrderId::of_request(BUYER, "never", 0, OFFER);
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.set("key", ProviderStatus::Done);
    shop.notice("key").await;
    shop.rest().await;
    assert_eq!(shop.provider.kept(order), 0);
}

#[tokio::test]
async fn silence_is_unknown_then_quarantined_and_stays_pinned() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.steps.strike(6, crate::harm::Harm::FailAfter);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(202));
    assert!(shop.steps.struck().is_some_and(|what| what.contains("confirm")), "{:?}", shop.steps.struck());
    shop.provider.silent(true);
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Unknown);
    shop.clock.advance(Duration::from_secs(25 * 60 * 60));
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Quarantined);
    assert_eq!(shop.state(order), Some(HoldState::Paying), "no clock releases what may be paid");
    assert_eq!(shop.confirm("pay", order, "key").await, Some(202));
    shop.provider.silent(false);
    shop.clock.advance(Duration::from_secs(2 * 60 * 60));
    shop.rest().await;
    shop.check(order, "the provider speaks again").await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
}

#[tokio::test]
async fn a_payment_that_expires_at_the_provider_frees_the_order() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.steps.strike(6, crate::harm::Harm::FailBefore);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(202));
    shop.provider.set("key", ProviderStatus::Expired);
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Fail);
    assert_eq!(shop.state(order), Some(HoldState::Held));
    shop.provider.pay("other", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("again", order, "other").await, Some(200));
    shop.check(order, "paid with another card").await;
}

#[tokio::test]
async fn a_lost_notice_is_made_up_for_by_looking() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    shop.provider.cancel_in_console("key", PRICE.amount);
    shop.rest().await;
    assert_eq!(shop.announced("payment.canceled_by_provider"), 0);
    shop.clock.advance(Duration::from_secs(60 * 60));
    shop.rest().await;
    assert_eq!(shop.announced("payment.canceled_by_provider"), 1);
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Canceled);
}

/// The check of the other tests proves nothing unless it sees what it looks for.
mod negative_control {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "kept for Held")]
    async fn money_kept_for_nothing_is_seen() {
        let shop = Shop::open(1);
        let order = shop.order("order");
        shop.provider.pay("key", &order.to_string(), PRICE);
        shop.provider.set("key", ProviderStatus::Done);
        shop.check(order, "nobody noticed").await;
    }

    #[tokio::test]
    #[should_panic(expected = "kept for Sold")]
    async fn goods_given_away_are_seen() {
        let mut shop = Shop::open(1);
        let order = shop.order("order");
        shop.provider.pay("key", &order.to_string(), PRICE);
        assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
        shop.provider.cancel_in_console("key", PRICE.amount);
        shop.check(order, "nobody noticed").await;
    }

    #[tokio::test]
    #[should_panic(expected = "still pinned")]
    async fn a_forgotten_attempt_is_seen() {
        let mut shop = Shop::open(1);
        let order = shop.order("order");
        shop.provider.pay("key", &order.to_string(), PRICE);
        shop.provider.set("key", ProviderStatus::WaitingForDeposit);
        shop.ledger.now(OFFER, &Command::BeginPayment { order, attempt: firstcome_core::ids::PaymentId([1; 16]) });
        shop.rest().await;
        shop.check(order, "nobody asked").await;
    }
}

#[tokio::test]
async fn nothing_is_delivered_for_money_that_went_back_at_once() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("card", &order.to_string(), PRICE);
    shop.provider.set("card", ProviderStatus::Done);
    shop.notice("card").await;
    shop.provider.cancel_in_console("card", PRICE.amount);
    shop.notice("card").await;
    shop.rest().await;
    shop.check(order, "canceled before it was settled").await;
    assert_eq!(shop.state(order), Some(HoldState::Held));
}

/// A process wrote an attempt and stands still: the order's time runs out, another buyer has its unit, and another process
/// gives the attempt up. The attempt and the hold as the first process knows them, and the other's order.
async fn given_up_meanwhile(shop: &Shop) -> (Stored<Payment>, Hold, OrderId) {
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    let confirmation = shop.confirmation("pay", order, "key");
    let attempt = shop.payments.write_attempt(&confirmation, 0).await.expect("written");
    let hold = shop.ledger.hold(order).expect("held");
    shop.expire(order);
    let other = shop.order("of another buyer");
    shop.clock.advance(Duration::from_secs(60));
    shop.another_process().resolve_due().await.expect("looked after");
    (attempt, hold, other)
}

/// A process stands still between the attempt's row and the pin; another takes it for dead and gives the attempt up.
#[tokio::test]
async fn who_stood_still_collects_nothing_for_an_attempt_that_was_given_up() {
    let shop = Shop::open(1);
    let (attempt, hold, other) = given_up_meanwhile(&shop).await;
    let order = hold.order;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Fail);
    shop.release(other);

    // Only now the first goes on; its units could be had again.
    let pinned = shop.payments.stock.begin(&hold, attempt.record.payment_id).await.expect("an answer");
    assert_eq!(pinned, crate::stock::Pinned::Yes);
    let now = shop.payments.overtaken(&attempt, &hold).await.expect("an answer").expect("given up");
    assert_eq!(now.record.state, PaymentState::Fail);
    assert_eq!(shop.state(order), Some(HoldState::Held), "nothing stays pinned");
}

/// The same, and it dies before it has looked.
#[tokio::test]
async fn what_a_dead_process_pinned_for_a_failed_attempt_is_unpinned() {
    let shop = Shop::open(1);
    let (attempt, hold, other) = given_up_meanwhile(&shop).await;
    let order = hold.order;
    shop.release(other);
    shop.payments.stock.begin(&hold, attempt.record.payment_id).await.expect("an answer");
    assert_eq!(shop.state(order), Some(HoldState::Paying));
    shop.clock.advance(Duration::from_secs(60));
    shop.another_process().resolve_due().await.expect("looked after");
    assert_eq!(shop.state(order), Some(HoldState::Held));
    assert_eq!(shop.provider.kept(order), 0);
}

/// A charge that came too late: the other process' decision to send it back, just written, and the attempt.
async fn decided_to_send_back(shop: &mut Shop) -> (OrderId, Payment) {
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.expire(order);
    let other = shop.order("of another buyer");
    shop.provider.set("key", ProviderStatus::Done);
    shop.notice("key").await;
    let attempt = shop.attempts(order).await.remove(0);
    let decided = shop.payments.settle(order, attempt.payment_id, Some(PRICE)).await.expect("an answer");
    let written = Unit::new().insert(&decided.expect("no units are left"));
    assert_eq!(shop.payments.ports.records.commit(written).await.expect("written"), Committed::Done);
    shop.release(other);
    (order, attempt)
}

/// Two processes look after one charge: one finds no units, the other finds some a moment later and is faster.
#[tokio::test]
async fn money_that_was_delivered_for_after_all_stays() {
    let mut shop = Shop::open(1);
    let (order, attempt) = decided_to_send_back(&mut shop).await;
    let hold = shop.ledger.hold(order).expect("known");
    let another = shop.another_process();
    another.stock.begin(&hold, attempt.payment_id).await.expect("an answer");
    shop.payments.refund_due().await.expect("looked after");
    assert_eq!(shop.provider.kept(order), PRICE.amount, "nothing is sent back while it may be delivered");
    assert!(another.stock.commit(order, Some(&hold), attempt.payment_id).await.expect("an answer"));
    shop.clock.advance(Duration::from_secs(60));
    shop.payments.refund_due().await.expect("looked after");
    assert!(shop.refunds(order).await.is_empty());
    shop.check(order, "delivered after all").await;
}

/// The same, and the one that delivers sees the decision when it has pinned the order.
#[tokio::test]
async fn nothing_is_delivered_for_money_that_is_to_go_back() {
    let mut shop = Shop::open(1);
    let (order, attempt) = decided_to_send_back(&mut shop).await;
    let another = shop.another_process();
    assert_eq!(another.climb(order, attempt.payment_id, PRICE).await.expect("an answer"), None);
    assert_eq!(shop.state(order), Some(HoldState::Held), "pinned, and left alone again");
    shop.payments.refund_due().await.expect("looked after");
    shop.rest().await;
    assert_eq!(shop.provider.kept(order), 0);
    shop.check(order, "sent back").await;
}
