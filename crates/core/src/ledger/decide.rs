//! Deciding commands. Looks at the state, changes nothing.

use std::time::Duration;

use super::command::{Command, HoldRequest};
use super::event::{Event, Granted, ReleaseReason};
use super::hold::{Hold, HoldState};
use super::offer::{EXPIRE_AT_MOST, Offer};
use super::outcome::{Outcome, Refusal};
use super::terms::{MAX_STOCK, Terms};
use crate::ids::{EventId, OrderId, PaymentId, RefundId, UserId};
use crate::time::Time;

/// When something is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// The time, by the clock of whoever decides.
    pub at: Time,
    /// How far behind it the true time may be. A hold is late when its deadline has passed without a doubt.
    pub doubt: Duration,
}

impl From<Time> for Now {
    /// By the only clock that there is.
    fn from(at: Time) -> Self {
        Self { at, doubt: Duration::ZERO }
    }
}

impl Now {
    /// The time that has passed without a doubt, in the offer: its time never runs backwards.
    fn passed(self, offer: &Offer) -> Time {
        self.at.max(offer.last_at) - self.doubt
    }
}

impl Offer {
    /// Whether [`Command::Expire`] would release anything.
    pub fn is_due(&self, now: impl Into<Now>) -> bool {
        let passed = now.into().passed(self);
        self.next_deadline().is_some_and(|deadline| deadline <= passed)
    }

    /// Decides `command` at `now` and puts the events that record it at the end of `events`; none when nothing changes.
    ///
    /// The caller passes every new event to [`Offer::evolve`] before it decides the next command, makes them durable
    /// before it answers, and never lets `now` be earlier than [`Offer::last_at`]. A hold that was forgotten must be
    /// recalled before a command about its order is decided.
    pub fn decide(&self, command: &Command, now: impl Into<Now>, events: &mut Vec<Event>) -> Outcome {
        let now = now.into();
        self.decide_at(command, now.at.max(self.last_at), now.passed(self), events)
    }

    fn decide_at(&self, command: &Command, now: Time, passed: Time, events: &mut Vec<Event>) -> Outcome {
        let Some(terms) = &self.terms else {
            return self.decide_unknown(command, events);
        };
        match command {
            Command::Hold(request) => self.hold_units(terms, request, now, events),
            Command::Prepare(request) => self.prepare(terms, request, now, events),
            Command::Promote { order, expires_at } => self.promote(*order, *expires_at, events),
            Command::Abort { order, person } => self.abort(*order, *person, events),
            Command::BeginPayment { order, attempt } => self.begin_payment(terms, (*order, *attempt), passed, events),
            Command::EndPayment { order, attempt } => self.end_payment(*order, *attempt, events),
            Command::Commit { order, attempt } => self.commit(*order, *attempt, events),
            Command::Release { order, reason } => self.release(*order, *reason, events),
            Command::Reclaim { order, attempt } => self.reclaim(terms, (*order, *attempt), (now, passed), events),
            Command::Expire => self.expire(passed, events),
            Command::Return { order, return_id, quantity, restock } => {
                self.take_back(*order, *return_id, *quantity, *restock, events)
            }
            Command::SetTerms(newer) => self.set_terms(Some(terms), newer, events),
            Command::Adjust { id, delta } => self.adjust(*id, *delta, events),
            Command::Freeze => self.set_frozen(true, events),
            Command::Unfreeze => self.set_frozen(false, events),
        }
    }

    /// Before its first terms an offer does not exist: only `SetTerms` does anything.
    fn decide_unknown(&self, command: &Command, events: &mut Vec<Event>) -> Outcome {
        match command {
            Command::SetTerms(terms) => self.set_terms(None, terms, events),
            Command::Expire => Outcome::ReleasedByTime(Vec::new()),
            _ => Outcome::Refused(Refusal::UnknownOffer),
        }
    }

