//! What a person does about a payment of which the provider says nothing.

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::HoldState;
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::ProviderStatus;
use futures_util::future::join;

use super::shop::{PRICE, Shop};
use crate::http::Outcome;
use crate::payments::Payments;
use crate::payments::quarantine::resolve::Found;

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
