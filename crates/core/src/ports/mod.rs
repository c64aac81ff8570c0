//! Ports: what the roles need of the outside, one promise each.
//!
//! Business outcomes are `Ok` values. An `Err` is infrastructure: the caller may not conclude anything about what
//! happened, and [`PortError::is_retryable`] says whether the same call can succeed later.

mod archive;
mod clock;
mod event_log;
mod identity;
mod ledger;
mod limits;
mod mailer;
mod marks;
mod provider;
mod random;
mod records;
mod registry;
mod transactions;
mod transfer;

pub use archive::{ArchiveHead, HoldArchive, ListedOrder, OrderArchive, OrderQuery};
pub use clock::{Clock, SystemClock};
pub use event_log::{EventLog, LoggedEvent};
pub use identity::{IdentityAnswer, IdentityProvider};
pub use ledger::{JournalEntry, LedgerState, LiveCounters, RefusedCounts, StockLedger};
pub use limits::{SharedLimits, Taken};
pub use mailer::{Delivery, Mail, Mailer};
pub use marks::SessionMarks;
pub use provider::{PaymentProvider, ProviderAnswer, ProviderCancel, ProviderPayment, ProviderStatus};
pub use random::{Random, random_bytes};
pub use records::{Committed, Records};
pub use registry::{Instance, Load, Registry, RoleName};
pub use transactions::{Movement, ProviderTransaction, ProviderTransactions};
pub use transfer::{
    AccountRequest, Personal, ProviderAccount, ProviderReceipt, ReceiptAnswer, ReceiptKind, ReceiptRequest,
    RefundAccount,
};

/// The infrastructure did not do its part.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// More work waits than can be done in time; nothing was done.
    #[error("overloaded")]
    Overloaded,
    /// It cannot be reached or is shutting down; what was asked may or may not have happened.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The disk takes no more. Nothing was done; only a ledger may do it yet when there is space again, and asking again
    /// tells.
    #[error("storage is full: {0}")]
    StorageFull(String),
    /// What is stored is not what was written. Nobody should go on from here.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// What was durable is gone, or is of another log. A person must look, and nothing of what is left may be thrown away.
    #[error("lost: {0}")]
    Lost(String),
    /// The call itself is wrong: an unknown table, a value of the wrong kind.
    #[error("misused: {0}")]
    Misused(String),
}

impl PortError {
    /// Whether the same call can succeed later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Unavailable(_) | Self::StorageFull(_))
    }
}