    /// Why a new hold would be refused at `now`; none for an order that the offer knows.
    pub fn would_refuse(&self, request: &HoldRequest, now: Time) -> Option<Refusal> {
        match self.decide(&Command::Prepare(request.clone()), now, &mut Vec::new()) {
            Outcome::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    fn next_seq(&self) -> u64 {
        self.seq + 1
    }

    fn hold_units(&self, terms: &Terms, request: &HoldRequest, now: Time, events: &mut Vec<Event>) -> Outcome {
        if let Some(present) = self.hold(request.order) {
            return Self::again(present, request);
        }
        if let Some(refusal) = self.refuses(terms, request, now) {
            return Outcome::Refused(refusal);
        }
        if request.unit_price.is_some_and(|unit_price| unit_price != terms.price) {
            return Outcome::Gone;
        }
        let granted = grant(terms, request, now);
        let others = granted.facts.as_ref().is_some_and(|facts| !facts.other_lines.is_empty());
        let event = Event::Held(granted);
        let Some(hold) = Hold::created_by(&event, self.next_seq(), now) else {
            return Outcome::Gone;
        };
        // Over several offers even a free order is committed line by line, after its lines are promoted.
        if hold.total().amount > 0 || others {
            events.push(event);
            return Outcome::Held(hold);
        }
        let Event::Held(granted) = event else { return Outcome::Gone };
        events.push(Event::Sold(Granted { expires_at: now, ..granted }));
        Outcome::Granted(Hold { state: HoldState::Sold, expires_at: now, ..hold })
    }

    fn prepare(&self, terms: &Terms, request: &HoldRequest, now: Time, events: &mut Vec<Event>) -> Outcome {
        if let Some(present) = self.hold(request.order) {
            return Self::again(present, request);
        }
        if let Some(refusal) = self.refuses(terms, request, now) {
            return Outcome::Refused(refusal);
        }
        if request.unit_price.is_some_and(|unit_price| unit_price != terms.price) {
            return Outcome::Gone;
        }
        let event = Event::Prepared(grant(terms, request, now));
        let Some(hold) = Hold::created_by(&event, self.next_seq(), now) else {
            return Outcome::Gone;
        };
        events.push(event);
        Outcome::Held(hold)
    }

    /// What an order that the ledger knows is answered: the same, however often it asks.
    fn again(present: &Hold, request: &HoldRequest) -> Outcome {
        if present.state == HoldState::Released && present.reason == ReleaseReason::Aborted {
            return Outcome::Gone;
        }
        if present.person != request.person || present.digest != request.digest {
            return Outcome::KeyReused;
        }
        Outcome::AlreadyHeld(present.clone())
    }

    /// Why units are refused, in the precedence that the contract gives.
    fn refuses(&self, terms: &Terms, request: &HoldRequest, now: Time) -> Option<Refusal> {
        if self.frozen {
            return Some(Refusal::Frozen);
        }
        if terms.closes_at.is_some_and(|closes_at| now >= closes_at) {
            return Some(Refusal::Closed);
        }
        if now < terms.opens_at {
            return Some(Refusal::NotOpenYet { opens_at: terms.opens_at });
        }
        if request.quantity == 0 || request.quantity > terms.max_per_order {
            return Some(Refusal::TooMany { max_per_order: terms.max_per_order });
        }
        self.over_limit(terms, request.person, request.quantity).or_else(|| self.sold_out(request.quantity))
    }

    fn over_limit(&self, terms: &Terms, person: UserId, quantity: u32) -> Option<Refusal> {
        let limit = terms.limit_per_person?;
        let owned = self.owned(person);
        (u64::from(owned) + u64::from(quantity) > u64::from(limit)).then_some(Refusal::OverLimit { limit, owned })
    }

    fn sold_out(&self, quantity: u32) -> Option<Refusal> {
        (u64::from(quantity) > self.stock.available())
            .then(|| Refusal::SoldOut { held: self.stock.held, next_release_at: self.next_deadline() })
    }

    fn promote(&self, order: OrderId, expires_at: Time, events: &mut Vec<Event>) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::Unknown };
        match hold.state {
            HoldState::Prepared => {
                events.push(Event::Promoted { order, expires_at });
                let seq = self.next_seq();
                Outcome::Held(Hold { state: HoldState::Held, expires_at, seq, ..hold.clone() })
            }
            HoldState::Held => Outcome::Held(hold.clone()),
            HoldState::Paying => Outcome::PaymentInProgress { attempt: hold.attempt },
            HoldState::Sold | HoldState::Returned => Outcome::AlreadySold { attempt: hold.attempt },
            HoldState::Released => Outcome::Expired,
        }
    }

