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
    }
    indexes [index "sandbox_payments_by_order" ("order_id")]
}

impl SandboxPayment {
    /// Units that have not been sent back.
    pub(super) fn balance(&self) -> i64 {
        self.amount - self.cancels.0.iter().map(|cancel| cancel.amount).sum::<i64>()
    }

    /// The state at `now`: a payment that nobody confirmed expires by itself.
    pub(super) fn status_at(&self, now: Time) -> Status {
        if self.status == Status::InProgress && now >= self.expires_at { Status::Expired } else { self.status }
    }
}
