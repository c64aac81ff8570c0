//! A provider in memory: payments, charges and cancels, idempotent by key as the real one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::money::Money;
use firstcome_core::ports::{PaymentProvider, ProviderAnswer, ProviderCancel, ProviderPayment, ProviderStatus};
use parking_lot::Mutex;

use crate::harm::Steps;

#[derive(Default)]
struct Books {
    payments: BTreeMap<String, ProviderPayment>,
    refused: HashMap<String, String>,
    silent: bool,
}

pub(super) struct TestProvider {
    books: Mutex<Books>,
    steps: Arc<Steps>,
}

fn refused(code: &str) -> ProviderAnswer {
    ProviderAnswer::Refused { code: code.to_owned(), message: "no".to_owned() }
}

fn silence() -> ProviderAnswer {
    ProviderAnswer::Unknown { reason: "harmed".to_owned() }
}

impl TestProvider {
    pub(super) fn new(steps: Arc<Steps>) -> Self {
        Self { books: Mutex::default(), steps }
    }

    /// A buyer pays in the widget.
    pub(super) fn pay(&self, key: &str, order: &str, total: Money) {
        let payment = ProviderPayment {
            payment_key: key.to_owned(),
            order_id: order.to_owned(),
            status: ProviderStatus::InProgress,
            total,
            balance: total,
            cancels: Vec::new(),
        };
        self.books.lock().payments.insert(key.to_owned(), payment);
    }

    /// Declines this payment's confirmation.
    pub(super) fn decline(&self, key: &str, code: &str) {
        self.books.lock().refused.insert(key.to_owned(), code.to_owned());
    }

    /// Answers nothing from now on, or answers again.
    pub(super) fn silent(&self, silent: bool) {
        self.books.lock().silent = silent;
    }

    pub(super) fn set(&self, key: &str, status: ProviderStatus) {
        if let Some(payment) = self.books.lock().payments.get_mut(key) {
            payment.status = status;
        }
    }

    pub(super) fn payment(&self, key: &str) -> ProviderPayment {
        self.books.lock().payments[key].clone()
    }

    /// Minor units of an order that are with the shop.
    pub(super) fn kept(&self, order: OrderId) -> i64 {
        let books = self.books.lock();
        let of_order = books.payments.values().filter(|payment| payment.order_id == order.to_string());
        of_order.filter(|payment| is_charged(payment.status)).map(|payment| payment.balance.amount).sum()
    }

    /// Cancels in the console.
    pub(super) fn cancel_in_console(&self, key: &str, amount: i64) {
        self.cancel_now(key, amount, None, &format!("console {amount}"));
    }

    fn cancel_now(&self, key: &str, amount: i64, refund: Option<RefundId>, transaction: &str) -> ProviderAnswer {
        let mut books = self.books.lock();
        let Some(payment) = books.payments.get_mut(key) else { return refused("NOT_FOUND_PAYMENT") };
        if refund.is_some() && payment.cancels.iter().any(|cancel| cancel.refund == refund) {
            return ProviderAnswer::Payment(payment.clone());
        }
        if payment.status == ProviderStatus::Canceled {
            return refused("ALREADY_CANCELED_PAYMENT");
        }
        if !is_charged(payment.status) || amount > payment.balance.amount {
            return refused("NOT_CANCELABLE_AMOUNT");
        }
        payment.balance.amount -= amount;
        payment.cancels.push(ProviderCancel { transaction: transaction.to_owned(), amount, refund });
        payment.status =
            if payment.balance.amount == 0 { ProviderStatus::Canceled } else { ProviderStatus::PartialCanceled };
        ProviderAnswer::Payment(payment.clone())
    }

    fn confirm_now(&self, key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let mut books = self.books.lock();
        let declined = books.refused.get(key).cloned();
        let Some(payment) = books.payments.get_mut(key) else { return refused("NOT_FOUND_PAYMENT") };
        if payment.order_id != order.to_string() || payment.total != amount {
            return refused("INVALID_REQUEST");
        }
        match (payment.status, declined) {
            (ProviderStatus::InProgress, Some(code)) => {
                payment.status = ProviderStatus::Aborted;
                refused(&code)
            }
            (ProviderStatus::InProgress, None) => {
                payment.status = ProviderStatus::Done;
                ProviderAnswer::Payment(payment.clone())
            }
            // What the client makes of ALREADY_PROCESSED_PAYMENT.
            _ => ProviderAnswer::Payment(payment.clone()),
        }
    }

    fn found(&self, found: impl Fn(&ProviderPayment) -> bool) -> ProviderAnswer {
        let books = self.books.lock();
        let payment = books.payments.values().rfind(|payment| found(payment));
        payment.map_or_else(|| refused("NOT_FOUND_PAYMENT"), |payment| ProviderAnswer::Payment(payment.clone()))
    }

    fn or_silence(&self, answer: impl FnOnce() -> ProviderAnswer) -> ProviderAnswer {
        if self.books.lock().silent { silence() } else { answer() }
    }
}

fn is_charged(status: ProviderStatus) -> bool {
    matches!(status, ProviderStatus::Done | ProviderStatus::PartialCanceled | ProviderStatus::Canceled)
}

#[async_trait]
impl PaymentProvider for TestProvider {
    async fn lookup(&self, payment_key: &str) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.found(|payment| payment.payment_key == payment_key));
        self.steps.pass("lookup", work, silence).await
    }
    async fn lookup_order(&self, order: OrderId) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.found(|payment| payment.order_id == order.to_string()));
        self.steps.pass("lookup_order", work, silence).await
    }
    async fn confirm(&self, _: PaymentId, payment_key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.confirm_now(payment_key, order, amount));
        self.steps.pass("confirm", work, silence).await
    }
    async fn cancel(&self, refund: RefundId, payment_key: &str, amount: Money, _: &str) -> ProviderAnswer {
        let transaction = refund.to_string();
        let work = async || self.or_silence(|| self.cancel_now(payment_key, amount.amount, Some(refund), &transaction));
        self.steps.pass("cancel", work, silence).await
    }
}
