//! The payment provider as the shop reaches it: its answers do not always arrive, and requests come late.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::money::Money;
use firstcome_core::ports::{
    AccountRequest, Clock, PaymentProvider, PortError, ProviderAnswer, ProviderCancel, ProviderPayment, ProviderStatus,
    ProviderTransactions, ReceiptAnswer, ReceiptRequest, RefundAccount,
};
use firstcome_core::testkit::TestClock;
use firstcome_core::time::Time;
use parking_lot::Mutex;

use super::charges::{Books, Late, refused};
use super::faults::{Faults, Harm};
use super::gates::Gates;

/// The longest that a call waits for an answer that does not come.
const DEADLINE_SECONDS: u64 = 10;

/// The people of this shop pay by card.
const ONLY_CARDS: &str = "NOT_SUPPORTED_METHOD";

fn no_receipt() -> ReceiptAnswer {
    ReceiptAnswer::Refused { code: ONLY_CARDS.to_owned(), message: "no".to_owned() }
}

fn silence() -> ProviderAnswer {
    ProviderAnswer::Unknown { reason: "no answer".to_owned() }
}

/// The provider as the shop reaches it.
pub(super) struct Provider {
    pub(super) books: Arc<Mutex<Books>>,
    pub(super) clock: TestClock,
    pub(super) gates: Arc<Gates>,
    pub(super) faults: Arc<Faults>,
}

impl Provider {
    /// A request arrives or not, now or later; its answer comes or not.
    async fn ask(&self, late: Option<Late>, work: impl FnOnce(&mut Books) -> ProviderAnswer + Send) -> ProviderAnswer {
        self.gates.pass().await;
        let weather = self.faults.weather;
        if self.faults.strike(weather.silence, 300) {
            self.faults.note(format!("provider: nothing arrives, perhaps later: {late:?}"));
            // It may yet arrive.
            if let Some(late) = late.filter(|_| self.faults.strike(1, 2)) {
                self.books.lock().late.push(late);
            }
            return self.no_answer().await;
        }
        let answer = {
            let mut books = self.books.lock();
            books.expire(self.clock.now());
            work(&mut books)
        };
        self.faults.note(format!("provider: {answer:?}"));
        self.gates.pass().await;
        if self.faults.strike(weather.silence, 150) { self.no_answer().await } else { answer }
    }

    async fn no_answer(&self) -> ProviderAnswer {
        tokio::time::sleep(Duration::from_secs(self.faults.below(DEADLINE_SECONDS))).await;
        silence()
    }
}

#[async_trait]
impl PaymentProvider for Provider {
    async fn lookup(&self, payment_key: &str) -> ProviderAnswer {
        self.ask(None, |books| books.found(|payment| payment.payment_key == payment_key)).await
    }

    async fn lookup_order(&self, order: OrderId) -> ProviderAnswer {
        self.ask(None, |books| books.found(|payment| payment.order_id == order.to_string())).await
    }

    async fn confirm(&self, _: PaymentId, payment_key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let late = Late::Confirm(payment_key.to_owned(), order, amount);
        let (harm, now) = (self.faults.harm, self.clock.now());
        let work = |books: &mut Books| {
            if harm == Some(Harm::ConfirmsTwice) {
                let twin = format!("{payment_key}-twin");
                books.pay(&twin, &order.to_string(), amount, None, now);
                books.confirm(&twin, order, amount);
                books.notices.clear();
            }
            let answer = books.confirm(payment_key, order, amount);
            match books.charges.get(payment_key) {
                Some(charge) if harm == Some(Harm::BelievesDeclines) && charge.declined.is_some() => {
                    let payment = ProviderPayment { status: ProviderStatus::Done, ..charge.payment.clone() };
                    ProviderAnswer::Payment(payment)
                }
                _ => answer,
            }
        };
        self.ask(Some(late), work).await
    }

    async fn cancel(
        &self,
        refund: RefundId,
        payment_key: &str,
        amount: Money,
        _: i64,
        _: &str,
        _: Option<&RefundAccount>,
    ) -> ProviderAnswer {
        let late = Late::Cancel(refund, payment_key.to_owned(), amount.amount);
        let harm = self.faults.harm;
        let work = |books: &mut Books| match harm {
            Some(Harm::RefundsNothing) => {
                let Some(charge) = books.charges.get(payment_key) else { return refused("NOT_FOUND_PAYMENT") };
                let mut payment = charge.payment.clone();
                let transaction = "nothing".to_owned();
                payment.cancels.push(ProviderCancel {
                    transaction,
                    amount: amount.amount,
                    tax_free: 0,
                    refund: Some(refund),
                });
                ProviderAnswer::Payment(payment)
            }
            Some(Harm::RefundsInHalves) => {
                let half = amount.amount / 2;
                books.cancel(payment_key, half, None);
                books.cancel(payment_key, half, Some(refund))
            }
            _ => books.cancel(payment_key, amount.amount, Some(refund)),
        };
        self.ask(Some(late), work).await
    }

    async fn open_account(&self, _: PaymentId, _: &AccountRequest) -> ProviderAnswer {
        refused(ONLY_CARDS)
    }

    async fn close_account(&self, _: PaymentId, _: &str) -> ProviderAnswer {
        refused(ONLY_CARDS)
    }

    async fn issue_receipt(&self, _: PaymentId, _: &ReceiptRequest) -> ReceiptAnswer {
        no_receipt()
    }

    async fn lower_receipt(&self, _: PaymentId, _: &str, _: Money, _: i64) -> ReceiptAnswer {
        no_receipt()
    }

    /// It has none: what it moved is compared with the books by the simulation itself, to the unit and not by the day.
    async fn transactions(&self, _: Time, _: Time, _: Option<&str>) -> Result<ProviderTransactions, PortError> {
        Err(PortError::Unavailable("no list of transactions here".to_owned()))
    }
}
