//! Reads a journal back and says what in it breaks a promise. Counts by itself: nothing here is shared with the state
//! machine but the shape of events.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use super::breach::{Breach, Violation};
use crate::ids::{EventId, OfferNumber, OrderId, PaymentId, RefundId, UserId};
use crate::ledger::{Digest, Event, Granted, HoldState, OfferSnapshot, Record, ReleaseReason, Stock, Terms};
use crate::ports::JournalEntry;
use crate::time::Time;

/// Violations that are kept; more are only counted, for a journal that is wrong from its start.
const KEPT: usize = 1_000;

/// Takes the entries of a journal from its first on, one by one.
#[derive(Default)]
pub struct Auditor {
    books: BTreeMap<OfferNumber, Book>,
    /// How far the clocks of those who wrote the journal may be off: a payment may begin so much after a deadline.
    doubt: Duration,
    position: i64,
    violations: Vec<Violation>,
    found: u64,
    events: u64,
}

/// What a journal says.
#[derive(Debug, Default)]
pub struct Audit {
    /// What was found wrong, in the journal's order, the first thousand.
    pub violations: Vec<Violation>,
    /// All that was found wrong.
    pub found: u64,
    /// Events read.
    pub events: u64,
    /// The end of each offer.
    pub offers: BTreeMap<OfferNumber, Tally>,
}

/// Where an offer stands according to its journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// The units.
    pub stock: Stock,
    /// Units that can be granted, counted by themselves.
    pub available: i128,
    /// The last event's sequence number.
    pub seq: u64,
    /// The last record's hash.
    pub head: Digest,
    /// Orders that were ever granted anything.
    pub orders: usize,
}

/// What the auditor remembers of an order.
struct Line {
    person: UserId,
    attempt: PaymentId,
    quantity: u32,
    returned: u32,
    expires_at: Time,
    state: HoldState,
    reason: ReleaseReason,
}

#[derive(Default)]
struct Book {
    doubt: Duration,
    terms: Option<Terms>,
    frozen: bool,
    last_at: Time,
    tally: Tally,
    lines: HashMap<OrderId, Line>,
    persons: HashMap<UserId, i64>,
    returns: HashSet<(OrderId, RefundId)>,
    adjustments: HashSet<EventId>,
}

/// Reads a whole journal.
pub fn audit<'a>(entries: impl IntoIterator<Item = &'a JournalEntry>) -> Audit {
    let mut auditor = Auditor::default();
    for entry in entries {
        auditor.take(entry);
    }
    auditor.finish()
}

impl Auditor {
    /// An auditor of a journal that was written by several clocks, each of which may be off by so much.
    pub fn with_doubt(doubt: Duration) -> Self {
        Self { doubt, ..Self::default() }
    }

    /// Reads the next entry.
    pub fn take(&mut self, entry: &JournalEntry) {
        let record = &entry.record;
        if entry.position <= self.position {
            self.report(
                record.offer,
                record.first_seq,
                Breach::Position { before: self.position, found: entry.position },
            );
        }
        self.position = entry.position;
        let mut breaches = Vec::new();
        let doubt = self.doubt;
        let book = self.books.entry(record.offer).or_insert_with(|| Book { doubt, ..Book::default() });
        book.link(entry, &mut |breach| breaches.push((record.first_seq, breach)));
        for (seq, event) in record.numbered() {
            book.apply(event, record.at, &mut |breach| breaches.push((seq, breach)));
        }
        self.events += record.events.len() as u64;
        for (seq, breach) in breaches {
            self.report(record.offer, seq, breach);
        }
    }

    /// Compares what a ledger claims with what its journal says. Nothing to compare when the two are not equally far.
    pub fn compare(&mut self, number: OfferNumber, claim: &OfferSnapshot) {
        let Some(book) = self.books.get(&number).filter(|book| book.tally.seq == claim.seq) else { return };
        let journal = book.tally.stock;
        let agrees = journal == claim.stock && book.terms == Some(claim.terms) && book.frozen == claim.frozen;
        if !agrees {
            self.report(number, claim.seq, Breach::Disagrees { journal, ledger: claim.stock });
        }
    }

