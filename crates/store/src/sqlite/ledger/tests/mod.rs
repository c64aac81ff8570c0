//! Tests of the embedded ledger. Its contract is tested by the conformance suite; here is what only this adapter has.

mod conformance;
mod damage;
mod disk;
mod running;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock, HoldArchive as _, StockLedger};
use firstcome_core::testkit::{MemoryArchive, TestClock};
use firstcome_core::time::Time;

use super::{LedgerOptions, SqliteLedger};

const OFFER: OfferNumber = OfferNumber(1);

/// A directory with a ledger's files, and what a ledger is opened with.
struct Place {
    directory: tempfile::TempDir,
    clock: TestClock,
    archive: MemoryArchive,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, clock: TestClock::default(), archive: MemoryArchive::default() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn options(&self) -> LedgerOptions {
        LedgerOptions::new(self.path(), Arc::new(self.clock.clone()), Arc::new(self.archive.clone()))
    }

    fn open(&self) -> Arc<SqliteLedger> {
        SqliteLedger::open(self.options()).expect("it opens")
    }

    fn refused(&self) -> String {
        SqliteLedger::open(self.options()).map(|_| ()).expect_err("it must be refused").to_string()
    }

    /// Copies the files as they are now, as a power cut would leave them.
    fn copy(&self) -> Place {
        let copy = Place { clock: self.clock.clone(), ..Place::new() };
        // The witness first: it must not have seen what the copied journal has not.
        for name in ["journal.witness", "journal.db", "journal.db-wal"] {
            if self.path().join(name).exists() {
                std::fs::copy(self.path().join(name), copy.path().join(name)).expect("copied");
            }
        }
        copy
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Lets the archive take everything that is durable, and tells the ledger.
    async fn follow(&self, ledger: &SqliteLedger) -> i64 {
        loop {
            let position = self.archive.head().expect("in memory").position;
            let entries = ledger.entries(position, 100).await.expect("readable");
            if entries.is_empty() {
                ledger.archived(position);
                return position;
            }
            self.archive.apply(&entries).expect("in memory");
        }
    }
}

fn terms(offer: OfferNumber, stock: u64, now: Time) -> Terms {
    Terms {
        offer: OfferId::numbered(now, offer, [0; 6]),
        version: 1,
        initial_stock: stock,
        price: Money::new(10_000, Currency::KRW),
        limit_per_person: Some(2),
        max_per_order: 2,
        opens_at: now,
        closes_at: None,
        hold_for_ms: 60_000,
        usable_until: None,
    }
}

async fn sell(ledger: &SqliteLedger, place: &Place, offer: OfferNumber, stock: u64) {
    let command = Command::SetTerms(terms(offer, stock, place.clock.now()));
    let outcome = ledger.decide(offer, command).await.expect("decided");
    assert_eq!(outcome, Outcome::Done { seq: 1 });
}

fn person(number: u64) -> UserId {
    UserId::derived(&[&number.to_be_bytes()])
}

fn order(number: u64, offer: OfferNumber) -> OrderId {
    OrderId::of_request(person(number), "key", number << 40, offer)
}

fn attempt(number: u64) -> PaymentId {
    PaymentId::derived(&[&number.to_be_bytes()])
}

/// The hold of one unit by the person of that number.
fn hold(number: u64, offer: OfferNumber) -> Command {
    let (order, person) = (order(number, offer), person(number));
    Command::Hold(HoldRequest {
        order,
        person,
        quantity: 1,
        unit_price: None,
        digest: number << 40,
        discount: 0,
        facts: None,
    })
}

async fn held(ledger: &SqliteLedger, number: u64) -> Hold {
    match ledger.decide(OFFER, hold(number, OFFER)).await.expect("decided") {
        Outcome::Held(hold) => hold,
        other => panic!("expected a hold, got {other:?}"),
    }
}

/// Pays the order of that number.
async fn pay(ledger: &SqliteLedger, number: u64) {
    let (order, attempt) = (order(number, OFFER), attempt(number));
    let paying = ledger.decide(OFFER, Command::BeginPayment { order, attempt }).await.expect("decided");
    assert!(matches!(paying, Outcome::Paying(_)), "{paying:?}");
    let committed = ledger.decide(OFFER, Command::Commit { order, attempt }).await.expect("decided");
    assert!(matches!(committed, Outcome::Committed { .. }), "{committed:?}");
}

/// Waits, by looking, for what another thread does.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it never came true: {what}");
}
