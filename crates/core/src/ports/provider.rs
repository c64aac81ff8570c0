//! The payment provider (PSP). The client speaks the Toss Payments core API; see `docs.tosspayments.com/reference`.

use async_trait::async_trait;

use super::PortError;
use super::transactions::ProviderTransactions;
use super::transfer::{AccountRequest, ProviderAccount, ReceiptAnswer, ReceiptRequest, RefundAccount};
use crate::ids::{OrderId, PaymentId, RefundId};
use crate::money::Money;
use crate::time::Time;

/// What the provider says a payment's state is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProviderStatus {
    /// Created, not yet authenticated by the buyer.
    Ready,
    /// Authenticated by the buyer, waiting for our confirmation.
    InProgress,
    /// A virtual account was issued and waits for a deposit.
    WaitingForDeposit,
    /// The money is there.
    Done,
    /// Sent back whole.
    Canceled,
    /// Sent back in part.
    PartialCanceled,
    /// The approval failed.
    Aborted,
    /// It was never confirmed in time.
    Expired,
}

impl ProviderStatus {
    /// Whether the money came, and perhaps went back since.
    pub fn is_charged(self) -> bool {
        matches!(self, Self::Done | Self::PartialCanceled | Self::Canceled)
    }

    /// Whether no money can move by this payment any more.
    pub fn is_final_no(self) -> bool {
        matches!(self, Self::Aborted | Self::Expired)
    }
}

/// A payment as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderPayment {
    /// The provider's name for it.
    pub payment_key: String,
    /// Our order, as the provider was told.
    pub order_id: String,
    /// Its state.
    pub status: ProviderStatus,
    /// What it was for.
    pub total: Money,
    /// What is left of it after cancels.
    pub balance: Money,
    /// Minor units of what is left that the provider counts as free of VAT.
    pub tax_free: i64,
    /// Every cancel, oldest first.
    pub cancels: Vec<ProviderCancel>,
    /// The virtual account that is paid into; none when it is paid otherwise.
    pub account: Option<ProviderAccount>,
}

impl ProviderPayment {
    /// Minor units of all that was charged that the provider counts as free of VAT.
    pub fn charged_tax_free(&self) -> i64 {
        self.cancels.iter().map(|cancel| cancel.tax_free).fold(self.tax_free, i64::saturating_add)
    }
}

/// Money that the provider sent back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderCancel {
    /// The provider's name for it.
    pub transaction: String,
    /// Minor units.
    pub amount: i64,
    /// Minor units of it that the provider counts as free of VAT.
    pub tax_free: i64,
    /// The refund of ours that asked for it; none for one that was made at the provider's side.
    pub refund: Option<RefundId>,
}

/// What came of a call to the provider. Silence is an outcome: money may have moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProviderAnswer {
    /// It answered with the payment as it is now.
    Payment(ProviderPayment),
    /// It refused for good, with a code that does not change by asking again.
    Refused {
        /// The provider's error code.
        code: String,
        /// The provider's message, for people.
        message: String,
    },
    /// No answer, or one that says to ask again. Nothing may be concluded.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

/// A payment provider. Every call may be repeated: what changes something carries an idempotency key of ours.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// The payment of this key.
    async fn lookup(&self, payment_key: &str) -> ProviderAnswer;
    /// The latest payment of this order.
    async fn lookup_order(&self, order: OrderId) -> ProviderAnswer;
    /// Collects the money. The attempt's id is the idempotency key.
    async fn confirm(&self, attempt: PaymentId, payment_key: &str, order: OrderId, amount: Money) -> ProviderAnswer;
    /// Sends money back, of which so many minor units are free of VAT; that of a deposit to the account of this name. The
    /// refund's id is the idempotency key.
    async fn cancel(
        &self,
        refund: RefundId,
        payment_key: &str,
        amount: Money,
        tax_free: i64,
        reason: &str,
        to: Option<&RefundAccount>,
    ) -> ProviderAnswer;
    /// Opens a virtual account for a deposit. The attempt's id is the idempotency key.
    async fn open_account(&self, attempt: PaymentId, account: &AccountRequest) -> ProviderAnswer;
    /// Closes a virtual account into which nothing was paid; refused when something was.
    async fn close_account(&self, attempt: PaymentId, payment_key: &str) -> ProviderAnswer;
    /// Issues a cash receipt for a deposit. The attempt's id is the idempotency key.
    async fn issue_receipt(&self, attempt: PaymentId, receipt: &ReceiptRequest) -> ReceiptAnswer;
    /// Lowers a cash receipt by what went back, of which `before` had gone back before: the idempotency key.
    async fn lower_receipt(&self, attempt: PaymentId, receipt_key: &str, amount: Money, before: i64) -> ReceiptAnswer;
    /// The movements of money from one moment until before another, oldest first, a page at a time. `after` is the `next` of
    /// the page before.
    async fn transactions(
        &self,
        from: Time,
        until: Time,
        after: Option<&str>,
    ) -> Result<ProviderTransactions, PortError>;
}
