//! The ledger once more, as simple as it can be said: a second opinion on `Offer::decide`.
//!
//! Written from the contract alone and not from the state machine. It keeps no counter: whatever it must know it counts
//! anew from the holds. Where the contract left something open, the comment at that place says what both chose.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{EventId, OrderId, PaymentId, RefundId, UserId};
use crate::ledger::{
    Command, Event, Granted, Hold, HoldRequest, HoldState, MAX_STOCK, Outcome, Refusal, ReleaseReason, Return, Terms,
};
use crate::money::{Currency, Money};
use crate::time::Time;

/// The most holds that one `Expire` releases.
const EXPIRE_AT_MOST: usize = 512;

/// Whether a hold is only set aside for an order that another offer decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Home,
    Line,
}

/// One offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    terms: Option<Terms>,
    stock: u64,
    frozen: bool,
    seq: u64,
    last_at: Time,
    holds: BTreeMap<OrderId, Hold>,
    adjustments: BTreeMap<EventId, u64>,
}

/// What a command did: its answer, and its event if it changed anything.
type Step = (Outcome, Vec<Event>);

fn unchanged(outcome: Outcome) -> Step {
    (outcome, Vec::new())
}

fn refused(refusal: Refusal) -> Step {
    unchanged(Outcome::Refused(refusal))
}

impl Model {
    /// Decides one command at `now`, and applies what it decided. Time that runs backwards stands still.
    pub fn apply(&mut self, command: &Command, now: Time) -> (Outcome, Vec<Event>) {
        let now = now.max(self.last_at);
        let (outcome, events) = self.decide(command, now);
        if !events.is_empty() {
            self.last_at = now;
        }
        (outcome, events)
    }

    fn decide(&mut self, command: &Command, now: Time) -> Step {
        // The contract says so of Hold alone. Nothing can be recorded before the offer's first event, its terms.
        if self.terms.is_none() && !matches!(command, Command::SetTerms(_) | Command::Expire) {
            return refused(Refusal::UnknownOffer);
        }
        match command {
            Command::Hold(request) => self.hold(request, Kind::Home, now),
            Command::Prepare(request) => self.hold(request, Kind::Line, now),
            Command::Promote { order, expires_at } => self.promote(*order, *expires_at),
            Command::Abort { order, person } => self.abort(*order, *person, now),
            Command::BeginPayment { order, attempt } => self.begin_payment(*order, *attempt, now),
            Command::EndPayment { order, attempt } => self.end_payment(*order, *attempt),
            Command::Commit { order, attempt } => self.commit(*order, *attempt),
            Command::Release { order, reason } => self.release(*order, *reason),
            Command::Reclaim { order, attempt } => self.reclaim(*order, *attempt, now),
            Command::Expire => self.expire(now),
            Command::Return { order, return_id, quantity, restock } => {
                self.take_back(*order, *return_id, *quantity, *restock)
            }
            Command::SetTerms(terms) => self.set_terms(*terms),
            Command::Adjust { id, delta } => self.adjust(*id, *delta),
            Command::Freeze => self.freeze(true),
            Command::Unfreeze => self.freeze(false),
        }
    }

    /// Units that there are.
    pub fn stock(&self) -> u64 {
        self.stock
    }

    /// Units that are set aside, in payment or not.
    pub fn held(&self) -> u64 {
        self.holds.values().filter(|hold| hold.state.is_open()).map(|hold| u64::from(hold.quantity)).sum()
    }

    /// Units that are sold and have not come back.
    pub fn sold(&self) -> u64 {
        self.holds.values().filter(|hold| hold.state == HoldState::Sold).map(|hold| u64::from(left(hold))).sum()
    }

    /// Units that a person holds and owns.
    pub fn owned(&self, person: UserId) -> u64 {
        self.holds.values().filter(|hold| hold.person == person).map(counts).sum()
    }

    /// The sequence number of the last event.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether nothing is granted until further notice.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// The terms, once they have been set.
    pub fn terms(&self) -> Option<Terms> {
        self.terms
    }

