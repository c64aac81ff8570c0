//! Refunds.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::RefundId;
use firstcome_core::ledger::HoldState;
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::Unit;

use super::shop::{PRICE, Shop};

async fn paid() -> (Shop, firstcome_core::ids::OrderId) {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    (shop, order)
}

#[tokio::test]
async fn never_looks_done_before_the_provider_confirms() {
    let (mut shop, order) = paid().await;
    shop.provider.silent(true);
    shop.approve(RefundId([1; 16]), order, PRICE.amount).await;
    shop.rest().await;
    assert_eq!(shop.refunds(order).await[0].state, RefundState::Pending);
    assert_eq!(shop.announced("refund.done"), 0);
    shop.provider.silent(false);
    shop.clock.advance(std::time::Duration::from_secs(120));
    shop.rest().await;
    assert_eq!(shop.refunds(order).await[0].state, RefundState::Done);
    assert_eq!(shop.refunds(order).await[0].policy, Some(RefundPolicy::ByVisitDate));
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Canceled);
    assert_eq!(shop.announced("refund.done"), 1);
}

#[tokio::test]
async fn parts_add_up() {
    let (mut shop, order) = paid().await;
    shop.approve(RefundId([1; 16]), order, 300).await;
    shop.approve(RefundId([2; 16]), order, 200).await;
    shop.rest().await;
    let payment = &shop.attempts(order).await[0];
    assert_eq!((payment.state, payment.refunded), (PaymentState::PartialCanceled, 500));
    shop.approve(RefundId([3; 16]), order, 500).await;
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Canceled);
    assert_eq!(shop.provider.kept(order), 0);
}

#[tokio::test]
async fn more_than_there_is_is_quarantined() {
    let (mut shop, order) = paid().await;
    shop.approve(RefundId([1; 16]), order, PRICE.amount + 1).await;
    shop.rest().await;
    assert_eq!(shop.refunds(order).await[0].state, RefundState::Quarantined);
    assert_eq!(shop.announced("refund.quarantined"), 1);
    assert_eq!(shop.provider.kept(order), PRICE.amount);
}

#[tokio::test]
async fn a_cancel_in_the_console_counts_as_the_refund_that_was_wanted() {
    let (mut shop, order) = paid().await;
    shop.provider.cancel_in_console("key", PRICE.amount);
    shop.approve(RefundId([1; 16]), order, PRICE.amount).await;
    shop.rest().await;
    assert_eq!(shop.refunds(order).await[0].state, RefundState::Done);
    assert_eq!(shop.attempts(order).await[0].refunded, PRICE.amount);
    shop.notice("key").await;
    assert_eq!(shop.announced("payment.canceled_by_provider"), 0, "booked once");
}

#[tokio::test]
async fn a_free_order_has_nothing_to_send_back() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.approve(RefundId([1; 16]), order, 0).await;
    shop.rest().await;
    assert_eq!(shop.announced("refund.done"), 1);
}

#[tokio::test]
async fn a_refund_after_all_went_back_is_done_and_moves_nothing() {
    let (mut shop, order) = paid().await;
    shop.provider.cancel_in_console("key", PRICE.amount);
    shop.notice("key").await;
    shop.approve(RefundId([1; 16]), order, PRICE.amount).await;
    shop.rest().await;
    assert_eq!(shop.announced("payment.canceled_by_provider"), 1);
    assert_eq!((shop.announced("refund.done"), shop.announced("refund.quarantined")), (1, 0));
    assert_eq!(shop.attempts(order).await[0].refunded, PRICE.amount);
    let refunds = shop.refunds(order).await;
    assert_eq!(refunds.iter().map(|refund| refund.amount).sum::<i64>(), PRICE.amount, "booked once");
}

