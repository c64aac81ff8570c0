//! Refunds.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ledger::HoldState;
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{Clock as _, Committed, Records as _};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};

use super::shop::{PRICE, Shop};
use crate::payments::quarantine::resolve::Found;
use crate::payments::rows::Refund;

async fn paid() -> (Shop, OrderId) {
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
async fn what_is_told_as_free_of_vat_leaves_no_more_taxable_than_there_is() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.count_as_tax_free("key", 400);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    for (refund, amount) in [(RefundId([1; 16]), 800), (RefundId([2; 16]), 200)] {
        shop.approve(refund, order, amount).await;
        shop.rest().await;
    }
    assert_eq!(shop.provider.told_tax_free(), [200, 200]);
    let booked: Vec<_> = shop.refunds(order).await.iter().map(|refund| refund.tax_free).collect();
    assert_eq!(booked, [Some(200), Some(200)]);
}

#[tokio::test]
async fn what_went_back_free_of_vat_in_the_console_is_not_told_once_more() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.count_as_tax_free("key", 400);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    shop.provider.cancel_free_in_console("key", 400);
    shop.notice("key").await;
    shop.rest().await;
    shop.approve(RefundId([1; 16]), order, 600).await;
    shop.rest().await;
    assert_eq!(shop.provider.told_tax_free(), [0]);
}

#[tokio::test]
async fn of_two_refunds_at_once_each_is_told_the_same_however_often_it_is_asked() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    shop.provider.count_as_tax_free("key", 400);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    let booked = async |shop: &Shop| {
        let mut refunds = shop.refunds(order).await;
        refunds.sort_by_key(|refund| refund.refund_id);
        refunds.iter().map(|refund| (refund.state, refund.tax_free)).collect::<Vec<_>>()
    };
    shop.provider.silent(true);
    shop.approve(RefundId([1; 16]), order, 500).await;
    shop.approve(RefundId([2; 16]), order, 500).await;
    shop.rest().await;
    assert_eq!(booked(&shop).await, [(RefundState::Pending, None), (RefundState::Pending, Some(400))]);
    shop.provider.silent(false);
    shop.clock.advance(std::time::Duration::from_secs(120));
    shop.rest().await;
    assert_eq!(booked(&shop).await, [(RefundState::Done, None), (RefundState::Done, Some(400))]);
    let mut told = shop.provider.told_tax_free();
    told.sort_unstable();
    assert_eq!(told, [0, 400]);
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

/// What was announced.
fn events(shop: &Shop) -> Vec<RoleEvent> {
    shop.books.events().iter().filter_map(|event| RoleEvent::parse(&event.kind, &event.data).ok()).collect()
}

/// What was announced of money that went back at the provider's side: how much, and whether nothing is left.
fn told(shop: &Shop) -> Vec<(i64, bool)> {
    let told = events(shop).into_iter().filter_map(|event| match event {
        RoleEvent::CanceledByProvider { amount, whole, .. } => Some((amount.amount, whole)),
        _ => None,
    });
    told.collect()
}

/// What was announced as back: to the charge and to a gift card.
fn done(shop: &Shop) -> Vec<(i64, Option<i64>)> {
    let done = events(shop).into_iter().filter_map(|event| match event {
        RoleEvent::RefundDone { amount, to_card, .. } => Some((amount.amount, to_card)),
        _ => None,
    });
    done.collect()
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

/// A part of an order that was to go back and that the provider refused.
async fn stuck() -> (Shop, OrderId) {
    let (mut shop, order) = paid().await;
    shop.provider.silent(true);
    shop.approve(RefundId([1; 16]), order, 300).await;
    shop.rest().await;
    let refund = shop.books.load::<Refund>(RefundId([1; 16])).await.expect("readable").expect("approved");
    let record = Refund { state: RefundState::Quarantined, due_at: None, ..refund.record };
    let unit = Unit::new().update(&Stored { record, version: refund.version });
    assert_eq!(shop.books.commit(unit).await.expect("in memory"), Committed::Done);
    shop.provider.silent(false);
    (shop, order)
}

/// State, amount and what names the movement of each refund; and how much of the payment went back.
async fn booked(shop: &Shop, order: OrderId) -> (Vec<(RefundState, i64, bool)>, i64) {
    let by_hand = |refund: &Refund| refund.transaction.as_ref().is_some_and(|name| name.starts_with("by hand"));
    let refunds = shop.refunds(order).await;
    let rows = refunds.iter().map(|refund| (refund.state, refund.amount, by_hand(refund))).collect();
    (rows, shop.attempts(order).await[0].refunded)
}

#[tokio::test]
async fn what_is_stuck_and_sent_back_in_the_console_is_booked_once() {
    let (mut shop, order) = stuck().await;
    shop.provider.cancel_in_console("key", 300);
    for _ in 0..2 {
        shop.notice("key").await;
        assert_eq!(booked(&shop, order).await, (vec![(RefundState::Done, 300, false)], 300));
    }
    assert_eq!((told(&shop), shop.announced("refund.done")), (vec![], 1));
    // Something else of the same amount is another matter.
    shop.provider.cancel_in_console("key", 300);
    shop.notice("key").await;
    assert_eq!((told(&shop), shop.attempts(order).await[0].refunded), (vec![(300, false)], 600));
}

#[tokio::test]
async fn what_a_person_found_sent_back_and_the_console_shows_later_is_booked_once() {
    let (mut shop, order) = stuck().await;
    let case = shop.payments.case(&RefundId([1; 16]).to_string()).await.expect("there");
    shop.payments.found(case, Found::Refunded).await.expect("resolved");
    assert_eq!(booked(&shop, order).await, (vec![(RefundState::Done, 300, true)], 300));
    shop.provider.cancel_in_console("key", 300);
    shop.notice("key").await;
    assert_eq!(booked(&shop, order).await, (vec![(RefundState::Done, 300, false)], 300));
    assert_eq!((told(&shop), shop.announced("refund.done")), (vec![], 1));
}

#[tokio::test]
async fn what_is_stuck_is_over_when_all_went_back_in_the_console() {
    let (mut shop, order) = stuck().await;
    shop.provider.cancel_in_console("key", PRICE.amount);
    shop.notice("key").await;
    assert_eq!(booked(&shop, order).await, (vec![(RefundState::Done, PRICE.amount, false)], PRICE.amount));
    assert_eq!((told(&shop), done(&shop)), (vec![(PRICE.amount, true)], vec![(0, None)]));
}

#[tokio::test]
async fn a_gift_card_gets_its_part_when_the_provider_has_sent_back_the_rest() {
    let mut shop = Shop::open_beside_card(1).await;
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    shop.provider.cancel_in_console("key", PRICE.amount);
    shop.notice("key").await;
    let adopted = shop.refunds(order).await[0].refund_id;
    for _ in 0..2 {
        shop.approve_with_card(adopted, order, PRICE.amount, 70).await;
        shop.rest().await;
    }
    let refunds = shop.refunds(order).await;
    assert_eq!(
        refunds.iter().map(|refund| (refund.amount, refund.to_card)).collect::<Vec<_>>(),
        [(PRICE.amount, Some(70))]
    );
    assert_eq!(done(&shop), [(0, Some(70))]);
}
