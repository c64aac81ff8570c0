//! The contract of the ledger's port, clause by clause, on Kafka.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ports::{HoldArchive as _, StockLedger};
use firstcome_core::testkit::{LedgerHarness, TestClock, runtime};

use super::{KafkaLedger, Place};

/// A ledger on a journal of its own, with an archive that is fed when the suite says so.
struct KafkaHarness {
    place: Place,
    ledger: Arc<KafkaLedger>,
    runtime: tokio::runtime::Handle,
}

impl KafkaHarness {
    async fn create() -> Self {
        let place = Place::new();
        let ledger = place.open().await;
        Self { place, ledger, runtime: tokio::runtime::Handle::current() }
    }
}

#[async_trait]
impl LedgerHarness for KafkaHarness {
    fn ledger(&self) -> Arc<dyn StockLedger> {
        self.ledger.clone()
    }

    fn clock(&self) -> TestClock {
        self.place.clock.clone()
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.ledger.close();
        self.ledger = KafkaLedger::open(self.place.options()).await.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Goes on as another process with nothing but the journal in Kafka, while the one before has not ended yet.
    async fn crash(&mut self) -> Result<(), String> {
        self.place = self.place.another();
        self.ledger = KafkaLedger::open(self.place.options()).await.map_err(|error| error.to_string())?;
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
    KafkaHarness::create().await
);
