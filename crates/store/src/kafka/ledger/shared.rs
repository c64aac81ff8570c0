//! What callers, the engine and its threads share.

use firstcome_core::ledger::Now;
use firstcome_core::ports::PortError;
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::AtomicU64;
use tokio::sync::oneshot;

use super::KafkaLedgerOptions;
use super::copy::Keeping;
use super::inbox::Inbox;
use super::keys::RecentKeys;
use crate::lane::Lanes;

/// Tells that what was read is as new as the question.
pub(super) type Current = oneshot::Sender<Result<(), PortError>>;

pub(super) struct Shared {
    pub(super) options: KafkaLedgerOptions,
    pub(super) lanes: Lanes,
    pub(super) inbox: Inbox,
    pub(super) keeping: Keeping,
    /// Why nothing can be decided for now.
    pub(super) trouble: RwLock<Option<PortError>>,
    /// Who waits to know that what was read is current.
    /// None when nobody will tell any more.
    pub(super) askers: Mutex<Option<Vec<Current>>>,
    /// Keys of orders that the archive does not have yet.
    pub(super) keys: RecentKeys,
    /// Records that lost a race and were decided again.
    pub(super) races_lost: AtomicU64,
}

impl Shared {
    /// The time of a decision. This clock may be ahead of the broker's, by which nothing is late before its time.
    pub(super) fn now(&self) -> Now {
        Now { at: self.options.clock.now(), doubt: self.options.skew.unwrap_or_default() }
    }

    /// Why nothing can be decided for now, if that is so.
    pub(super) fn trouble(&self) -> Option<PortError> {
        self.trouble.read().clone()
    }
}
