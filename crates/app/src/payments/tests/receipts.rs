//! What is asked, and how often, before a cash receipt is issued; and what it says.

use std::sync::Arc;

use firstcome_core::events::topics;
use firstcome_core::ids::RefundId;
use firstcome_core::payment::ReceiptState;
use firstcome_core::ports::EventLog as _;
use firstcome_core::records::RecordsExt as _;

use super::shop::{PRICE, Shop};
use crate::consumer::Handler as _;
use crate::payments::receipts::{CashReceipt, Told};

#[tokio::test]
async fn what_is_not_delivered_yet_is_looked_at_more_and_more_rarely() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    shop.provider.deposit(&key);
    shop.notice_of_deposit(order).await;
    // Nobody delivers for it yet.
    shop.payments.consumer(topics::PAYMENTS, Told(Arc::clone(&shop.payments))).catch_up().await.expect("in memory");
    let payment = shop.attempts(order).await[0].payment_id;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        shop.payments.receipts_due().await.expect("in memory");
        let receipt = shop.books.load::<CashReceipt>(payment).await.expect("in memory").expect("it is wanted").record;
        let pause = receipt.due_at.expect("it is waited for").since(shop.payments.now());
        pauses.push(pause.as_secs());
        shop.clock.advance(pause);
    }
    assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
    shop.rest().await;
    let receipt = shop.books.load::<CashReceipt>(payment).await.expect("in memory").map(|receipt| receipt.record.state);
    assert_eq!(receipt, Some(ReceiptState::Issued));
}

#[tokio::test]
async fn charges_by_card_are_asked_about_together() {
    let mut shop = Shop::open(3);
    for name in ["one", "two", "three"] {
        let order = shop.order(name);
        shop.provider.pay(name, &order.to_string(), PRICE);
        assert_eq!(shop.confirm(name, order, name).await, Some(200));
    }
    let told = shop.books.read(topics::PAYMENTS, 0, 1000).await.expect("in memory");
    assert_eq!(told.iter().filter(|event| event.kind == "payment.done").count(), 3);
    let before = shop.steps.seen();
    let unit = Told(Arc::clone(&shop.payments)).handle(&told).await.expect("handled");
    assert_eq!((shop.steps.seen() - before, unit.is_empty()), (1, true));
}

#[tokio::test]
async fn what_is_free_of_vat_is_told_with_the_account_the_receipt_and_each_refund() {
    let mut shop = Shop::open(1);
    let order = shop.order_free_of_vat("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    assert_eq!(shop.provider.payment(&key).tax_free, PRICE.amount);
    shop.provider.deposit(&key);
    shop.notice_of_deposit(order).await;
    shop.rest().await;
    assert_eq!(shop.provider.receipts_tax_free(), [PRICE.amount]);
    shop.approve(RefundId([1; 16]), order, 300).await;
    shop.rest().await;
    assert_eq!(shop.provider.told_tax_free(), [300], "there is nothing else in it");
}
