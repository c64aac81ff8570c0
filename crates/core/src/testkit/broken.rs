//! Ledgers that break one clause each: a suite that has never caught anything proves nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::clock::TestClock;
use super::harness::LedgerHarness;
use super::memory_ledger::{MemoryJournal, MemoryLedger};
use super::runtime;
use crate::ids::{OfferNumber, OrderId};
use crate::ledger::{
    Command, Event, Hold, HoldRequest, HoldState, Offer, OfferSnapshot, Outcome, Record, Refusal, ReleaseReason,
};
use crate::ports::{Clock as _, JournalEntry, LedgerState, LiveCounters, PortError, StockLedger};
use crate::time::Time;

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident breaks $clause:ident,)*) => {
        /// One way in which a ledger can be wrong.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Fault {
            /// Nothing is wrong, so that the wrapper itself is tested.
            None,
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// Every fault, with the clause that must notice it.
            pub const ALL: &[(Self, &str)] = &[$((Self::$fault, stringify!($clause))),*];
        }
    };
}

faults! {
    /// Looks, gives way, and grants by what it saw.
    DecidesByOldState breaks never_oversold,
    /// Has one unit more than there is.
    SellsOneMore breaks never_oversold,
    /// Still counts what was released as held.
    ForgetsReleases breaks conserved,
    /// Tells an order that exists another deadline.
    AnswersAnotherDeadline breaks decided_once,
    /// Grants a released order anew.
    GrantsAgain breaks decided_once,
    /// Leaves a sequence number out.
    SkipsANumber breaks in_order,
    /// Tells an order another place in line than the journal.
    AnswersAnotherPlace breaks in_order,
    /// Answers before its last record is durable.
    AnswersTooEarly breaks durable_before_answer,
    /// Has no limit.
    IgnoresTheLimit breaks limit_per_person,
    /// Counts what was given back against the limit.
    NeverForgives breaks limit_per_person,
    /// Grants before the opening.
    OpensEarly breaks window,
    /// Grants at the moment of closing.
    ClosesLate breaks window,
    /// Believes a clock that was set back.
    TurnsBackTime breaks window,
    /// Releases holds in payment by time.
    ExpiresPayments breaks expiry_never_meets_payment,
    /// Begins payments after the deadline.
    PaysLate breaks expiry_never_meets_payment,
    /// Takes the same return as often as it comes.
    ReturnsTwice breaks returns_exactly_once,
    /// Releases what is released.
    ReleasesTwice breaks returns_exactly_once,
    /// Looks at the limit before everything else.
    ChecksTheLimitFirst breaks refusal_precedence,
    /// Does not count whom it refuses.
    CountsNoRefusals breaks refusal_precedence,
    /// Takes another body under the same key for the same order.
    IgnoresTheBody breaks key_reuse,
    /// Waits for the payment of what is free.
    HoldsWhatIsFree breaks free_in_one_step,
    /// Releases prepared lines by time.
    ExpiresPrepared breaks orders_over_several_offers,
    /// Forgets that an order was aborted.
    ForgetsAborts breaks orders_over_several_offers,
    /// Reclaims over the limit.
    ReclaimsOverTheLimit breaks reclaim,
    /// Reclaims what was canceled.
    ReclaimsCanceled breaks reclaim,
    /// Counts an adjustment as often as it comes.
    AdjustsTwice breaks twice_is_once,
    /// Takes terms that are older.
    TakesOldTerms breaks twice_is_once,
    /// Releases nothing unless told.
    NeverExpires breaks expires_by_itself,
    /// Releases a second before the deadline.
    ExpiresEarly breaks expires_by_itself,
    /// Does not find what it has just answered.
    FindsLate breaks found_after_answer,
    /// Writes a record that does not carry the hash of the one before.
    BreaksTheChain breaks journal_agrees_with_itself,
    /// Does not show the last record of an offer.
    HidesARecord breaks journal_agrees_with_itself,
    /// Says that there is something to read when there is not.
    WaitsForNothing breaks journal_agrees_with_itself,
    /// Releases those first whose deadline is last.
    ExpiresBackwards breaks same_as_the_model,
}

/// A [`MemoryLedger`] with a [`Fault`].
struct Broken {
    fault: Fault,
    inner: MemoryLedger,
    clock: TestClock,
}

/// The offer with something else about it.
fn altered(offer: &Offer, change: impl FnOnce(&mut OfferSnapshot)) -> Offer {
    with_holds(offer, change, |hold| Some(hold.clone()))
}

