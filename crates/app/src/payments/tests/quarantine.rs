//! What a person does about a payment of which the provider says nothing.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ledger::HoldState;
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{Clock as _, ProviderStatus, Records as _};
use firstcome_core::records::{RecordsExt as _, Unit};
use futures_util::future::join;
use tokio::sync::oneshot;

use super::shop::{BUYER, PRICE, Shop};
use crate::http::Outcome;
use crate::payments::Payments;
use crate::payments::quarantine::Asked;
use crate::payments::quarantine::resolve::Found;
use crate::payments::rows::Refund;

/// A payment that was silent for too long.
async fn quarantined() -> (Shop, OrderId, String) {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    let provider = shop.provider.clone();
    shop.steps.meanwhile("confirm", async move { provider.silent(true) });
    assert_eq!(shop.confirm("pay", order, "key").await, Some(202));
    shop.clock.advance(Duration::from_hours(25));
    shop.payments.resolve_due().await.expect("asked");
    let payment = &shop.attempts(order).await[0];
    assert_eq!((payment.state, shop.state(order)), (PaymentState::Quarantined, Some(HoldState::Paying)));
    let id = payment.payment_id.to_string();
    (shop, order, id)
}

pub(super) async fn found(payments: &Payments, id: &str, found: Found) -> Outcome<()> {
    payments.found(payments.case(id).await?, found).await
}

#[tokio::test]
async fn what_was_charged_is_delivered_for() {
    let (mut shop, order, id) = quarantined().await;
    shop.provider.set("key", ProviderStatus::Done);
    found(&shop.payments, &id, Found::Charged).await.expect("it goes on");
    shop.provider.silent(false);
    shop.rest().await;
    assert_eq!((shop.attempts(order).await[0].state, shop.state(order)), (PaymentState::Done, Some(HoldState::Sold)));
    shop.check(order, "charged").await;
}

#[tokio::test]
async fn what_was_not_charged_frees_the_units_and_a_charge_that_comes_late_is_not_kept() {
    let (mut shop, order, id) = quarantined().await;
    found(&shop.payments, &id, Found::NotCharged).await.expect("it goes on");
    assert_eq!((shop.attempts(order).await[0].state, shop.state(order)), (PaymentState::Fail, Some(HoldState::Held)));
    shop.expire(order);
    shop.sell_to_another(1);
    shop.provider.silent(false);
    shop.provider.set("key", ProviderStatus::Done);
    shop.notice("key").await;
    shop.rest().await;
    assert_eq!(shop.provider.kept(order), 0, "nothing can be delivered for it, so it goes back");
    shop.check(order, "late").await;
}

#[tokio::test]
async fn what_the_provider_says_counts_more_than_what_a_person_says() {
    let (mut shop, order, id) = quarantined().await;
    shop.provider.silent(false);
    for (status, wrong) in [(ProviderStatus::InProgress, Found::Charged), (ProviderStatus::Done, Found::NotCharged)] {
        shop.provider.set("key", status);
        let refused = found(&shop.payments, &id, wrong).await.expect_err("it says otherwise");
        assert_eq!(refused.code(), ErrorCode::WrongState);
        assert_eq!(shop.attempts(order).await[0].state, PaymentState::Quarantined);
    }
    let case = shop.payments.case(&id).await.expect("there");
    shop.payments.ask_again(case).await.expect("asked");
    assert_eq!((shop.attempts(order).await[0].state, shop.state(order)), (PaymentState::Done, Some(HoldState::Sold)));
    shop.rest().await;
    shop.check(order, "asked again").await;
}

/// A refund of all that was paid, which the provider has refused.
async fn quarantined_refund() -> (Shop, OrderId, RefundId) {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(200));
    let (refund, paid) = (RefundId([9; 16]), shop.attempts(order).await[0].payment_id);
    let wanted = Refund::wanted(refund, (order, paid), PRICE, "cancel".to_owned(), None, shop.clock.now());
    let refused = Refund { state: RefundState::Quarantined, due_at: None, ..wanted };
    shop.books.commit(Unit::new().insert(&refused)).await.expect("in memory");
    (shop, order, refund)
}

/// What a person is told who says this, or has the provider asked again when they say nothing.
async fn told(
    payments: Arc<Payments>,
    refund: RefundId,
    key: &'static str,
    says: Option<Found>,
) -> Outcome<serde_json::Value> {
    let asked = Asked { what: b"resolve", person: BUYER, key, body: 1, reason: None };
    let does = async |case| match says {
        Some(found) => payments.found(case, found).await,
        None => payments.ask_again(case).await,
    };
    let view = payments.about(&refund.to_string(), asked, does).await?;
    Ok(serde_json::to_value(view).expect("JSON"))
}