    /// Where an offer stands now.
    pub fn tally(&self, number: OfferNumber) -> Option<&Tally> {
        self.books.get(&number).map(|book| &book.tally)
    }

    /// Violations found so far.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Counts everything once more from the orders and gives the result.
    pub fn finish(mut self) -> Audit {
        let recounts: Vec<_> =
            self.books.iter().map(|(number, book)| (*number, book.tally.seq, book.recount())).collect();
        for (number, seq, recount) in recounts {
            if let Some(breach) = recount {
                self.report(number, seq, breach);
            }
        }
        let offers = self.books.into_iter().map(|(number, book)| {
            let orders = book.lines.len();
            (number, Tally { orders, ..book.tally })
        });
        Audit { violations: self.violations, found: self.found, events: self.events, offers: offers.collect() }
    }

    fn report(&mut self, offer: OfferNumber, seq: u64, breach: Breach) {
        self.found += 1;
        if self.violations.len() < KEPT {
            self.violations.push(Violation { offer, seq, position: self.position, breach });
        }
    }
}

impl Audit {
    /// Fails with the first violation.
    pub fn check(&self) -> Result<(), String> {
        self.violations.first().map_or(Ok(()), |first| Err(format!("{first} ({} violations in all)", self.found)))
    }
}

impl Book {
    /// Whether a record follows the one before.
    fn link(&mut self, entry: &JournalEntry, report: &mut dyn FnMut(Breach)) {
        let record = &entry.record;
        let expected = self.tally.seq + 1;
        if record.first_seq != expected {
            report(Breach::Gap { expected, found: record.first_seq });
            self.tally.seq = record.first_seq.saturating_sub(1);
        }
        if record.prev != self.tally.head {
            report(Breach::Unchained);
        }
        if Record::hash(&record.encode()) != entry.hash {
            report(Breach::Altered);
        }
        if record.at < self.last_at {
            report(Breach::ClockBack { before: self.last_at, found: record.at });
        }
        if record.events.is_empty() {
            report(Breach::Empty);
        }
        self.tally.head = entry.hash;
        self.last_at = self.last_at.max(record.at);
    }

    fn apply(&mut self, event: &Event, at: Time, report: &mut dyn FnMut(Breach)) {
        self.tally.seq += 1;
        match event {
            Event::TermsSet(terms) => self.set_terms(*terms, report),
            _ if self.terms.is_none() => report(Breach::NoTerms),
            Event::Adjusted { id, delta } => {
                if !self.adjustments.insert(*id) {
                    report(Breach::AdjustedTwice(*id));
                }
                self.tally.stock.stock = self.tally.stock.stock.saturating_add_signed(*delta);
                self.tally.available += i128::from(*delta);
            }
            Event::Frozen => self.frozen = true,
            Event::Unfrozen => self.frozen = false,
            Event::Held(granted) => self.grant(granted, HoldState::Held, at, report),
            Event::Prepared(granted) => self.grant(granted, HoldState::Prepared, at, report),
            Event::Sold(granted) => self.grant(granted, HoldState::Sold, at, report),
            Event::OrderAborted { order, person } => self.abort(*order, *person, at, report),
            Event::Promoted { order, .. }
            | Event::PaymentBegun { order, .. }
            | Event::PaymentEnded { order, .. }
            | Event::Committed { order, .. }
            | Event::Released { order, .. }
            | Event::Reclaimed { order, .. }
            | Event::Returned { order, .. } => self.change(*order, event, at, report),
        }
        self.balance(report);
    }

    fn balance(&self, report: &mut dyn FnMut(Breach)) {
        let Stock { stock, held, sold, .. } = self.tally.stock;
        if held + sold > stock {
            report(Breach::Oversold { stock, held, sold });
        }
        if self.tally.available + i128::from(held) + i128::from(sold) != i128::from(stock) {
            report(Breach::NotConserved { stock, available: self.tally.available, held, sold });
        }
    }