fn with_holds(
    offer: &Offer,
    change: impl FnOnce(&mut OfferSnapshot),
    hold: impl FnMut(&Hold) -> Option<Hold>,
) -> Offer {
    let Some(mut snapshot) = offer.snapshot() else { return offer.clone() };
    change(&mut snapshot);
    let holds: Vec<_> = offer.holds().filter_map(hold).collect();
    Offer::restore(snapshot, holds, offer.persons().collect())
}

fn same(_: &mut OfferSnapshot) {}

impl Broken {
    fn turn(&self, offer: &Offer, command: &Command, now: Time, events: &mut Vec<Event>) -> Outcome {
        let wrong = self.wrong_offer(offer, command, now);
        let wrong = wrong.as_ref().unwrap_or(offer);
        match (self.fault, command) {
            (Fault::TurnsBackTime, _) => wrong.decide(command, self.clock.now(), events),
            (Fault::ExpiresEarly, Command::Expire) => wrong.decide(command, now + Duration::from_secs(1), events),
            (Fault::PaysLate, Command::BeginPayment { order, .. }) => {
                let deadline = offer.hold(*order).map_or(now, |hold| hold.expires_at - Duration::from_micros(1));
                altered(offer, |snapshot| snapshot.last_at = deadline.min(now)).decide(
                    command,
                    deadline.min(now),
                    events,
                )
            }
            (Fault::ExpiresPayments | Fault::ExpiresPrepared, Command::Expire) => {
                self.expire_too_much(offer, now, events)
            }
            (Fault::ExpiresBackwards, Command::Expire) => {
                let Outcome::ReleasedByTime(mut orders) = offer.decide(command, now, events) else {
                    return Outcome::Gone;
                };
                orders.reverse();
                events.reverse();
                Outcome::ReleasedByTime(orders)
            }
            (Fault::ReturnsTwice, Command::Return { order, return_id, quantity, restock }) => {
                let twice = offer.hold(*order).is_some_and(|hold| {
                    hold.returned() > 0
                        && hold.units() >= *quantity
                        && hold.returns().iter().any(|one| one.id == *return_id)
                });
                if !twice {
                    return offer.decide(command, now, events);
                }
                let (order, return_id, quantity, restock) = (*order, *return_id, *quantity, *restock);
                events.push(Event::Returned { order, return_id, quantity, restock });
                Outcome::Returned { seq: offer.seq() + 1 }
            }
            (Fault::ReleasesTwice, Command::Release { order, reason }) => {
                let outcome = offer.decide(command, now, events);
                if !matches!(outcome, Outcome::AlreadyReleased { .. }) {
                    return outcome;
                }
                events.push(Event::Released { order: *order, reason: *reason });
                Outcome::Released { seq: offer.seq() + 1 }
            }
            (Fault::TakesOldTerms, Command::SetTerms(terms)) => {
                events.push(Event::TermsSet(*terms));
                Outcome::Done { seq: offer.seq() + 1 }
            }
            (Fault::HoldsWhatIsFree, Command::Hold(_)) => Self::hold_what_is_free(offer, command, now, events),
            (Fault::ChecksTheLimitFirst, Command::Hold(_)) => {
                let early = wrong.decide(command, now, &mut Vec::new());
                let over = matches!(early, Outcome::Refused(Refusal::OverLimit { .. }));
                if over { early } else { offer.decide(command, now, events) }
            }
            _ => wrong.decide(command, now, events),
        }
    }

