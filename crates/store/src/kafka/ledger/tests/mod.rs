//! Tests of the ledger on a real Kafka, whose address is in `FIRSTCOME_TEST_KAFKA`. Its contract is tested by the
//! conformance suite; here is what only this adapter has.

mod clocks;
mod conformance;
mod free;
mod full;
mod log;
mod outage;
mod racing;

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock, HoldArchive as _, JournalEntry, StockLedger};
use firstcome_core::testkit::{MemoryArchive, TestClock};
use firstcome_core::time::Time;

use super::{KafkaLedger, KafkaLedgerOptions};
use crate::kafka::{KafkaOptions, testing};

const OFFER: OfferNumber = OfferNumber(1);

/// What one process has of its own: a directory, an archive. Processes of one shop share the journal and the clock.
struct Place {
    directory: tempfile::TempDir,
    clock: TestClock,
    archive: MemoryArchive,
    kafka: KafkaOptions,
}

impl Place {
    fn new() -> Self {
        Self::at(testing::options())
    }

    fn at(kafka: KafkaOptions) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, clock: TestClock::default(), archive: MemoryArchive::default(), kafka }
    }

    /// Another process of the same shop.
    fn another(&self) -> Self {
        Self { clock: self.clock.clone(), ..Self::at(self.kafka.clone()) }
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

async fn sell(ledger: &KafkaLedger, place: &Place, offer: OfferNumber, stock: u64) {
    let command = Command::SetTerms(terms(offer, stock, place.clock.now()));
    let outcome = ledger.decide(offer, command).await.expect("decided");
    assert_eq!(outcome, Outcome::Done { seq: 1 });
}

fn person(number: u64) -> UserId {
    UserId::derived(&[&number.to_be_bytes()])
}

fn order(number: u64, offer: OfferNumber) -> OrderId {
    OrderId::of_request(person(number), &format!("key {number} of {offer}"), number << 40, offer)
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

async fn held(ledger: &KafkaLedger, number: u64) -> Hold {
    match ledger.decide(OFFER, hold(number, OFFER)).await.expect("decided") {
        Outcome::Held(hold) => hold,
        other => panic!("expected a hold, got {other:?}"),
    }
}

/// Pays the order of that number.
async fn pay(ledger: &KafkaLedger, number: u64) {
    let (order, attempt) = (order(number, OFFER), attempt(number));
    let paying = ledger.decide(OFFER, Command::BeginPayment { order, attempt }).await.expect("decided");
    assert!(matches!(paying, Outcome::Paying(_)), "{paying:?}");
    let committed = ledger.decide(OFFER, Command::Commit { order, attempt }).await.expect("decided");
    assert!(matches!(committed, Outcome::Committed { .. }), "{committed:?}");
}

/// Everything in the journal, once this ledger has read what is acknowledged now.
async fn journal(ledger: &KafkaLedger) -> Vec<JournalEntry> {
    ledger.current().await.expect("Kafka answers");
    ledger.entries(0, usize::MAX >> 1).await.expect("readable")
}

/// Waits, by looking, for what another thread does.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..4_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came true: {what}");
}