    fn abort(&self, order: OrderId, person: UserId, events: &mut Vec<Event>) -> Outcome {
        match self.hold(order) {
            Some(hold) if hold.state == HoldState::Released && hold.reason == ReleaseReason::Aborted => {
                Outcome::Aborted { seq: hold.seq }
            }
            Some(hold) => Outcome::AlreadyHeld(hold.clone()),
            None => {
                events.push(Event::OrderAborted { order, person });
                Outcome::Aborted { seq: self.next_seq() }
            }
        }
    }

    fn begin_payment(
        &self,
        terms: &Terms,
        (order, attempt): (OrderId, PaymentId),
        passed: Time,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::Unknown };
        match hold.state {
            HoldState::Prepared => Outcome::Unknown,
            // Late is late, whether or not the clock that releases has come by yet.
            HoldState::Held if passed >= hold.expires_at || terms.is_over(passed) => Outcome::Expired,
            HoldState::Held => {
                events.push(Event::PaymentBegun { order, attempt });
                Outcome::Paying(Hold { state: HoldState::Paying, attempt, seq: self.next_seq(), ..hold.clone() })
            }
            HoldState::Paying if hold.attempt == attempt => Outcome::Paying(hold.clone()),
            HoldState::Paying => Outcome::PaymentInProgress { attempt: hold.attempt },
            HoldState::Sold | HoldState::Returned => Outcome::AlreadySold { attempt: hold.attempt },
            HoldState::Released => Outcome::Expired,
        }
    }

    fn end_payment(&self, order: OrderId, attempt: PaymentId, events: &mut Vec<Event>) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::Unknown };
        match hold.state {
            HoldState::Prepared => Outcome::Unknown,
            HoldState::Held => Outcome::PaymentEnded(hold.clone()),
            HoldState::Paying if hold.attempt == attempt => {
                events.push(Event::PaymentEnded { order, attempt });
                Outcome::PaymentEnded(Hold { state: HoldState::Held, seq: self.next_seq(), ..hold.clone() })
            }
            HoldState::Paying => Outcome::PaymentInProgress { attempt: hold.attempt },
            HoldState::Sold | HoldState::Returned => Outcome::AlreadySold { attempt: hold.attempt },
            HoldState::Released => Outcome::Expired,
        }
    }

    fn commit(&self, order: OrderId, attempt: PaymentId, events: &mut Vec<Event>) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::Unknown };
        match hold.state {
            HoldState::Paying if hold.attempt == attempt => {
                events.push(Event::Committed { order, attempt });
                Outcome::Committed { seq: self.next_seq() }
            }
            HoldState::Paying => Outcome::PaymentInProgress { attempt: hold.attempt },
            HoldState::Sold | HoldState::Returned => Outcome::AlreadyCommitted { seq: hold.seq, attempt: hold.attempt },
            HoldState::Prepared | HoldState::Held | HoldState::Released => Outcome::Gone,
        }
    }

    fn release(&self, order: OrderId, reason: ReleaseReason, events: &mut Vec<Event>) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::Unknown };
        match hold.state {
            HoldState::Prepared | HoldState::Held => {
                events.push(Event::Released { order, reason });
                Outcome::Released { seq: self.next_seq() }
            }
            HoldState::Paying => Outcome::InPayment { attempt: hold.attempt },
            HoldState::Sold | HoldState::Returned => Outcome::AlreadySold { attempt: hold.attempt },
            HoldState::Released => Outcome::AlreadyReleased { seq: hold.seq },
        }
    }

    fn reclaim(
        &self,
        terms: &Terms,
        (order, attempt): (OrderId, Option<PaymentId>),
        (now, passed): (Time, Time),
        events: &mut Vec<Event>,
    ) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::Unknown };
        match hold.state {
            HoldState::Prepared => Outcome::Unknown,
            HoldState::Held if passed < hold.expires_at && !terms.is_over(passed) => Outcome::Held(hold.clone()),
            HoldState::Paying if Some(hold.attempt) == attempt => Outcome::Paying(hold.clone()),
            HoldState::Paying => Outcome::PaymentInProgress { attempt: hold.attempt },
            HoldState::Sold | HoldState::Returned => Outcome::AlreadySold { attempt: hold.attempt },
            // It was canceled, failed for good or never was: money that comes now goes back.
            HoldState::Released if hold.reason != ReleaseReason::Expired => Outcome::Gone,
            // Late is late, so a hold past its deadline is as good as released, whether or not the clock has come by yet.
            HoldState::Held | HoldState::Released => {
                let missing = hold.quantity - hold.units();
                // The window does not matter: the order was in time, only its money was late. But nobody pays for what
                // can be used no more.
                let refusal = self
                    .frozen
                    .then_some(Refusal::Frozen)
                    .or_else(|| terms.is_over(passed).then_some(Refusal::Closed))
                    .or_else(|| self.over_limit(terms, hold.person, missing))
                    .or_else(|| self.sold_out(missing));
                if let Some(refusal) = refusal {
                    return Outcome::Refused(refusal);
                }
                let seq = self.next_seq();
                let Some(attempt) = attempt else {
                    let expires_at = now + Duration::from_millis(u64::from(terms.hold_for_ms));
                    events.push(Event::Reclaimed { order, expires_at });
                    return Outcome::Held(Hold { state: HoldState::Held, expires_at, seq, ..hold.clone() });
                };
                // The shortest time in which a payment can begin.
                let expires_at = now + Duration::from_micros(1);
                events.push(Event::Reclaimed { order, expires_at });
                events.push(Event::PaymentBegun { order, attempt });
                Outcome::Paying(Hold { state: HoldState::Paying, expires_at, attempt, seq: seq + 1, ..hold.clone() })
            }
        }
    }

    fn expire(&self, passed: Time, events: &mut Vec<Event>) -> Outcome {
        let due: Vec<OrderId> = self.due(passed).take(EXPIRE_AT_MOST).collect();
        events.extend(due.iter().map(|order| Event::Released { order: *order, reason: ReleaseReason::Expired }));
        Outcome::ReleasedByTime(due)
    }

    fn take_back(
        &self,
        order: OrderId,
        return_id: RefundId,
        quantity: u32,
        restock: bool,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let Some(hold) = self.hold(order) else { return Outcome::NotSold };
        if let Some(earlier) = hold.returns().iter().find(|entry| entry.id == return_id) {
            return Outcome::Returned { seq: earlier.seq };
        }
        if !matches!(hold.state, HoldState::Sold | HoldState::Returned) {
            return Outcome::NotSold;
        }
        let left = hold.units();
        // Of an order over several offers the home also notes, with no units, what came back of the others.
        let is_note = quantity == 0 && !hold.other_lines().is_empty();
        if (quantity == 0 && !is_note) || quantity > left {
            return Outcome::TooManyReturned { left };
        }
        events.push(Event::Returned { order, return_id, quantity, restock });
        Outcome::Returned { seq: self.next_seq() }
    }

    fn set_terms(&self, present: Option<&Terms>, newer: &Terms, events: &mut Vec<Event>) -> Outcome {
        if present.is_some_and(|present| newer.version <= present.version) {
            return Outcome::Done { seq: self.seq };
        }
        events.push(Event::TermsSet(*newer));
        Outcome::Done { seq: self.next_seq() }
    }

    fn adjust(&self, id: EventId, delta: i64, events: &mut Vec<Event>) -> Outcome {
        if let Some(seq) = self.adjustments.get(&id) {
            return Outcome::Done { seq: *seq };
        }
        let available = self.stock.available();
        let fits = self.stock.stock.checked_add_signed(delta).is_some_and(|stock| stock <= MAX_STOCK);
        if !fits || (delta < 0 && delta.unsigned_abs() > available) {
            return Outcome::WouldGoNegative { available };
        }
        events.push(Event::Adjusted { id, delta });
        Outcome::Done { seq: self.next_seq() }
    }

    fn set_frozen(&self, frozen: bool, events: &mut Vec<Event>) -> Outcome {
        if self.frozen == frozen {
            return Outcome::Done { seq: self.seq };
        }
        events.push(if frozen { Event::Frozen } else { Event::Unfrozen });
        Outcome::Done { seq: self.next_seq() }
    }
}

fn grant(terms: &Terms, request: &HoldRequest, now: Time) -> Granted {
    Granted {
        order: request.order,
        person: request.person,
        quantity: request.quantity,
        unit_price: terms.price,
        discount: request.discount,
        digest: request.digest,
        expires_at: now + Duration::from_millis(u64::from(terms.hold_for_ms)),
        terms_version: terms.version,
        facts: request.facts.clone(),
    }
}