    fn set_terms(&mut self, terms: Terms, report: &mut dyn FnMut(Breach)) {
        match self.terms {
            None => {
                self.tally.stock.stock = terms.initial_stock;
                self.tally.available = i128::from(terms.initial_stock);
            }
            Some(before) if before.version >= terms.version => report(Breach::OldTerms { version: terms.version }),
            Some(_) => {}
        }
        self.terms = Some(terms);
    }

    fn grant(&mut self, granted: &Granted, state: HoldState, at: Time, report: &mut dyn FnMut(Breach)) {
        let Granted { order, person, quantity, expires_at, .. } = *granted;
        if let Some(terms) = self.terms
            && (at < terms.opens_at || terms.closes_at.is_some_and(|closes_at| at >= closes_at))
        {
            report(Breach::OutsideWindow { order, at });
        }
        if self.frozen {
            report(Breach::GrantedFrozen { order });
        }
        let line = Line {
            person,
            attempt: PaymentId::NIL,
            quantity,
            returned: 0,
            expires_at,
            state,
            reason: ReleaseReason::Expired,
        };
        if self.lines.insert(order, line).is_some() {
            report(Breach::DecidedTwice { order });
        }
        self.tally.available -= i128::from(quantity);
        self.tally.stock.held += if state.is_open() { u64::from(quantity) } else { 0 };
        self.tally.stock.sold += if state.is_open() { 0 } else { u64::from(quantity) };
        self.own(person, i64::from(quantity), report);
    }

    fn own(&mut self, person: UserId, units: i64, report: &mut dyn FnMut(Breach)) {
        let owned = self.persons.entry(person).or_default();
        *owned += units;
        if let Some(limit) = self.terms.and_then(|terms| terms.limit_per_person)
            && units > 0
            && *owned > i64::from(limit)
        {
            report(Breach::OverLimit { person, limit, owned: *owned });
        }
        if *owned == 0 {
            self.persons.remove(&person);
        }
    }

    fn abort(&mut self, order: OrderId, person: UserId, at: Time, report: &mut dyn FnMut(Breach)) {
        let line = Line {
            person,
            attempt: PaymentId::NIL,
            quantity: 0,
            returned: 0,
            expires_at: at,
            state: HoldState::Released,
            reason: ReleaseReason::Aborted,
        };
        if self.lines.insert(order, line).is_some() {
            report(Breach::DecidedTwice { order });
        }
    }

    /// An event about an order that exists. One that its state does not allow is reported and still counted, as a ledger
    /// that wrote it would have.
    fn change(&mut self, order: OrderId, event: &Event, at: Time, report: &mut dyn FnMut(Breach)) {
        let Some(line) = self.lines.get_mut(&order) else {
            return report(Breach::NoSuchOrder { order });
        };
        let (before, quantity) = (line.state, u64::from(line.quantity));
        if let Some(breach) = line.breach(order, event, at, self.doubt, self.frozen) {
            report(breach);
        }
        line.follow(event);
        let (state, person) = (line.state, line.person);
        let stock = &mut self.tally.stock;
        let mut owned = 0;
        match event {
            Event::Promoted { .. } => {}
            Event::PaymentBegun { .. } => stock.paying += quantity,
            Event::PaymentEnded { .. } => stock.paying = stock.paying.saturating_sub(quantity),
            Event::Committed { .. } => {
                stock.paying = stock.paying.saturating_sub(quantity);
                stock.held = stock.held.saturating_sub(quantity);
                stock.sold += quantity;
            }
            Event::Released { .. } => {
                let pinned = if before == HoldState::Paying { quantity } else { 0 };
                stock.paying = stock.paying.saturating_sub(pinned);
                stock.held = stock.held.saturating_sub(quantity);
                stock.released += quantity;
                self.tally.available += i128::from(quantity);
                owned = -(quantity as i64);
            }
            Event::Reclaimed { .. } if before != HoldState::Held => {
                stock.held += quantity;
                self.tally.available -= i128::from(quantity);
                owned = quantity as i64;
            }
            Event::Returned { quantity, return_id, restock, .. } => {
                if !self.returns.insert((order, *return_id)) {
                    report(Breach::ReturnedTwice { order, return_id: *return_id });
                }
                stock.sold = stock.sold.saturating_sub(u64::from(*quantity));
                if *restock {
                    self.tally.available += i128::from(*quantity);
                } else {
                    stock.stock = stock.stock.saturating_sub(u64::from(*quantity));
                }
                owned = -i64::from(*quantity);
            }
            _ => debug_assert_eq!(before, state, "nothing else changes what is counted"),
        }
        if owned != 0 {
            self.own(person, owned, report);
        }
    }