/// A twin is answered as the one that was faster; who asks under another key is told that it was done.
fn is_answered(mine: Outcome<serde_json::Value>, is_twin: bool, first: &serde_json::Value) {
    if is_twin {
        assert_eq!(&mine.expect("answered too"), first);
    } else {
        assert_eq!(mine.expect_err("it was done").code(), ErrorCode::WrongState);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_read_it_before_a_twin_did_it_is_answered_as_the_twin() {
    for says in [Found::Refunded, Found::NotRefunded].map(Some) {
        for (key, is_twin) in [("one", true), ("other", false)] {
            let (shop, _, refund) = quarantined_refund().await;
            let (other, (sender, first)) = (shop.another_process(), oneshot::channel());
            shop.steps.meanwhile("lookup", async move {
                sender.send(told(other, refund, "one", says).await.expect("done")).expect("waited for");
            });
            let mine = told(Arc::clone(&shop.payments), refund, key, says).await;
            is_answered(mine, is_twin, &first.await.expect("told"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_before_a_twin_that_did_it_is_answered_is_answered_as_the_twin() {
    for says in [Some(Found::Refunded), Some(Found::NotRefunded), None] {
        for (key, is_twin) in [("one", true), ("other", false)] {
            let (shop, _, refund) = quarantined_refund().await;
            let (other, (sender, mine)) = (shop.another_process(), oneshot::channel());
            let comes = async move {
                tokio::spawn(async move { sender.send(told(other, refund, key, says).await) });
                tokio::time::sleep(Duration::from_millis(75)).await;
            };
            if says.is_some() {
                // The request is written down, the refund changed, and the answer written down at last.
                let (second, third) = (Arc::clone(&shop.steps), Arc::clone(&shop.steps));
                let at_third = async move { third.meanwhile("commit", comes) };
                shop.steps.meanwhile("commit", async move { second.meanwhile("commit", at_third) });
            } else {
                shop.steps.meanwhile("cancel", comes);
            }
            let first = told(Arc::clone(&shop.payments), refund, "one", says).await.expect("done");
            is_answered(mine.await.expect("told"), is_twin, &first);
        }
    }
}

#[tokio::test]
async fn a_key_is_about_the_quarantine_that_it_was_sent_for() {
    let (shop, order, refund) = quarantined_refund().await;
    let is_refused = async || {
        let mut row = shop.books.load::<Refund>(refund).await.expect("in memory").expect("there");
        (row.record.state, row.record.due_at) = (RefundState::Quarantined, None);
        shop.books.commit(Unit::new().update(&row)).await.expect("in memory");
    };
    let resolve = async |key: &'static str| {
        told(Arc::clone(&shop.payments), refund, key, Some(Found::NotRefunded)).await.expect("answered");
        shop.refunds(order).await[0].state
    };
    for key in ["one", "two"] {
        is_refused().await;
        assert_eq!(resolve(key).await, RefundState::Pending);
        assert_eq!(resolve(key).await, RefundState::Pending, "the same again");
        is_refused().await;
        assert_eq!(resolve(key).await, RefundState::Quarantined, "it was about the one before");
    }
}

#[tokio::test]
async fn of_two_who_found_opposite_things_at_once_one_counts() {
    let (mut shop, order, id) = quarantined().await;
    let other = shop.another_process();
    // Both have read it before either writes.
    let (mine, theirs) = (shop.payments.case(&id).await.expect("there"), other.case(&id).await.expect("there"));
    let (one, two) = join(shop.payments.found(mine, Found::Charged), other.found(theirs, Found::NotCharged)).await;
    let (charged, not_charged) = (one.is_ok(), two.is_ok());
    assert!(charged != not_charged, "{charged} {not_charged}");
    let state = shop.attempts(order).await[0].state;
    assert_eq!(state, if charged { PaymentState::Done } else { PaymentState::Fail });
    shop.provider.set("key", if charged { ProviderStatus::Done } else { ProviderStatus::Aborted });
    shop.provider.silent(false);
    shop.rest().await;
    shop.check(order, "one of them").await;
}

/// One is too late with what they have found, wherever the other comes between: what they are told is what it is now.
async fn is_too_late(step: &'static str, mine: Found, theirs: Found) -> (Shop, OrderId, Refund) {
    let (mut shop, order, refund) = quarantined_refund().await;
    let (other, id) = (shop.another_process(), refund.to_string());
    let case = other.case(&id).await.expect("there");
    shop.steps.meanwhile(step, async move {
        other.found(case, theirs).await.expect("the first");
        other.refund_due().await.expect("sent, where it is to be");
    });
    let late = found(&shop.payments, &id, mine).await.expect_err("somebody else has found otherwise");
    assert_eq!((late.code(), &late.summary()["state"]), (ErrorCode::WrongState, &"DONE".into()), "{mine:?} at {step}");
    shop.rest().await;
    let row = shop.refunds(order).await.remove(0);
    assert_eq!((row.state, shop.attempts(order).await[0].refunded), (RefundState::Done, PRICE.amount));
    (shop, order, row)
}

#[tokio::test]
async fn of_two_who_found_opposite_things_of_a_refund_at_once_one_counts() {
    for step in ["lookup", "commit"] {
        let (shop, order, sent) = is_too_late(step, Found::Refunded, Found::NotRefunded).await;
        assert_eq!((shop.provider.kept(order), sent.was_moved_by_hand()), (0, false));
        let (shop, order, moved) = is_too_late(step, Found::NotRefunded, Found::Refunded).await;
        assert_eq!(
            (shop.provider.kept(order), moved.was_moved_by_hand()),
            (PRICE.amount, true),
            "it is sent by nobody"
        );
    }
}