    /// Every hold there ever was, those of orders that were aborted before they held anything included.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    fn available(&self) -> u64 {
        self.stock - self.held() - self.sold()
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn hold(&mut self, request: &HoldRequest, kind: Kind, now: Time) -> Step {
        if let Some(hold) = self.holds.get(&request.order) {
            // An order that was aborted never was; it may have no body to compare with.
            return unchanged(if aborted(hold) {
                Outcome::Gone
            } else if hold.person != request.person || hold.digest != request.digest {
                Outcome::KeyReused
            } else {
                Outcome::AlreadyHeld(hold.clone())
            });
        }
        let terms = match self.may_grant(request, now) {
            Ok(terms) => terms,
            Err(refusal) => return refused(refusal),
        };
        if request.unit_price.is_some_and(|unit_price| unit_price != terms.price) {
            return unchanged(Outcome::Gone);
        }
        // An order over several offers is never granted in one step: its other lines must be promoted first.
        let alone = request.facts.as_ref().is_none_or(|facts| facts.other_lines.is_empty());
        let free = kind == Kind::Home && alone && total(request, terms.price) <= 0;
        let state = match kind {
            Kind::Line => HoldState::Prepared,
            Kind::Home if free => HoldState::Sold,
            Kind::Home => HoldState::Held,
        };
        let seq = self.next_seq();
        let hold = Hold {
            order: request.order,
            person: request.person,
            attempt: PaymentId::NIL,
            quantity: request.quantity,
            unit_price: terms.price,
            discount: request.discount,
            digest: request.digest,
            created_at: now,
            expires_at: if free { now } else { deadline(&terms, now) },
            granted_seq: seq,
            seq,
            terms_version: terms.version,
            state,
            reason: ReleaseReason::Expired,
            facts: request.facts.clone(),
        };
        self.holds.insert(request.order, hold.clone());
        let granted = granted(&hold);
        match state {
            HoldState::Sold => (Outcome::Granted(hold), vec![Event::Sold(granted)]),
            HoldState::Prepared => (Outcome::Held(hold), vec![Event::Prepared(granted)]),
            _ => (Outcome::Held(hold), vec![Event::Held(granted)]),
        }
    }

    /// The refusals in their order of precedence.
    fn may_grant(&self, request: &HoldRequest, now: Time) -> Result<Terms, Refusal> {
        let terms = self.terms.ok_or(Refusal::UnknownOffer)?;
        if self.frozen {
            return Err(Refusal::Frozen);
        }
        if terms.closes_at.is_some_and(|closes_at| now >= closes_at) {
            return Err(Refusal::Closed);
        }
        if now < terms.opens_at {
            return Err(Refusal::NotOpenYet { opens_at: terms.opens_at });
        }
        if request.quantity == 0 || request.quantity > terms.max_per_order {
            return Err(Refusal::TooMany { max_per_order: terms.max_per_order });
        }
        self.over_limit(request.person, request.quantity, &terms)?;
        self.sold_out(request.quantity)?;
        Ok(terms)
    }

    fn over_limit(&self, person: UserId, quantity: u32, terms: &Terms) -> Result<(), Refusal> {
        let owned = self.owned(person);
        match terms.limit_per_person {
            Some(limit) if owned + u64::from(quantity) > u64::from(limit) => {
                Err(Refusal::OverLimit { limit, owned: owned as u32 })
            }
            _ => Ok(()),
        }
    }

    fn sold_out(&self, quantity: u32) -> Result<(), Refusal> {
        if u64::from(quantity) <= self.available() {
            return Ok(());
        }
        let held = self.holds.values().filter(|hold| hold.state == HoldState::Held);
        Err(Refusal::SoldOut { held: self.held(), next_release_at: held.map(|hold| hold.expires_at).min() })
    }

    fn promote(&mut self, order: OrderId, expires_at: Time) -> Step {
        let Some(hold) = self.holds.get_mut(&order) else { return unchanged(Outcome::Unknown) };
        match hold.state {
            // Also with a deadline that has passed: the order exists, and the clock releases the line as it does the home's.
            HoldState::Prepared => {
                self.seq += 1;
                hold.seq = self.seq;
                hold.state = HoldState::Held;
                hold.expires_at = expires_at;
                (Outcome::Held(hold.clone()), vec![Event::Promoted { order, expires_at }])
            }
            HoldState::Held => unchanged(Outcome::Held(hold.clone())),
            // Not in the contract.
            HoldState::Paying => unchanged(Outcome::PaymentInProgress { attempt: hold.attempt }),
            HoldState::Sold | HoldState::Returned => unchanged(Outcome::AlreadySold { attempt: hold.attempt }),
            HoldState::Released => unchanged(Outcome::Expired),
        }
    }

