//! How often it is looked before a cash receipt is issued.

use std::sync::Arc;

use firstcome_core::events::topics;
use firstcome_core::payment::ReceiptState;
use firstcome_core::records::RecordsExt as _;

use super::shop::Shop;
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
