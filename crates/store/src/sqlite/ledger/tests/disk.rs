//! A disk that is full, and one that fails.

use std::sync::Arc;

use firstcome_core::ids::KeyHash;
use firstcome_core::ledger::{Command, OfferSnapshot, Outcome, Persons, Refusal};
use firstcome_core::ports::{ArchiveHead, HoldArchive, JournalEntry, PortError, StockLedger};

use super::*;
use crate::sqlite::ledger::engine::Engine;

/// A ledger of five units whose engine is driven by hand.
async fn by_hand(place: &Place) -> (Arc<SqliteLedger>, Engine) {
    let (ledger, mut engine) = SqliteLedger::open_by_hand(place.options()).expect("it opens");
    let ledger = Arc::new(ledger);
    let created = ask(&ledger, Command::SetTerms(terms(OFFER, 5, place.clock.now()))).await;
    engine.step().expect("written");
    created.await.expect("no panic").expect("decided");
    (ledger, engine)
}

type Asked = tokio::task::JoinHandle<Result<Outcome, PortError>>;

async fn ask(ledger: &Arc<SqliteLedger>, command: Command) -> Asked {
    let ledger = ledger.clone();
    let task = tokio::spawn(async move { ledger.decide(OFFER, command).await });
    tokio::task::yield_now().await;
    task
}

#[tokio::test]
async fn a_full_disk_refuses_and_heals() {
    let place = Place::new();
    let (ledger, mut engine) = by_hand(&place).await;
    let pages = engine.writer.limit_pages(1);
    engine.writer.limit_pages(pages);
    let mut tasks = Vec::new();
    // Enough for one page more than there may be.
    for number in 0..5 {
        tasks.push(ask(&ledger, big_hold(number)).await);
    }
    assert!(!engine.step().expect("a full disk is not a failure"));
    for task in tasks {
        // They are granted when there is space: nobody may be told that nothing was done.
        assert!(matches!(task.await.expect("no panic"), Err(PortError::Unavailable(_))));
    }
    assert!(ledger.is_full());
    // Refused at once, before the lane; nothing is decided on top of what is not durable.
    assert!(matches!(ledger.decide(OFFER, hold(0, OFFER)).await, Err(PortError::Unavailable(_))));
    let adjust = Command::Adjust { id: firstcome_core::ids::EventId([9; 16]), delta: 1 };
    assert!(matches!(ledger.decide(OFFER, adjust).await, Err(PortError::StorageFull(_))));
    let refused = ledger.decide(OFFER, hold(77, OFFER)).await;
    assert!(matches!(refused, Ok(Outcome::Refused(Refusal::SoldOut { .. }))), "{refused:?}");
    assert!(matches!(ledger.find(order(0, OFFER)).await, Err(PortError::Unavailable(_))));
    let state = ledger.snapshot(OFFER).await.expect("known").expect("there");
    assert_eq!((state.offer.stock.held, state.offer.seq), (0, 1));
    assert!(!engine.step().expect("still full"));

    engine.writer.limit_pages(1_000_000);
    assert!(engine.step().expect("written"));
    assert!(!ledger.is_full());
    let again = ask(&ledger, big_hold(0)).await;
    engine.step().expect("written");
    assert!(matches!(again.await.expect("no panic"), Ok(Outcome::AlreadyHeld(_))));
    drop(engine);
    let state = place.open().snapshot(OFFER).await.expect("known").expect("there");
    assert_eq!(state.offer.stock.held, 5);
}

/// A hold with so many other lines that a handful fills a page.
fn big_hold(number: u64) -> Command {
    let Command::Hold(mut request) = hold(number, OFFER) else { unreachable!("it is a hold") };
    let price = firstcome_core::money::Money::new(1, firstcome_core::money::Currency::KRW);
    let line = firstcome_core::ledger::Line {
        offer: firstcome_core::ids::OfferId([7; 16]),
        quantity: 1,
        unit_price: price,
        seq: None,
    };
    let facts = firstcome_core::ledger::Facts { other_lines: vec![line; 400], ..Default::default() };
    request.facts = Some(Box::new(facts));
    Command::Hold(request)
}

/// An archive that panics, as any code may.
struct Broken;

impl HoldArchive for Broken {
    fn head(&self) -> Result<ArchiveHead, PortError> {
        Ok(ArchiveHead::default())
    }
    fn apply(&self, _: &[JournalEntry]) -> Result<(), PortError> {
        Ok(())
    }
    fn clear(&self) -> Result<(), PortError> {
        Ok(())
    }
    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError> {
        Ok(Vec::new())
    }
    fn open_holds(&self, _: OfferNumber) -> Result<Vec<Hold>, PortError> {
        Ok(Vec::new())
    }
    fn persons(&self) -> Result<hashbrown::HashMap<OfferNumber, Persons>, PortError> {
        Ok(hashbrown::HashMap::new())
    }
    fn may_contain(&self, key: KeyHash) -> bool {
        key == order(2, OFFER).key_hash()
    }
    fn hold(&self, _: OfferNumber, _: OrderId) -> Result<Option<Hold>, PortError> {
        panic!("as the test wants it")
    }
    fn order_of_key(&self, _: KeyHash) -> Result<Option<OrderId>, PortError> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_panic_leaves_nobody_waiting_and_answers_nothing_that_is_not_durable() {
    let place = Place::new();
    let options = LedgerOptions { archive: Arc::new(Broken), ..place.options() };
    let (ledger, mut engine) = SqliteLedger::open_by_hand(options).expect("it opens");
    let ledger = Arc::new(ledger);
    let created = ask(&ledger, Command::SetTerms(terms(OFFER, 5, place.clock.now()))).await;
    engine.step().expect("written");
    created.await.expect("no panic").expect("decided");
    let asked =
        [ask(&ledger, hold(1, OFFER)).await, ask(&ledger, hold(2, OFFER)).await, ask(&ledger, hold(3, OFFER)).await];
    std::thread::spawn(move || engine.run()).join().expect_err("it panics");
    for task in asked {
        let answer = task.await.expect("no panic");
        assert!(matches!(answer, Err(PortError::Unavailable(_))), "{answer:?}");
    }
    assert!(matches!(ledger.failed().await, PortError::Unavailable(_)));
    assert!(matches!(ledger.decide(OFFER, Command::Freeze).await, Err(PortError::Unavailable(_))));
}

#[tokio::test]
async fn a_failed_sync_ends_the_ledger() {
    let place = Place::new();
    let (ledger, mut engine) = by_hand(&place).await;
    engine.witness.break_it(&place.file("journal.witness"));
    let engine = std::thread::spawn(move || engine.run());
    let asked = ledger.decide(OFFER, hold(1, OFFER)).await;
    assert!(matches!(&asked, Err(PortError::Unavailable(reason)) if reason.contains("witness")), "{asked:?}");
    let failure = ledger.failed().await;
    assert!(failure.to_string().contains("witness"), "{failure}");
    engine.join().expect("no panic");
    assert!(matches!(ledger.decide(OFFER, hold(2, OFFER)).await, Err(PortError::Unavailable(_))));
    assert!(matches!(ledger.find(order(1, OFFER)).await, Err(PortError::Unavailable(_))));
    assert!(ledger.wait(10).await.is_err());
    // The process ends, and the next one knows what is durable.
    drop(ledger);
    let again = place.open();
    let hold = again.decide(OFFER, hold(1, OFFER)).await.expect("decided");
    assert!(matches!(hold, Outcome::Held(_) | Outcome::AlreadyHeld(_)), "{hold:?}");
}