    fn abort(&mut self, order: OrderId, person: UserId, now: Time) -> Step {
        match self.holds.get(&order) {
            Some(hold) if aborted(hold) => return unchanged(Outcome::Aborted { seq: hold.seq }),
            // The order exists; the caller must go on with it.
            Some(hold) => return unchanged(Outcome::AlreadyHeld(hold.clone())),
            None => {}
        }
        let seq = self.next_seq();
        self.holds.insert(order, never_held(order, person, seq, now));
        (Outcome::Aborted { seq }, vec![Event::OrderAborted { order, person }])
    }

    /// Whether what is sold can be used no more.
    fn is_over(&self, now: Time) -> bool {
        self.terms.and_then(|terms| terms.usable_until).is_some_and(|end| now >= end)
    }

    fn begin_payment(&mut self, order: OrderId, attempt: PaymentId, now: Time) -> Step {
        let is_over = self.is_over(now);
        let Some(hold) = self.holds.get_mut(&order) else { return unchanged(Outcome::Unknown) };
        match hold.state {
            HoldState::Held if now < hold.expires_at && !is_over => {
                self.seq += 1;
                hold.seq = self.seq;
                hold.state = HoldState::Paying;
                hold.attempt = attempt;
                (Outcome::Paying(hold.clone()), vec![Event::PaymentBegun { order, attempt }])
            }
            HoldState::Held | HoldState::Released => unchanged(Outcome::Expired),
            HoldState::Paying if hold.attempt == attempt => unchanged(Outcome::Paying(hold.clone())),
            HoldState::Paying => unchanged(Outcome::PaymentInProgress { attempt: hold.attempt }),
            HoldState::Sold | HoldState::Returned => unchanged(Outcome::AlreadySold { attempt: hold.attempt }),
            // No order that could be paid exists yet.
            HoldState::Prepared => unchanged(Outcome::Unknown),
        }
    }

    fn end_payment(&mut self, order: OrderId, attempt: PaymentId) -> Step {
        let Some(hold) = self.holds.get_mut(&order) else { return unchanged(Outcome::Unknown) };
        match hold.state {
            HoldState::Paying if hold.attempt == attempt => {
                self.seq += 1;
                hold.seq = self.seq;
                hold.state = HoldState::Held;
                (Outcome::PaymentEnded(hold.clone()), vec![Event::PaymentEnded { order, attempt }])
            }
            HoldState::Paying => unchanged(Outcome::PaymentInProgress { attempt: hold.attempt }),
            HoldState::Held => unchanged(Outcome::PaymentEnded(hold.clone())),
            HoldState::Sold | HoldState::Returned => unchanged(Outcome::AlreadySold { attempt: hold.attempt }),
            HoldState::Released => unchanged(Outcome::Expired),
            HoldState::Prepared => unchanged(Outcome::Unknown),
        }
    }

    fn commit(&mut self, order: OrderId, attempt: PaymentId) -> Step {
        let Some(hold) = self.holds.get_mut(&order) else { return unchanged(Outcome::Unknown) };
        match hold.state {
            HoldState::Paying if hold.attempt != attempt => {
                unchanged(Outcome::PaymentInProgress { attempt: hold.attempt })
            }
            HoldState::Paying => {
                self.seq += 1;
                hold.seq = self.seq;
                hold.state = HoldState::Sold;
                hold.attempt = attempt;
                (Outcome::Committed { seq: self.seq }, vec![Event::Committed { order, attempt }])
            }
            HoldState::Sold | HoldState::Returned => {
                unchanged(Outcome::AlreadyCommitted { seq: hold.seq, attempt: hold.attempt })
            }
            // Held too: only the attempt that pinned the units buys them. Were a late Commit of an attempt whose money went
            // back allowed to take a hold that was reclaimed since, the units would be gone unpaid.
            HoldState::Held | HoldState::Released | HoldState::Prepared => unchanged(Outcome::Gone),
        }
    }

