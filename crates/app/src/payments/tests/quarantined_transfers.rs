//! What a person does about a bank transfer of which the provider says nothing.

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::HoldState;
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::{AccountRequest, PaymentProvider as _, Personal};
use firstcome_core::records::RecordsExt as _;
use serde_json::json;

use super::quarantine::found;
use super::shop::{PRICE, Shop};
use crate::payments::quarantine::list::View;
use crate::payments::quarantine::resolve::Found;
use crate::payments::transfer::VirtualAccount;

/// A bank transfer that was silent for too long, since it was asked for or since it has its number.
async fn quarantined(is_named: bool) -> (Shop, OrderId, String) {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.silent(!is_named);
    shop.transfer("transfer", order).await;
    shop.provider.silent(true);
    shop.expire(order);
    shop.clock.advance(Duration::from_hours(25));
    shop.payments.resolve_due().await.expect("asked");
    let payment = &shop.attempts(order).await[0];
    assert_eq!((payment.state, payment.is_unnamed()), (PaymentState::Quarantined, !is_named));
    let id = payment.payment_id.to_string();
    (shop, order, id)
}

/// What a person is shown of it.
async fn shown(shop: &Shop, id: &str) -> serde_json::Value {
    let case = shop.payments.case(id).await.expect("there");
    serde_json::to_value(View::of(&case, &shop.payments.options)).expect("JSON")
}

async fn is_refused(shop: &Shop, order: OrderId, id: &str, what: Found) {
    let refused = found(&shop.payments, id, what).await.expect_err("it is otherwise");
    assert_eq!(refused.code(), ErrorCode::WrongState);
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Quarantined);
}

#[tokio::test]
async fn a_deposit_that_was_found_is_delivered_for() {
    let (mut shop, order, id) = quarantined(true).await;
    let key = shop.provider.accounts().remove(0);
    assert_eq!(shown(&shop, &id).await["payment_key"], key);
    assert_eq!(shown(&shop, &id).await["outcomes"], json!(["charged", "not_charged"]));
    shop.provider.deposit(&key);
    found(&shop.payments, &id, Found::Charged).await.expect("it goes on");
    let payment = shop.attempts(order).await.remove(0);
    assert_eq!((payment.state, payment.live), (PaymentState::Done, Some(order)), "no other attempt may begin");
    shop.provider.silent(false);
    shop.rest().await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
    shop.check(order, "charged").await;
}

#[tokio::test]
async fn an_account_into_which_nothing_was_found_paid_is_given_up() {
    for is_named in [true, false] {
        let (mut shop, order, id) = quarantined(is_named).await;
        found(&shop.payments, &id, Found::NotCharged).await.expect("it goes on");
        let payment = shop.attempts(order).await.remove(0);
        assert_eq!((payment.state, payment.code.as_deref()), (PaymentState::Fail, Some("RESOLVED_BY_HAND")));
        let account = shop.books.load::<VirtualAccount>(payment.payment_id).await.expect("in memory").expect("there");
        assert_eq!(account.record.live, None, "another may be asked for");
        shop.provider.silent(false);
        if is_named {
            // Its notice is lost.
            shop.provider.deposit(&payment.payment_key);
            shop.clock.advance(Duration::from_secs(60));
        }
        shop.rest().await;
        assert_eq!(shop.state(order), Some(if is_named { HoldState::Sold } else { HoldState::Released }));
        shop.check(order, "a deposit that comes late is no less a deposit").await;
    }
}

#[tokio::test]
async fn an_account_that_the_provider_has_not_named_cannot_be_found_paid() {
    let (mut shop, order, id) = quarantined(false).await;
    let view = shown(&shop, &id).await;
    assert_eq!((view.get("payment_key"), &view["outcomes"]), (None, &json!(["not_charged"])));
    is_refused(&shop, order, &id, Found::Charged).await;
    // It has one after all, and somebody paid into it.
    shop.provider.silent(false);
    let attempt = shop.attempts(order).await.remove(0);
    let due_at = attempt.created_at;
    let request = AccountRequest {
        order,
        amount: PRICE,
        tax_free: 0,
        bank: "88".into(),
        depositor: Personal("Zebulon".into()),
        due_at,
    };
    shop.provider.open_account(attempt.payment_id, &request).await;
    shop.provider.deposit(&shop.provider.accounts()[0]);
    is_refused(&shop, order, &id, Found::NotCharged).await;
    is_refused(&shop, order, &id, Found::Charged).await;
    let case = shop.payments.case(&id).await.expect("there");
    shop.payments.ask_again(case).await.expect("asked");
    assert!(shown(&shop, &id).await.get("payment_key").is_some());
    shop.notice_of_deposit(order).await;
    shop.rest().await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
    shop.check(order, "asked again").await;
}

#[tokio::test]
async fn what_the_provider_says_of_an_account_counts_more_than_what_a_person_says() {
    let (shop, order, id) = quarantined(true).await;
    shop.provider.silent(false);
    is_refused(&shop, order, &id, Found::Charged).await;
    shop.provider.deposit(&shop.provider.accounts()[0]);
    is_refused(&shop, order, &id, Found::NotCharged).await;
}
