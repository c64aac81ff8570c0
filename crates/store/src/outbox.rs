//! Outboxes: what a role has committed and is to announce.
//!
//! An event is a row of the role's database, written by the commit of the change that it tells of. Its sequence number
//! ([`LoggedEvent::position`]) begins at 1, has no gaps and follows the order of commits: a row that can be seen means
//! that all before it can be seen, or were seen and forgotten. A relay carries the rows to the log.

use async_trait::async_trait;
use firstcome_core::ports::{LoggedEvent, PortError};

/// The outbox of one role's database. Several relays, in several processes, may read it at the same time.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Committed events after `sequence` in order, at most `limit`. Those that were forgotten are left out: the first
    /// may be further on than the next number.
    async fn after(&self, sequence: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError>;

    /// The number of the last event that was ever committed, forgotten or not; 0 before the first.
    async fn last(&self) -> Result<i64, PortError>;

    /// Everything up to `sequence` is in the log for good. The outbox may forget what comes *before* it, now or later;
    /// `sequence` itself stays, to compare the log with. A smaller number than before changes nothing.
    async fn published(&self, sequence: i64) -> Result<(), PortError>;

    /// Returns when there is an event after `sequence`, at the latest a second after another process committed it.
    async fn wait(&self, sequence: i64) -> Result<(), PortError>;
}
