//! The local disk takes nothing for a while.

use std::sync::atomic::{AtomicBool, Ordering};

use firstcome_core::ids::KeyHash;
use firstcome_core::ledger::{OfferSnapshot, Persons};
use firstcome_core::ports::{ArchiveHead, HoldArchive, PortError};

use super::*;

/// An archive on a disk that is full when the test says so.
#[derive(Default)]
struct Disk {
    archive: MemoryArchive,
    full: AtomicBool,
}

impl HoldArchive for Disk {
    fn head(&self) -> Result<ArchiveHead, PortError> {
        self.archive.head()
    }
    fn apply(&self, entries: &[JournalEntry]) -> Result<(), PortError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(PortError::StorageFull("as the test wants it".to_owned()));
        }
        self.archive.apply(entries)
    }
    fn clear(&self) -> Result<(), PortError> {
        self.archive.clear()
    }
    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError> {
        self.archive.offers()
    }
    fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError> {
        self.archive.open_holds(offer)
    }
    fn persons(&self) -> Result<hashbrown::HashMap<OfferNumber, Persons>, PortError> {
        self.archive.persons()
    }
    fn may_contain(&self, key: KeyHash) -> bool {
        self.archive.may_contain(key)
    }
    fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.archive.hold(offer, order)
    }
    fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError> {
        self.archive.order_of_key(key)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_what_does_not_fit_into_memory() {
    let place = Place::new();
    let disk = Arc::new(Disk::default());
    let options =
        KafkaLedgerOptions { archive: disk.clone(), writes_archive: true, recent_events: 40, ..place.options() };
    let ledger = KafkaLedger::open(options).await.expect("it opens");
    sell(&ledger, &place, OFFER, 1_000).await;
    disk.full.store(true, Ordering::SeqCst);
    let (mut held, mut refused) = (Vec::new(), None);
    for number in 0..100 {
        match ledger.decide(OFFER, hold(number, OFFER)).await {
            Ok(Outcome::Held(_)) => held.push(number),
            other => {
                refused = Some(other);
                break;
            }
        }
    }
    assert!(matches!(refused, Some(Err(ref error)) if error.is_retryable()), "{refused:?}");
    assert!(held.len() < 40, "memory has a bound");
    eventually("the reason is known", async || matches!(ledger.trouble(), Some(PortError::StorageFull(_)))).await;
    // It is still read, and goes on by itself.
    assert!(!ledger.entries(0, 100).await.expect("readable").is_empty());
    disk.full.store(false, Ordering::SeqCst);
    eventually("it decides again", async || ledger.trouble().is_none()).await;
    for number in &held {
        assert!(ledger.find(order(*number, OFFER)).await.expect("known").is_some());
    }
    super::held(&ledger, 500).await;
    eventually("the archive catches up", async || {
        disk.head().expect("known").position == journal(&ledger).await.last().map_or(0, |last| last.position)
    })
    .await;
}
