//! What callers and the engine share.

use std::sync::atomic::{AtomicBool, Ordering};

use firstcome_core::ports::PortError;

use super::LedgerOptions;
use crate::lane::Lanes;

pub(super) struct Shared {
    pub(super) options: LedgerOptions,
    pub(super) lanes: Lanes,
    /// The disk takes no more for now.
    pub(super) full: AtomicBool,
}

impl Shared {
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// What a caller is told while the disk takes no more.
pub(super) fn storage_full() -> PortError {
    PortError::StorageFull("the ledger's journal has no space to grow".to_owned())
}