/// What was announced of money that went back at the provider's side: how much, and whether nothing is left.
fn told(shop: &Shop) -> Vec<(i64, bool)> {
    let events = shop.books.events();
    let told = events.iter().filter_map(|event| RoleEvent::parse(&event.kind, &event.data).ok());
    told.filter_map(|event| match event {
        RoleEvent::CanceledByProvider { amount, whole, .. } => Some((amount.amount, whole)),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn parts_canceled_in_the_console_are_told_and_only_the_last_is_the_whole() {
    let (mut shop, order) = paid().await;
    shop.provider.cancel_in_console("key", 100);
    shop.notice("key").await;
    assert_eq!(told(&shop), [(100, false)]);
    let payment = &shop.attempts(order).await[0];
    assert_eq!((payment.state, payment.refunded), (PaymentState::PartialCanceled, 100));
    assert_eq!(shop.state(order), Some(HoldState::Sold));
    // Two more before anyone looks.
    shop.provider.cancel_in_console("key", 200);
    shop.provider.cancel_in_console("key", 700);
    shop.notice("key").await;
    shop.notice("key").await;
    let mut told = told(&shop);
    told.sort_unstable();
    assert_eq!(told, [(100, false), (200, false), (700, true)]);
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Canceled);
    assert_eq!(shop.refunds(order).await.len(), 3);
}

#[tokio::test]
async fn what_is_left_goes_back_after_a_part_was_canceled_in_the_console() {
    let (mut shop, order) = paid().await;
    shop.provider.cancel_in_console("key", 100);
    shop.notice("key").await;
    shop.approve(RefundId([1; 16]), order, PRICE.amount).await;
    shop.rest().await;
    assert_eq!((shop.announced("refund.done"), shop.announced("refund.quarantined")), (1, 0));
    let payment = &shop.attempts(order).await[0];
    assert_eq!((payment.state, payment.refunded), (PaymentState::Canceled, PRICE.amount));
    assert_eq!(shop.provider.kept(order), 0);
}

#[tokio::test]
async fn a_part_that_nobody_told_of_is_booked_before_the_rest_is_sent_back() {
    let (mut shop, order) = paid().await;
    shop.provider.cancel_in_console("key", 100);
    shop.approve(RefundId([1; 16]), order, PRICE.amount).await;
    shop.rest().await;
    assert_eq!((shop.announced("refund.done"), shop.announced("refund.quarantined")), (1, 0));
    assert_eq!(told(&shop), [(100, false)]);
    let payment = &shop.attempts(order).await[0];
    assert_eq!((payment.state, payment.refunded), (PaymentState::Canceled, PRICE.amount));
    assert_eq!(shop.provider.kept(order), 0);
}

#[tokio::test]
async fn a_refund_that_was_refused_is_kept_and_moves_nothing() {
    let (mut shop, order) = paid().await;
    let refused = RoleEvent::RefundRefused {
        refund: RefundId([1; 16]),
        order,
        amount: PRICE,
        reason: "changed my mind".to_owned(),
        policy: RefundPolicy::FullUntilUsed,
    };
    shop.orders.commit(Unit::new().event(&refused, shop.clock.now())).await.expect("in memory");
    shop.rest().await;
    shop.deliver_again().await;
    shop.rest().await;
    let refunds = shop.refunds(order).await;
    assert_eq!(
        refunds.iter().map(|refund| (refund.state, refund.amount)).collect::<Vec<_>>(),
        [(RefundState::Refused, PRICE.amount)]
    );
    assert_eq!(shop.provider.kept(order), PRICE.amount);
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Done);
}

#[tokio::test]
async fn what_a_gift_card_got_stays_in_the_books_when_nothing_is_left_for_the_charge() {
    let mut shop = Shop::open_beside_card(1).await;
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    shop.provider.cancel_in_console("key", PRICE.amount);
    shop.notice("key").await;
    shop.approve_with_card(RefundId([1; 16]), order, PRICE.amount, 70).await;
    shop.rest().await;
    let refunds = shop.refunds(order).await;
    let ours = refunds.iter().find(|refund| refund.refund_id == RefundId([1; 16])).expect("it is kept");
    assert_eq!((ours.state, ours.amount, ours.to_card), (RefundState::Done, 0, Some(70)));
    assert_eq!(shop.announced("refund.done"), 1);
    assert_eq!(refunds.iter().map(|refund| refund.amount).sum::<i64>(), PRICE.amount, "booked once");
}