    /// What this ledger believes the offer to be, if not what it is.
    fn wrong_offer(&self, offer: &Offer, command: &Command, now: Time) -> Option<Offer> {
        Some(match (self.fault, command) {
            (Fault::SellsOneMore, Command::Hold(_)) => altered(offer, |snapshot| snapshot.stock.stock += 1),
            (Fault::GrantsAgain, Command::Hold(request)) => with_holds(offer, same, |hold| {
                let again = hold.order == request.order && hold.state == HoldState::Released;
                (!again).then(|| hold.clone())
            }),
            (Fault::IgnoresTheLimit, Command::Hold(_) | Command::Prepare(_))
            | (Fault::ReclaimsOverTheLimit, Command::Reclaim { .. }) => {
                altered(offer, |snapshot| snapshot.terms.limit_per_person = None)
            }
            (Fault::NeverForgives, Command::Hold(request)) => {
                let mine = offer.holds().filter(|hold| hold.person == request.person);
                let ever = mine.map(|hold| hold.quantity).sum();
                let persons = std::iter::once((request.person, ever)).collect();
                Offer::restore(offer.snapshot()?, offer.holds().cloned().collect::<Vec<_>>(), persons)
            }
            (Fault::OpensEarly, _) => altered(offer, |snapshot| snapshot.terms.opens_at = Time(0)),
            (Fault::ClosesLate, _) => altered(offer, |snapshot| {
                snapshot.terms.closes_at =
                    snapshot.terms.closes_at.map(|closes_at| closes_at + Duration::from_micros(1));
            }),
            (Fault::TurnsBackTime, _) => altered(offer, |snapshot| snapshot.last_at = Time(0)),
            (Fault::ChecksTheLimitFirst, _) => altered(offer, |snapshot| {
                snapshot.frozen = false;
                snapshot.terms.closes_at = None;
                snapshot.terms.opens_at = now;
                snapshot.terms.max_per_order = u32::MAX;
            }),
            (Fault::ForgetsAborts, Command::Hold(_) | Command::Prepare(_)) => {
                with_holds(offer, same, |hold| (hold.reason != ReleaseReason::Aborted).then(|| hold.clone()))
            }
            (Fault::ReclaimsCanceled, Command::Reclaim { .. }) => {
                with_holds(offer, same, |hold| Some(Hold { reason: ReleaseReason::Expired, ..hold.clone() }))
            }
            (Fault::AdjustsTwice, _) => altered(offer, |snapshot| snapshot.adjustments.clear()),
            _ => return None,
        })
    }

    fn expire_too_much(&self, offer: &Offer, now: Time, events: &mut Vec<Event>) -> Outcome {
        let state = if self.fault == Fault::ExpiresPayments { HoldState::Paying } else { HoldState::Prepared };
        let states = [HoldState::Held, state];
        let due = offer.holds().filter(|hold| states.contains(&hold.state) && hold.expires_at <= now);
        let orders: Vec<_> = due.map(|hold| hold.order).collect();
        events.extend(orders.iter().map(|order| Event::Released { order: *order, reason: ReleaseReason::Expired }));
        Outcome::ReleasedByTime(orders)
    }

    fn hold_what_is_free(offer: &Offer, command: &Command, now: Time, events: &mut Vec<Event>) -> Outcome {
        let outcome = offer.decide(command, now, events);
        match (outcome, events.pop()) {
            (Outcome::Granted(hold), Some(Event::Sold(granted))) => {
                events.push(Event::Held(granted));
                Outcome::Held(Hold { state: HoldState::Held, ..hold })
            }
            (outcome, event) => {
                events.extend(event);
                outcome
            }
        }
    }

    /// What it answers instead of what it decided.
    fn answer(&self, offer: OfferNumber, command: &Command, outcome: Outcome) -> Outcome {
        match (self.fault, command, outcome) {
            (Fault::AnswersAnotherDeadline, _, Outcome::AlreadyHeld(hold)) => {
                Outcome::AlreadyHeld(Hold { expires_at: hold.expires_at + Duration::from_secs(1), ..hold })
            }
            (Fault::AnswersAnotherPlace, _, Outcome::Held(hold)) => {
                Outcome::Held(Hold { granted_seq: hold.granted_seq + 1, ..hold })
            }
            (Fault::IgnoresTheBody, Command::Hold(request), Outcome::KeyReused) => {
                let present = self.inner.offer(offer).and_then(|offer| offer.hold(request.order).cloned());
                present.map_or(Outcome::KeyReused, Outcome::AlreadyHeld)
            }
            (_, _, outcome) => outcome,
        }
    }

    /// How it shows its journal.
    fn show(&self, mut entries: Vec<JournalEntry>) -> Vec<JournalEntry> {
        for entry in &mut entries {
            let record = &*entry.record;
            let changed = match self.fault {
                Fault::SkipsANumber if record.first_seq > 5 => {
                    Record { first_seq: record.first_seq + 1, ..record.clone() }
                }
                Fault::BreaksTheChain if record.first_seq == 5 => Record { prev: [0; 32], ..record.clone() },
                _ => continue,
            };
            entry.hash = Record::hash(&changed.encode());
            entry.record = Arc::new(changed);
        }
        entries
    }

