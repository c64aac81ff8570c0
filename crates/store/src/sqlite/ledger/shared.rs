//! What callers and the engine share.

use std::sync::atomic::{AtomicBool, Ordering};

use firstcome_core::ports::PortError;

use super::LedgerOptions;
use crate::lane::Lanes;

pub(super) struct Shared {
    pub(super) options: LedgerOptions,
    pub(super) lanes: Lanes,
    /// The disk takes no more at the moment.
    pub(super) full: AtomicBool,
}

impl Shared {
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// What a caller is told whose command came to the lane before the disk was known to be full: it takes effect when there
/// is space again, if it was among the last that were decided.
pub(super) fn undecided() -> PortError {
    let reason = "the ledger's journal has no space to grow; what was decided last takes effect when it has";
    PortError::Unavailable(reason.to_owned())
}

/// What a caller is told while the disk takes no more: nothing was done.
pub(super) fn storage_full() -> PortError {
    PortError::StorageFull("the ledger's journal has no space to grow".to_owned())
}