    fn release(&mut self, order: OrderId, reason: ReleaseReason) -> Step {
        let Some(hold) = self.holds.get_mut(&order) else { return unchanged(Outcome::Unknown) };
        match hold.state {
            HoldState::Held | HoldState::Prepared => {
                let event = release_now(hold, reason, &mut self.seq);
                (Outcome::Released { seq: self.seq }, vec![event])
            }
            HoldState::Paying => unchanged(Outcome::InPayment { attempt: hold.attempt }),
            HoldState::Sold | HoldState::Returned => unchanged(Outcome::AlreadySold { attempt: hold.attempt }),
            HoldState::Released => unchanged(Outcome::AlreadyReleased { seq: hold.seq }),
        }
    }

    fn reclaim(&mut self, order: OrderId, attempt: Option<PaymentId>, now: Time) -> Step {
        let (Some(hold), Some(terms)) = (self.holds.get(&order), self.terms) else {
            return unchanged(Outcome::Unknown);
        };
        // Units it must take. A hold past its deadline has its own still, but is as expired as if a clock had come by.
        let quantity = match (hold.state, hold.reason) {
            (HoldState::Released, ReleaseReason::Expired) => hold.quantity,
            (HoldState::Held, _) if now >= hold.expires_at => 0,
            (HoldState::Held, _) if self.is_over(now) => 0,
            (HoldState::Held, _) => return unchanged(Outcome::Held(hold.clone())),
            (HoldState::Paying, _) if attempt == Some(hold.attempt) => return unchanged(Outcome::Paying(hold.clone())),
            // Not in the contract.
            (HoldState::Paying, _) => return unchanged(Outcome::PaymentInProgress { attempt: hold.attempt }),
            (HoldState::Sold | HoldState::Returned, _) => {
                return unchanged(Outcome::AlreadySold { attempt: hold.attempt });
            }
            // No order that could be paid exists yet.
            (HoldState::Prepared, _) => return unchanged(Outcome::Unknown),
            // Canceled, failed or aborted: its money goes back.
            (HoldState::Released, _) => return unchanged(Outcome::Gone),
        };
        // The contract does not say it, but a frozen offer grants nothing. The window does not count: the order was in time.
        if self.frozen {
            return refused(Refusal::Frozen);
        }
        if self.is_over(now) {
            return refused(Refusal::Closed);
        }
        if let Err(refusal) = self.over_limit(hold.person, quantity, &terms).and_then(|()| self.sold_out(quantity)) {
            return refused(refusal);
        }
        let mut hold = self.holds[&order].clone();
        hold.state = HoldState::Held;
        hold.seq = self.next_seq();
        hold.expires_at =
            if attempt.is_some() { now + std::time::Duration::from_micros(1) } else { deadline(&terms, now) };
        let reclaimed = Event::Reclaimed { order, expires_at: hold.expires_at };
        self.holds.insert(order, hold.clone());
        match attempt {
            None => (Outcome::Held(hold), vec![reclaimed]),
            // Two steps in one: its payment begins while it is held.
            Some(attempt) => {
                let (outcome, begun) = self.begin_payment(order, attempt, now);
                (outcome, std::iter::once(reclaimed).chain(begun).collect())
            }
        }
    }

    fn expire(&mut self, now: Time) -> Step {
        let mut due: Vec<_> = self
            .holds
            .values()
            .filter(|hold| hold.state == HoldState::Held && hold.expires_at <= now)
            .map(|hold| (hold.expires_at, hold.order))
            .collect();
        due.sort_unstable();
        let mut events = Vec::new();
        for (_, order) in due.iter().take(EXPIRE_AT_MOST) {
            if let Some(hold) = self.holds.get_mut(order) {
                events.push(release_now(hold, ReleaseReason::Expired, &mut self.seq));
            }
        }
        (Outcome::ReleasedByTime(events.iter().filter_map(Event::order).collect()), events)
    }

    fn take_back(&mut self, order: OrderId, return_id: RefundId, quantity: u32, restock: bool) -> Step {
        let Some(hold) = self.holds.get_mut(&order) else { return unchanged(Outcome::NotSold) };
        if let Some(earlier) = hold.returns().iter().find(|entry| entry.id == return_id) {
            return unchanged(Outcome::Returned { seq: earlier.seq });
        }
        if !matches!(hold.state, HoldState::Sold | HoldState::Returned) {
            return unchanged(Outcome::NotSold);
        }
        let left = left(hold);
        let is_note = quantity == 0 && !hold.other_lines().is_empty();
        if (quantity == 0 && !is_note) || quantity > left {
            return unchanged(Outcome::TooManyReturned { left });
        }
        self.seq += 1;
        hold.seq = self.seq;
        hold.facts.get_or_insert_default().returns.push(Return { id: return_id, quantity, seq: self.seq });
        if quantity == left {
            hold.state = HoldState::Returned;
        }
        if !restock {
            self.stock -= u64::from(quantity);
        }
        (Outcome::Returned { seq: self.seq }, vec![Event::Returned { order, return_id, quantity, restock }])
    }

