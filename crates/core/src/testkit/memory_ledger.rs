//! The ledger's port as plainly as it can be kept: everything in memory, one lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::clock::TestClock;
use super::harness::LedgerHarness;
use super::runtime;
use crate::ids::{EventId, OfferNumber, OrderId};
use crate::ledger::{Command, Digest, Event, Hold, HoldRequest, Offer, Outcome, Record, Refusal};
use crate::ports::{Clock as _, JournalEntry, LedgerState, LiveCounters, PortError, RefusedCounts, StockLedger};
use crate::time::Time;

/// How a ledger decides a command: [`Offer::decide`], or in a broken one something else.
pub(super) type Decider<'a> = &'a (dyn Fn(&Offer, &Command, Time, &mut Vec<Event>) -> Outcome + Sync);

/// Where a ledger in memory writes its journal. Clones are the same journal; it outlives the ledgers that write it.
#[derive(Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Vec<JournalEntry>>>);

impl MemoryJournal {
    /// The entries.
    pub fn entries(&self) -> MutexGuard<'_, Vec<JournalEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`StockLedger`] without a disk. Its clock releases holds while somebody waits, looks or asks for it.
pub struct MemoryLedger {
    books: Mutex<HashMap<OfferNumber, Book>>,
    journal: MemoryJournal,
    clock: TestClock,
}

#[derive(Default)]
struct Book {
    offer: Offer,
    head: Digest,
    live: LiveCounters,
}

impl MemoryLedger {
    /// Opens the ledger that wrote this journal; a new one if it is empty.
    pub fn open(journal: MemoryJournal, clock: TestClock) -> Self {
        let mut books: HashMap<OfferNumber, Book> = HashMap::new();
        for entry in journal.entries().iter() {
            let book = books.entry(entry.record.offer).or_default();
            book.head = entry.hash;
            entry.record.events.iter().for_each(|event| book.offer.evolve(event, entry.record.at));
        }
        Self { books: Mutex::new(books), journal, clock }
    }

    fn books(&self) -> MutexGuard<'_, HashMap<OfferNumber, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides as `decider` does.
    pub(super) fn decide_by(&self, number: OfferNumber, command: &Command, decider: Decider<'_>) -> Outcome {
        let mut books = self.books();
        let book = books.entry(number).or_default();
        let outcome = self.turn(number, book, command, decider);
        if let (Command::Hold(_) | Command::Prepare(_), Outcome::Refused(refusal)) = (command, &outcome) {
            count(&mut book.live.refused, refusal);
        }
        outcome
    }

    fn turn(&self, number: OfferNumber, book: &mut Book, command: &Command, decider: Decider<'_>) -> Outcome {
        let at = self.clock.now().max(book.offer.last_at());
        let mut events = Vec::new();
        let outcome = decider(&book.offer, command, at, &mut events);
        if !events.is_empty() {
            self.record(number, book, at, events);
        }
        outcome
    }

    fn record(&self, offer: OfferNumber, book: &mut Book, at: Time, events: Vec<Event>) {
        let first_seq = book.offer.seq() + 1;
        for event in &events {
            book.offer.evolve(event, at);
            if let Event::Held(granted) | Event::Sold(granted) | Event::Prepared(granted) = event {
                book.live.granted += u64::from(granted.quantity);
            }
        }
        let id = EventId::derived(&[&offer.0.to_be_bytes(), &first_seq.to_be_bytes()]);
        let record = Record { offer, id, prev: book.head, first_seq, at, events };
        book.head = Record::hash(&record.encode());
        let mut entries = self.journal.entries();
        let position = entries.last().map_or(1, |last| last.position + 1);
        entries.push(JournalEntry { position, record: Arc::new(record), hash: book.head });
    }

    /// Releases what is due.
    pub(super) fn tick(&self, decider: Decider<'_>) {
        for (number, book) in self.books().iter_mut() {
            self.turn(*number, book, &Command::Expire, decider);
        }
    }

    /// An offer as it is.
    pub(super) fn state(&self, number: OfferNumber) -> Option<LedgerState> {
        let books = self.books();
        let book = books.get(&number)?;
        Some(LedgerState { offer: book.offer.snapshot()?, live: book.live })
    }

    /// An offer's state machine.
    pub(super) fn offer(&self, number: OfferNumber) -> Option<Offer> {
        self.books().get(&number).map(|book| book.offer.clone())
    }
}

fn count(refused: &mut RefusedCounts, refusal: &Refusal) {
    match refusal {
        Refusal::UnknownOffer => {}
        Refusal::Frozen => refused.frozen += 1,
        Refusal::Closed => refused.closed += 1,
        Refusal::NotOpenYet { .. } => refused.not_open_yet += 1,
        Refusal::TooMany { .. } => refused.too_many += 1,
        Refusal::OverLimit { .. } => refused.over_limit += 1,
        Refusal::SoldOut { .. } => refused.sold_out += 1,
    }
}

/// [`Offer::decide`].
pub(super) fn decide(offer: &Offer, command: &Command, now: Time, events: &mut Vec<Event>) -> Outcome {
    offer.decide(command, now, events)
}

#[async_trait]
impl StockLedger for MemoryLedger {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        Ok(self.decide_by(offer, &command, &decide))
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        Ok(self.books().get(&order.home()).and_then(|book| book.offer.hold(order)).cloned())
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        self.tick(&decide);
        Ok(self.state(offer))
    }

    async fn would_refuse(
        &self,
        offer: OfferNumber,
        request: &HoldRequest,
        now: Time,
    ) -> Result<Option<Refusal>, PortError> {
        let books = self.books();
        Ok(books.get(&offer).map_or(Some(Refusal::UnknownOffer), |book| book.offer.would_refuse(request, now)))
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let wanted = |entry: &&JournalEntry| entry.record.offer == offer && entry.record.last_seq() >= from_seq;
        Ok(self.journal.entries().iter().filter(wanted).take(limit).cloned().collect())
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let wanted = |entry: &&JournalEntry| entry.position > after;
        Ok(self.journal.entries().iter().filter(wanted).take(limit).cloned().collect())
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        loop {
            self.tick(&decide);
            if self.journal.entries().last().is_some_and(|last| last.position > after) {
                return Ok(());
            }
            runtime::sleep(Duration::from_millis(1)).await;
        }
    }

    fn archived(&self, _position: i64) {}
}

/// A [`MemoryLedger`] for suites.
#[derive(Clone)]
pub struct MemoryHarness {
    journal: MemoryJournal,
    clock: TestClock,
    ledger: Arc<MemoryLedger>,
}

impl MemoryHarness {
    /// An empty ledger.
    pub fn create() -> Self {
        let (journal, clock) = (MemoryJournal::default(), TestClock::default());
        let ledger = Arc::new(MemoryLedger::open(journal.clone(), clock.clone()));
        Self { journal, clock, ledger }
    }
}

#[async_trait]
impl LedgerHarness for MemoryHarness {
    fn ledger(&self) -> Arc<dyn StockLedger> {
        self.ledger.clone()
    }

    fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.ledger = Arc::new(MemoryLedger::open(self.journal.clone(), self.clock.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryHarness;

    crate::ledger_conformance!(block_on: MemoryHarness::create());
}
