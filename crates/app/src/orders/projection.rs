//! The journal as rows that people can look through: the ledger's archive, written behind.
//!
//! Stock is never counted here for a decision; the rows only mirror what the ledger decided.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::lag::Lag;
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::ports::{JournalEntry, OrderArchive, PortError, StockLedger};
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;

use super::keys::Keys;
use crate::role::{Worker, WorkerFailed};

/// Journal entries a commit; each may hold hundreds of events.
const BATCH: usize = 128;
/// Rows in a commit from which on it is worth while to let more gather: an order that is held, paid and sold meanwhile
/// costs one row instead of three.
const MANY: usize = 128;
/// How long.
const GATHERING: Duration = Duration::from_millis(200);
/// Pauses between tries while the disk takes nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Writes the rows.
pub(super) struct Projection {
    pub(super) ledger: Arc<dyn StockLedger>,
    pub(super) archive: Arc<dyn OrderArchive>,
    pub(super) keys: Arc<Keys>,
    pub(super) lag: Gauge<i64>,
    pub(super) behind: Lag,
}

impl Projection {
    /// Takes the next entries, if there are any, and gives them back.
    async fn step(&self) -> Result<Vec<JournalEntry>, PortError> {
        let position = self.archive.head()?.position;
        let entries = self.ledger.entries(position, BATCH).await?;
        let (Some(first), Some(last)) = (entries.first(), entries.last().map(|entry| entry.position)) else {
            self.behind.caught_up();
            return Ok(entries);
        };
        self.behind.waits_since(first.record.at);
        self.lag.set(entries.len() as i64);
        let archive = self.archive.clone();
        let applied = tokio::task::spawn_blocking(move || archive.apply(&entries).map(|()| entries)).await;
        let entries = applied.map_err(|error| PortError::Corrupt(format!("the rows of orders: {error}")))??;
        self.ledger.archived(last);
        self.forget_keys(&entries);
        if entries.len() < BATCH {
            self.lag.set(0);
        }
        Ok(entries)
    }

    /// The keys of these orders are found in the archive from now on.
    fn forget_keys(&self, entries: &[JournalEntry]) {
        for entry in entries {
            let granted =
                entry.record.numbered().filter_map(|(seq, event)| Hold::created_by(event, seq, entry.record.at));
            granted.filter(|hold| hold.state != HoldState::Prepared).for_each(|hold| self.keys.archived(hold.order));
        }
    }

    /// Takes everything that is there now.
    pub(super) async fn catch_up(&self) -> Result<(), PortError> {
        while !self.step().await?.is_empty() {}
        Ok(())
    }

    async fn step_or_wait(&self) -> Result<(), PortError> {
        let entries = self.step().await?;
        if entries.is_empty() {
            return self.ledger.wait(self.archive.head()?.position).await;
        }
        let events: usize = entries.iter().map(|entry| entry.record.events.len()).sum();
        if events >= MANY && entries.len() < BATCH {
            tokio::time::sleep(GATHERING).await;
        }
        Ok(())
    }

    async fn run(&self, stop: CancellationToken) -> Result<(), WorkerFailed> {
        let mut pause = FIRST_PAUSE;
        loop {
            // In an orderly stop the ledger ends after the token; its goodbye is no failure.
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                step = self.step_or_wait() => step,
            };
            match step {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the rows of orders are written later");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(WorkerFailed(error.to_string())),
            }
        }
    }

    /// The worker that keeps writing.
    pub(super) fn into_worker(self) -> Worker {
        let behind = self.behind.clone();
        Worker::new("orders.projection", move |stop| async move { self.run(stop).await }).behind(behind)
    }
}