    fn set_terms(&mut self, terms: Terms) -> Step {
        match self.terms {
            Some(current) if terms.version <= current.version => return unchanged(Outcome::Done { seq: self.seq }),
            Some(_) => {}
            None => self.stock = terms.initial_stock,
        }
        self.terms = Some(terms);
        (Outcome::Done { seq: self.next_seq() }, vec![Event::TermsSet(terms)])
    }

    fn adjust(&mut self, id: EventId, delta: i64) -> Step {
        if let Some(seq) = self.adjustments.get(&id) {
            return unchanged(Outcome::Done { seq: *seq });
        }
        let stock = i128::from(self.stock) + i128::from(delta);
        let taken = i128::from(self.held() + self.sold());
        if stock < taken || stock > i128::from(MAX_STOCK) {
            return unchanged(Outcome::WouldGoNegative { available: self.available() });
        }
        self.stock = stock as u64;
        let seq = self.next_seq();
        self.adjustments.insert(id, seq);
        (Outcome::Done { seq }, vec![Event::Adjusted { id, delta }])
    }

    fn freeze(&mut self, frozen: bool) -> Step {
        if self.frozen == frozen {
            return unchanged(Outcome::Done { seq: self.seq });
        }
        self.frozen = frozen;
        let event = if frozen { Event::Frozen } else { Event::Unfrozen };
        (Outcome::Done { seq: self.next_seq() }, vec![event])
    }
}

fn release_now(hold: &mut Hold, reason: ReleaseReason, seq: &mut u64) -> Event {
    *seq += 1;
    hold.seq = *seq;
    hold.state = HoldState::Released;
    hold.reason = reason;
    Event::Released { order: hold.order, reason }
}

fn aborted(hold: &Hold) -> bool {
    hold.state == HoldState::Released && hold.reason == ReleaseReason::Aborted
}

/// Units sold that have not come back.
fn left(hold: &Hold) -> u32 {
    hold.quantity - hold.returns().iter().map(|entry| entry.quantity).sum::<u32>()
}

/// Units that count against the limit of the hold's person.
fn counts(hold: &Hold) -> u64 {
    u64::from(match hold.state {
        HoldState::Sold => left(hold),
        state if state.is_open() => hold.quantity,
        _ => 0,
    })
}

fn deadline(terms: &Terms, now: Time) -> Time {
    now + Duration::from_millis(u64::from(terms.hold_for_ms))
}

/// The price of the whole order: what is free is sold in one step.
fn total(request: &HoldRequest, price: Money) -> i128 {
    let others = request.facts.iter().flat_map(|facts| &facts.other_lines);
    let others: i128 = others.map(|line| i128::from(line.unit_price.amount) * i128::from(line.quantity)).sum();
    i128::from(price.amount) * i128::from(request.quantity) + others - i128::from(request.discount)
}

fn granted(hold: &Hold) -> Granted {
    Granted {
        order: hold.order,
        person: hold.person,
        quantity: hold.quantity,
        unit_price: hold.unit_price,
        discount: hold.discount,
        digest: hold.digest,
        expires_at: hold.expires_at,
        terms_version: hold.terms_version,
        facts: hold.facts.clone(),
    }
}

/// What stands for an order that was aborted before it held anything.
fn never_held(order: OrderId, person: UserId, seq: u64, now: Time) -> Hold {
    Hold {
        order,
        person,
        attempt: PaymentId::NIL,
        quantity: 0,
        unit_price: Money::new(0, Currency::KRW),
        discount: 0,
        digest: 0,
        created_at: now,
        expires_at: now,
        granted_seq: seq,
        seq,
        terms_version: 0,
        state: HoldState::Released,
        reason: ReleaseReason::Aborted,
        facts: None,
    }
}
