//! Full books are books: whole, and with the counts that they are said to have.

use std::sync::Arc;

use firstcome_core::ids::{OfferId, OfferNumber, UserId};
use firstcome_core::ledger::{Command, Event, Outcome, Stock, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{StockLedger as _, SystemClock};
use firstcome_core::testkit::MemoryArchive;
use firstcome_core::time::Time;
use firstcome_store::sqlite::SqliteLedger;
use firstcome_store::sqlite::ledger::{LedgerOptions, verify_journal};

use super::fill::{Kind, Shelf, fill};
use crate::storm::progress::Progress;

const PAID: OfferNumber = OfferNumber(1);
const FREE: OfferNumber = OfferNumber(2);

fn open(folder: &std::path::Path) -> Arc<SqliteLedger> {
    let options = LedgerOptions::new(folder, Arc::new(SystemClock), Arc::new(MemoryArchive::default()));
    SqliteLedger::open(options).expect("it opens")
}

fn terms(number: OfferNumber, price: i64) -> Terms {
    Terms {
        offer: OfferId::numbered(Time(0), number, [0; 6]),
        version: 1,
        initial_stock: 10_000,
        price: Money::new(price, Currency::KRW),
        limit_per_person: Some(1_000),
        max_per_order: 1,
        opens_at: Time(0),
        closes_at: None,
        hold_for_ms: 3_600_000,
        usable_until: None,
    }
}

/// Whether an event grants units to a person.
fn is_of(event: &Event, person: UserId) -> bool {
    matches!(event, Event::Held(granted) | Event::Sold(granted) if granted.person == person)
}

#[tokio::test]
async fn a_filled_journal_is_whole_and_has_what_it_is_said_to_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let mut shelves = Vec::new();
    for (terms, kind) in [(terms(PAID, 50_000), Kind::Canceled), (terms(FREE, 0), Kind::Granted)] {
        let outcome = ledger.decide(terms.offer.number(), Command::SetTerms(terms)).await.expect("decided");
        assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
        shelves.push(Shelf::new(&terms.offer.to_string(), kind).expect("an offer"));
    }
    drop(ledger);
    let buyer = UserId([7; 16]);
    let books = fill(folder.path(), &shelves, &[buyer], 5_000, &Progress::new(false)).await.expect("filled");
    assert_eq!((books.orders, books.persons, books.canceled), (5_000, 250, 2_500));
    // A hold and a release each, one event each, and the terms of both.
    assert_eq!(books.events, 2_500 * 2 + 2_500);
    let mut bought = 0;
    let journal = verify_journal(folder.path(), |entry| {
        bought += entry.record.events.iter().filter(|event| is_of(event, buyer)).count();
        Ok(())
    });
    assert_eq!(journal.expect("whole").events, books.events + 2);
    assert_eq!(bought, 20, "the buyer's own");
    let ledger = open(folder.path());
    for (offer, sold, released) in [(PAID, 0, 2_500), (FREE, 2_500, 0)] {
        let stock = ledger.snapshot(offer).await.expect("read").expect("known").offer.stock;
        assert_eq!(stock, Stock { stock: 10_000, held: 0, paying: 0, sold, released }, "offer {offer}");
    }
}
