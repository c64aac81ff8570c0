//! What a ledger is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Clock, HoldArchive};

/// What a [`super::SqliteLedger`] is opened with. The numbers bound memory and time; [`LedgerOptions::new`] has good ones.
#[derive(Clone)]
pub struct LedgerOptions {
    /// Where `journal.db` and `journal.witness` are; created when it does not exist.
    pub directory: PathBuf,
    /// The ledger's clock.
    pub clock: Arc<dyn Clock>,
    /// Where settled holds are found, and what a start begins from.
    pub archive: Arc<dyn HoldArchive>,
    /// Commands that may wait for one offer; one more is refused at once.
    pub queue: usize,
    /// Commands that may wait for all offers together.
    pub queue_total: usize,
    /// Commands decided with one sync at most.
    pub batch: usize,
    /// The least time from the beginning of a batch to that of the next, while there is a crowd.
    pub gather: Duration,
    /// Events kept in memory for those who follow the journal.
    pub recent_events: usize,
    /// Accept a journal whose witness is missing, and write a new one. Only after the journal was found whole by other
    /// means: without its witness nobody can tell whether its end is gone.
    pub accept_missing_witness: bool,
}

impl LedgerOptions {
    /// Options with the usual bounds.
    pub fn new(directory: impl Into<PathBuf>, clock: Arc<dyn Clock>, archive: Arc<dyn HoldArchive>) -> Self {
        Self {
            directory: directory.into(),
            clock,
            archive,
            queue: 8_192,
            queue_total: 32_768,
            batch: 1_024,
            gather: Duration::from_micros(300),
            recent_events: 32_768,
            accept_missing_witness: false,
        }
    }
}
