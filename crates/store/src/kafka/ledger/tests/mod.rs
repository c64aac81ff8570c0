//! Tests of the ledger on a real Kafka, whose address is in `FIRSTCOME_TEST_KAFKA`.

mod conformance;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock, HoldArchive as _, StockLedger};
use firstcome_core::testkit::{MemoryArchive, TestClock};
use firstcome_core::time::Time;

use super::{KafkaLedger, KafkaLedgerOptions};
use crate::kafka::KafkaOptions;

const OFFER: OfferNumber = OfferNumber(1);

/// The Kafka of the tests, with a journal that no other test has.
fn kafka() -> KafkaOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let servers = std::env::var("FIRSTCOME_TEST_KAFKA").expect("FIRSTCOME_TEST_KAFKA names a running Kafka");
    let started = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    let prefix = format!("ledger-{}-{started}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    KafkaOptions { servers, prefix, replication: 1, min_in_sync: 1 }
}

/// What one process has of its own: a directory, an archive. Processes of one shop share the journal and the clock.
struct Place {
    directory: tempfile::TempDir,
    clock: TestClock,
    archive: MemoryArchive,
    kafka: KafkaOptions,
}

impl Place {
    fn new() -> Self {
        let (kafka, clock) = (kafka(), TestClock::default());
        Self { directory: directory(), clock, archive: MemoryArchive::default(), kafka }
    }

    /// Another process of the same shop.
    fn another(&self) -> Self {
        let (kafka, clock) = (self.kafka.clone(), self.clock.clone());
        Self { directory: directory(), clock, archive: MemoryArchive::default(), kafka }
    }

    fn options(&self) -> KafkaLedgerOptions {
        let (clock, archive) = (Arc::new(self.clock.clone()), Arc::new(self.archive.clone()));
        let options = KafkaLedgerOptions::new(self.kafka.clone(), self.directory.path(), clock, archive);
        KafkaLedgerOptions { skew: None, jitter: Duration::ZERO, ..options }
    }

    async fn open(&self) -> Arc<KafkaLedger> {
        KafkaLedger::open(self.options()).await.expect("it opens")
    }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}
