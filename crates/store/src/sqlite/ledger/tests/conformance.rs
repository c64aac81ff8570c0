//! The contract of the ledger's port, clause by clause, on files.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ports::{HoldArchive as _, StockLedger};
use firstcome_core::testkit::{LedgerHarness, TestClock, runtime};

use super::{Place, SqliteLedger};

/// A ledger in a directory of its own, with an archive that is fed when the suite says so.
struct SqliteHarness {
    place: Place,
    ledger: Arc<SqliteLedger>,
    runtime: tokio::runtime::Handle,
}

impl SqliteHarness {
    fn create() -> Self {
        let place = Place::new();
        let ledger = place.open();
        Self { place, ledger, runtime: tokio::runtime::Handle::current() }
    }
}

#[async_trait]
impl LedgerHarness for SqliteHarness {
    fn ledger(&self) -> Arc<dyn StockLedger> {
        self.ledger.clone()
    }

    fn clock(&self) -> TestClock {
        self.place.clock.clone()
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.ledger.close();
        self.ledger = SqliteLedger::open(self.place.options()).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Goes on with a copy of the files as they are at this moment, as after a power cut.
    async fn crash(&mut self) -> Result<(), String> {
        let archive = self.place.archive.clone();
        let place = Place { archive, ..self.place.copy() };
        self.ledger.close();
        self.place = place;
        self.ledger = SqliteLedger::open(self.place.options()).map_err(|error| error.to_string())?;
        Ok(())
    }

    async fn archive(&mut self) -> Result<(), String> {
        let entries = self.ledger.entries(0, usize::MAX >> 1).await.map_err(|error| error.to_string())?;
        self.place.archive.apply(&entries).map_err(|error| error.to_string())?;
        self.ledger.archived(entries.last().map_or(0, |last| last.position));
        Ok(())
    }

    fn spawn(&self, task: runtime::Task<()>) {
        self.runtime.spawn(task);
    }
}

firstcome_core::ledger_conformance!(
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    SqliteHarness::create()
);