    fn tick(&self) {
        if self.fault != Fault::NeverExpires {
            self.inner.tick(&|offer, command, now, events| self.turn(offer, command, now, events));
        }
    }
}

#[async_trait]
impl StockLedger for Broken {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        if self.fault == Fault::DecidesByOldState && matches!(command, Command::Hold(_)) {
            let seen = self.inner.offer(offer).unwrap_or_default();
            runtime::give_way().await;
            return Ok(self
                .inner
                .decide_by(offer, &command, &|_, command, now, events| seen.decide(command, now, events)));
        }
        let decider = |offer: &Offer, command: &Command, now: Time, events: &mut Vec<Event>| {
            self.turn(offer, command, now, events)
        };
        let outcome = self.inner.decide_by(offer, &command, &decider);
        Ok(self.answer(offer, &command, outcome))
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        let hold = self.inner.find(order).await?;
        let last = self.inner.offer(order.home()).map_or(0, |offer| offer.seq());
        Ok(hold.filter(|hold| self.fault != Fault::FindsLate || hold.seq < last))
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        self.tick();
        let Some(mut state) = self.inner.state(offer) else { return Ok(None) };
        match self.fault {
            Fault::ForgetsReleases => state.offer.stock.held += state.offer.stock.released,
            Fault::CountsNoRefusals => {
                state.live = LiveCounters { granted: state.live.granted, ..LiveCounters::default() }
            }
            _ => {}
        }
        Ok(Some(state))
    }

    async fn would_refuse(
        &self,
        offer: OfferNumber,
        request: &HoldRequest,
        now: Time,
    ) -> Result<Option<Refusal>, PortError> {
        self.inner.would_refuse(offer, request, now).await
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let mut entries = self.inner.journal(offer, from_seq, limit).await?;
        if self.fault == Fault::HidesARecord {
            entries.pop();
        }
        Ok(self.show(entries))
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        Ok(self.show(self.inner.entries(after, limit).await?))
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        loop {
            self.tick();
            if self.fault == Fault::WaitsForNothing || !self.inner.entries(after, 1).await?.is_empty() {
                return Ok(());
            }
            runtime::sleep(Duration::from_millis(1)).await;
        }
    }

    fn archived(&self, _position: i64) {}
}

/// A ledger in memory that has a [`Fault`], for suites that must notice it.
pub struct BrokenHarness {
    fault: Fault,
    journal: MemoryJournal,
    clock: TestClock,
    ledger: Arc<Broken>,
}

impl BrokenHarness {
    /// An empty ledger with this fault.
    pub fn create(fault: Fault) -> Self {
        let (journal, clock) = (MemoryJournal::default(), TestClock::default());
        let ledger = Self::open(fault, &journal, &clock);
        Self { fault, journal, clock, ledger }
    }

    fn open(fault: Fault, journal: &MemoryJournal, clock: &TestClock) -> Arc<Broken> {
        let inner = MemoryLedger::open(journal.clone(), clock.clone());
        Arc::new(Broken { fault, inner, clock: clock.clone() })
    }
}

#[async_trait]
impl LedgerHarness for BrokenHarness {
    fn ledger(&self) -> Arc<dyn StockLedger> {
        self.ledger.clone()
    }

    fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.ledger = Self::open(self.fault, &self.journal, &self.clock);
        Ok(())
    }

    async fn crash(&mut self) -> Result<(), String> {
        if self.fault == Fault::AnswersTooEarly {
            self.journal.entries().pop();
        }
        self.restart().await
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::conformance::CLAUSES;

    mod innocent {
        use super::{BrokenHarness, Fault};

        crate::ledger_conformance!(block_on: BrokenHarness::create(Fault::None));
    }

    #[test]
    fn every_fault_is_noticed_by_its_clause() {
        for (fault, name) in Fault::ALL {
            let clause = CLAUSES.iter().find(|clause| clause.name == *name).expect("a clause of this name");
            let found = runtime::block_on(clause.test(&mut BrokenHarness::create(*fault)));
            let found = found.expect_err(&format!("{name} does not notice {fault:?}"));
            assert!(!found.contains("hangs") && !found.contains("failed"), "{fault:?}: {found}");
        }
    }

    #[test]
    fn every_clause_has_noticed_something() {
        for clause in CLAUSES {
            assert!(Fault::ALL.iter().any(|(_, name)| *name == clause.name), "nothing breaks {}", clause.name);
        }
    }
}
