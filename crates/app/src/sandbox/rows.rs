//! What the sandbox believes.

use firstcome_core::money::Currency;
use firstcome_core::record;
use firstcome_core::records::Json;
use firstcome_core::text_enum;
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};

text_enum! {
    /// The state of a payment, in the provider's words.
    pub(super) enum Status {
        /// The buyer has paid in the widget; the shop has not confirmed.
        InProgress = "IN_PROGRESS",
        /// A virtual account is open, and nothing was paid in.
        WaitingForDeposit = "WAITING_FOR_DEPOSIT",
        /// The money moved.
        Done = "DONE",
        /// All of it went back.
        Canceled = "CANCELED",
        /// Part of it went back.
        PartialCanceled = "PARTIAL_CANCELED",
        /// The approval was declined.
        Aborted = "ABORTED",
        /// It was not confirmed in time.
        Expired = "EXPIRED",
    }
}

/// Why an approval was declined.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
}

/// Money sent back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Cancel {
    pub(super) transaction_key: String,
    pub(super) amount: i64,
    pub(super) reason: String,
    pub(super) at: Time,
    /// The idempotency key that it was asked for with.
    pub(super) key: Option<String>,
    /// What of the amount is free of VAT.
    #[serde(default)]
    pub(super) tax_free: i64,
}

/// A virtual account. Of people it keeps what cannot be read any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) bank: String,
    pub(super) number: String,
    /// Masked.
    pub(super) customer_name: String,
    /// What a notice of a deposit proves itself with.
    pub(super) secret: String,
    /// Where money went back to.
    #[serde(default)]
    pub(super) refunded_to: Option<RefundedTo>,
}

/// Where money of a deposit went back to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct RefundedTo {
    pub(super) bank: String,
    /// Masked.
    pub(super) number: String,
    /// Masked.
    pub(super) holder: String,
}

record! {
    /// A payment.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SandboxPayment in "sandbox_payments" {
        pub(super) payment_key: String,
        pub(super) order_id: String,
        pub(super) order_name: String,
        /// Whole units of the currency.
        pub(super) amount: i64,
        pub(super) currency: Currency,
        pub(super) status: Status,
        pub(super) requested_at: Time,
        pub(super) expires_at: Time,
        pub(super) approved_at: Option<Time>,
        pub(super) approval_key: Option<String>,
        /// The idempotency key of the confirmation that was concluded.
        pub(super) confirm_key: Option<String>,
        pub(super) failure: Json<Option<Failure>>,
        pub(super) cancels: Json<Vec<Cancel>>,
        /// The virtual account, if it is paid by one.
        pub(super) account: Option<Json<Account>>,
        /// The idempotency key that the account was asked for with.
        pub(super) open_key: Option<String>,
        /// What of the amount is free of VAT; nothing when it was not said.
        pub(super) tax_free: Option<i64>,
    }
    indexes [
        index "sandbox_payments_by_order" ("order_id"),
        index "sandbox_payments_by_open_key" ("open_key"),
    ]
}

record! {
    /// A movement of money: a charge, or a cancel.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SandboxTransaction in "sandbox_transactions" {
        pub(super) transaction_key: String,
        pub(super) payment_key: String,
        pub(super) order_id: String,
        /// Whole units of the currency.
        pub(super) amount: i64,
        pub(super) currency: Currency,
        /// What the payment was after it.
        pub(super) status: Status,
        pub(super) at: Time,
    }
    indexes [index "sandbox_transactions_by_time" ("at")]
}

impl SandboxTransaction {
    /// What moved when a payment became another: at most one thing does at a time.
    pub(super) fn between(before: &SandboxPayment, after: &SandboxPayment) -> Option<Self> {
        let moved = |transaction_key: &str, amount, at| Self {
            transaction_key: transaction_key.to_owned(),
            payment_key: after.payment_key.clone(),
            order_id: after.order_id.clone(),
            amount,
            currency: after.currency,
            status: after.status,
            at,
        };
        // An account that is closed before anything was paid into it moves nothing.
        after.approved_at?;
        if let Some(cancel) = after.cancels.0.get(before.cancels.0.len()) {
            return Some(moved(&cancel.transaction_key, cancel.amount, cancel.at));
        }
        let charged_at = after.approved_at.filter(|_| before.approved_at.is_none())?;
        Some(moved(after.approval_key.as_deref()?, after.amount, charged_at))
    }
}

impl SandboxPayment {
    /// Units that have not been sent back.
    pub(super) fn balance(&self) -> i64 {
        self.amount - self.cancels.0.iter().map(|cancel| cancel.amount).sum::<i64>()
    }

    /// Units free of VAT that have not been sent back.
    pub(super) fn tax_free_left(&self) -> i64 {
        self.tax_free.unwrap_or(0) - self.cancels.0.iter().map(|cancel| cancel.tax_free).sum::<i64>()
    }

    /// The state at `now`: a payment that nobody confirmed, or paid into, expires by itself.
    pub(super) fn status_at(&self, now: Time) -> Status {
        let waits = matches!(self.status, Status::InProgress | Status::WaitingForDeposit);
        if waits && now >= self.expires_at { Status::Expired } else { self.status }
    }
}

/// A part of a cash receipt that was canceled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ReceiptCancel {
    pub(super) amount: i64,
    pub(super) at: Time,
    /// The idempotency key that it was asked for with.
    pub(super) key: Option<String>,
}

record! {
    /// A cash receipt.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SandboxReceipt in "sandbox_receipts" {
        pub(super) receipt_key: String,
        pub(super) order_id: String,
        pub(super) order_name: String,
        /// In the provider's words.
        pub(super) kind: String,
        pub(super) amount: i64,
        pub(super) issue_number: String,
        /// Masked.
        pub(super) customer: String,
        pub(super) requested_at: Time,
        /// The idempotency key that it was asked for with.
        pub(super) issue_key: Option<String>,
        pub(super) cancels: Json<Vec<ReceiptCancel>>,
        /// What of the amount is free of VAT; nothing when it was not said.
        pub(super) tax_free: Option<i64>,
    }
    indexes [
        index "sandbox_receipts_by_order" ("order_id"),
        index "sandbox_receipts_by_issue_key" ("issue_key"),
    ]
}

impl SandboxReceipt {
    /// Units that were not canceled.
    pub(super) fn left(&self) -> i64 {
        self.amount - self.cancels.0.iter().map(|cancel| cancel.amount).sum::<i64>()
    }
}