    /// Held and sold once more, from every order's end instead of from the events.
    fn recount(&self) -> Option<Breach> {
        let sum = |wanted: fn(HoldState) -> bool| -> u64 {
            self.lines.values().filter(|line| wanted(line.state)).map(|line| u64::from(line.left())).sum()
        };
        let (held, sold) = (sum(HoldState::is_open), sum(|state| state == HoldState::Sold));
        let Stock { stock, held: counted_held, sold: counted_sold, .. } = self.tally.stock;
        let available = self.tally.available;
        ((held, sold) != (counted_held, counted_sold)).then_some(Breach::NotConserved { stock, available, held, sold })
    }
}

impl Line {
    fn left(&self) -> u32 {
        self.quantity.saturating_sub(self.returned)
    }

    /// Why this event must not happen to this order now.
    fn breach(&self, order: OrderId, event: &Event, at: Time, doubt: Duration, frozen: bool) -> Option<Breach> {
        use HoldState::{Held, Paying, Prepared, Released, Sold};
        let allowed = match event {
            Event::Promoted { .. } => self.state == Prepared,
            Event::PaymentBegun { .. } if self.state == Held && at >= self.expires_at + doubt => {
                return Some(Breach::PaidLate { order });
            }
            Event::PaymentBegun { .. } => self.state == Held,
            Event::PaymentEnded { attempt, .. } | Event::Committed { attempt, .. } => {
                self.state == Paying && self.attempt == *attempt
            }
            Event::Released { .. } if self.state == Paying => return Some(Breach::ReleasedInPayment { order }),
            Event::Released { reason: ReleaseReason::Expired, .. }
                if self.state == Prepared || (self.state == Held && at < self.expires_at) =>
            {
                return Some(Breach::ReleasedEarly { order });
            }
            Event::Released { .. } => matches!(self.state, Held | Prepared),
            Event::Reclaimed { .. } if frozen => return Some(Breach::GrantedFrozen { order }),
            Event::Reclaimed { .. } => {
                let expired = self.state == Released && self.reason == ReleaseReason::Expired;
                expired || (self.state == Held && at >= self.expires_at)
            }
            // The home of an order over several offers notes that units of the others came back.
            Event::Returned { quantity: 0, .. } => matches!(self.state, Sold | HoldState::Returned),
            Event::Returned { quantity, .. } => self.state == Sold && *quantity <= self.left(),
            _ => true,
        };
        (!allowed).then_some(Breach::Impossible { order, state: self.state })
    }

    fn follow(&mut self, event: &Event) {
        match event {
            Event::Promoted { expires_at, .. } | Event::Reclaimed { expires_at, .. } => {
                self.state = HoldState::Held;
                self.expires_at = *expires_at;
            }
            Event::PaymentBegun { attempt, .. } => {
                self.state = HoldState::Paying;
                self.attempt = *attempt;
            }
            Event::PaymentEnded { .. } => self.state = HoldState::Held,
            Event::Committed { .. } => self.state = HoldState::Sold,
            Event::Released { reason, .. } => {
                self.state = HoldState::Released;
                self.reason = *reason;
            }
            Event::Returned { quantity, .. } => {
                self.returned += quantity;
                if self.returned >= self.quantity {
                    self.state = HoldState::Returned;
                }
            }
            _ => {}
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} events of {} offers, {} violations", self.events, self.offers.len(), self.found)?;
        self.violations.iter().try_for_each(|violation| writeln!(formatter, "{violation}"))
    }
}

#[cfg(test)]
mod tests;
