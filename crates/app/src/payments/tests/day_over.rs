//! Money for a day that is over: none is taken, and what comes by itself goes back whole.

use std::time::Duration;

use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Command, HoldState, Terms};
use firstcome_core::ports::{Clock as _, ProviderStatus, StockLedger as _};
use firstcome_core::records::RecordsExt as _;
use firstcome_core::time::Time;

use super::shop::{HOLD_FOR, OFFER, PRICE, Shop};
use crate::payments::transfer::VirtualAccount;

const MINUTE: Duration = Duration::from_secs(60);

/// What the offer sells can be used until then.
async fn ends_at(shop: &Shop, end: Time) {
    let state = shop.ledger.snapshot(OFFER).await.expect("in memory").expect("there are terms");
    let terms = state.offer.terms;
    shop.ledger.now(OFFER, &Command::SetTerms(Terms { version: terms.version + 1, usable_until: Some(end), ..terms }));
}

/// A shop with units left, an order in it and the key of its account.
async fn with_account() -> (Shop, OrderId, String) {
    let mut shop = Shop::open(5);
    let order = shop.order("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    (shop, order, key)
}

async fn went_back_whole(shop: &Shop, order: OrderId, state: HoldState) {
    shop.check(order, "the day is over").await;
    assert_eq!(shop.state(order), Some(state));
    let amounts: Vec<i64> = shop.refunds(order).await.iter().map(|refund| refund.amount).collect();
    assert_eq!((amounts, shop.provider.kept(order)), (vec![PRICE.amount], 0));
}

#[tokio::test]
async fn a_deposit_after_the_day_goes_back_whole_though_there_are_units() {
    let (mut shop, order, key) = with_account().await;
    shop.expire(order);
    shop.provider.expire(&key);
    shop.rest().await;
    ends_at(&shop, shop.clock.now()).await;
    shop.provider.deposit(&key);
    shop.clock.advance(HOLD_FOR);
    shop.notice_of_deposit(order).await;
    shop.rest().await;
    went_back_whole(&shop, order, HoldState::Released).await;
}

#[tokio::test]
async fn a_deposit_after_the_day_goes_back_whole_though_the_order_is_held() {
    let (mut shop, order, key) = with_account().await;
    ends_at(&shop, shop.clock.now() + MINUTE).await;
    shop.clock.advance(MINUTE);
    shop.provider.deposit(&key);
    shop.notice_of_deposit(order).await;
    shop.rest().await;
    went_back_whole(&shop, order, HoldState::Held).await;
}

#[tokio::test]
async fn a_charge_without_us_after_the_day_goes_back_whole() {
    let mut shop = Shop::open(5);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    ends_at(&shop, shop.clock.now()).await;
    shop.provider.set("key", ProviderStatus::Done);
    shop.notice("key").await;
    shop.rest().await;
    went_back_whole(&shop, order, HoldState::Held).await;
}

#[tokio::test]
async fn nobody_is_charged_after_the_day() {
    let mut shop = Shop::open(5);
    let order = shop.order("order");
    shop.provider.pay("key", &order.to_string(), PRICE);
    ends_at(&shop, shop.clock.now() + MINUTE).await;
    shop.clock.advance(MINUTE);
    assert_eq!(shop.confirm("pay", order, "key").await, Some(409));
    let (status, problem) = shop.transfer("transfer", order).await.expect("no crash");
    assert_eq!((status, problem["code"].as_str()), (409, Some("hold_expired")));
    assert_eq!(problem["detail"], "The day that the order is for is over. No money was taken");
    shop.rest().await;
    assert!(shop.attempts(order).await.is_empty() && shop.provider.accounts().is_empty());
    shop.check(order, "refused").await;
}

#[tokio::test]
async fn an_account_closes_with_the_day() {
    let mut shop = Shop::open(5);
    let (order, end) = (shop.order("order"), shop.clock.now() + MINUTE);
    ends_at(&shop, end).await;
    shop.transfer("one", order).await;
    let attempt = shop.attempts(order).await.remove(0);
    let account = shop.books.load::<VirtualAccount>(attempt.payment_id).await.expect("in memory");
    assert_eq!(account.map(|account| account.record.due_at), Some(end));
}
