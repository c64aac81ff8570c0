//! What the clauses say to a ledger, in few words.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Check;
use crate::ids::{OfferId, OfferNumber, OrderId, PaymentId, UserId, body_digest};
use crate::ledger::{Command, Hold, HoldRequest, OfferSnapshot, Outcome, Record, Refusal, ReleaseReason, Terms};
use crate::money::{Currency, Money};
use crate::ports::{Clock as _, JournalEntry, LedgerState, PortError, StockLedger};
use crate::testkit::auditor::Auditor;
use crate::testkit::harness::LedgerHarness;
use crate::testkit::runtime::{Task, join_all, sleep};
use crate::time::Time;

/// The offer that most clauses are about.
pub(super) const OFFER: OfferNumber = OfferNumber(1);
/// How long its holds live.
pub(super) const HOLD_FOR: Duration = Duration::from_mins(1);
/// Tasks among which a race is spread.
const RUNNERS: usize = 8;

/// Fails with what was found unless it is what was expected.
#[expect(clippy::needless_pass_by_value, reason = "callers compare what they have just made")]
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Check {
    let shown = |value: &T| format!("{value:?}").chars().take(2_000).collect::<String>();
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {}, found {}", shown(&expected), shown(&found)))
    }
}

/// Fails unless it holds.
pub(super) fn ensure(holds: bool, what: &str) -> Check {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The hold of an answer that must have granted it.
pub(super) fn held(outcome: Outcome) -> Result<Hold, String> {
    match outcome {
        Outcome::Held(hold) => Ok(hold),
        other => Err(format!("expected Held, found {other:?}")),
    }
}

/// A ledger under test.
pub(super) struct Shop<'a> {
    harness: &'a mut dyn LedgerHarness,
}

impl<'a> Shop<'a> {
    pub(super) fn new(harness: &'a mut dyn LedgerHarness) -> Self {
        Self { harness }
    }

    /// A shop with [`OFFER`] on sale.
    pub(super) async fn open(
        harness: &'a mut dyn LedgerHarness,
        change: impl FnOnce(&mut Terms),
    ) -> Result<Self, String> {
        let shop = Self::new(harness);
        let mut terms = shop.terms(OFFER);
        change(&mut terms);
        shop.decide(Command::SetTerms(terms)).await?;
        Ok(shop)
    }

    pub(super) fn ledger(&self) -> Arc<dyn StockLedger> {
        self.harness.ledger()
    }

    /// Ten units at 1,000 won, open since a second, without limits to speak of.
    pub(super) fn terms(&self, number: OfferNumber) -> Terms {
        Terms {
            offer: OfferId::numbered(self.now(), number, [0; 6]),
            version: 1,
            initial_stock: 10,
            price: Money::new(1_000, Currency::KRW),
            limit_per_person: None,
            max_per_order: 10,
            opens_at: Time(self.now().0 - 1_000_000),
            closes_at: None,
            hold_for_ms: HOLD_FOR.as_millis() as u32,
            usable_until: None,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.harness.clock().now()
    }

    pub(super) fn advance(&self, duration: Duration) {
        self.harness.clock().advance(duration);
    }

    pub(super) fn set_clock(&self, now: Time) {
        self.harness.clock().set(now);
    }

    pub(super) fn patience(&self) -> Duration {
        self.harness.patience()
    }

    pub(super) async fn restart(&mut self) -> Check {
        self.harness.restart().await
    }

    pub(super) async fn crash(&mut self) -> Check {
        self.harness.crash().await
    }

    pub(super) async fn archive(&mut self) -> Check {
        self.harness.archive().await
    }

    /// Decides on [`OFFER`].
    pub(super) async fn decide(&self, command: Command) -> Result<Outcome, String> {
        self.decide_on(OFFER, command).await
    }

    pub(super) async fn decide_on(&self, number: OfferNumber, command: Command) -> Result<Outcome, String> {
        decide_at(&*self.harness.ledger(), number, command).await
    }

    pub(super) async fn hold(&self, request: &HoldRequest) -> Result<Outcome, String> {
        self.decide(Command::Hold(request.clone())).await
    }

    /// Holds, begins to pay and commits.
    pub(super) async fn buy(&self, request: &HoldRequest) -> Result<Hold, String> {
        let hold = held(self.hold(request).await?)?;
        let (order, attempt) = (request.order, attempt(1));
        self.expect(Command::BeginPayment { order, attempt }, "Paying", |found| matches!(found, Outcome::Paying(_)))
            .await?;
        self.expect(Command::Commit { order, attempt }, "Committed", |found| {
            matches!(found, Outcome::Committed { .. })
        })
        .await?;
        Ok(hold)
    }

    pub(super) async fn release(&self, order: OrderId) -> Result<Outcome, String> {
        self.decide(Command::Release { order, reason: ReleaseReason::Canceled }).await
    }

    /// Decides, and fails unless the outcome is as wanted.
    pub(super) async fn expect(
        &self,
        command: Command,
        name: &str,
        wanted: impl Fn(&Outcome) -> bool,
    ) -> Result<Outcome, String> {
        let outcome = self.decide(command.clone()).await?;
        if wanted(&outcome) { Ok(outcome) } else { Err(format!("{command:?}: expected {name}, found {outcome:?}")) }
    }

    pub(super) async fn refused(&self, request: &HoldRequest, expected: Refusal) -> Check {
        same("a refusal", self.hold(request).await?, Outcome::Refused(expected))
    }

    /// Releases what is due, whether the ledger has done it by itself or not.
    pub(super) async fn expire(&self, number: OfferNumber) -> Check {
        while self.decide_on(number, Command::Expire).await? != Outcome::ReleasedByTime(Vec::new()) {}
        Ok(())
    }

    pub(super) async fn find(&self, order: OrderId) -> Result<Option<Hold>, String> {
        self.harness.ledger().find(order).await.map_err(|error| format!("find failed: {error}"))
    }

    /// The hold of an order that must have one.
    pub(super) async fn hold_of(&self, order: OrderId) -> Result<Hold, String> {
        self.find(order).await?.ok_or_else(|| format!("{order} is not found"))
    }

    pub(super) async fn state(&self, number: OfferNumber) -> Result<LedgerState, String> {
        let state =
            self.harness.ledger().snapshot(number).await.map_err(|error| format!("snapshot failed: {error}"))?;
        state.ok_or_else(|| format!("offer {number} is unknown"))
    }

    pub(super) async fn offer(&self) -> Result<OfferSnapshot, String> {
        Ok(self.state(OFFER).await?.offer)
    }

    /// Stock, held and sold.
    pub(super) async fn units(&self) -> Result<(u64, u64, u64), String> {
        let stock = self.offer().await?.stock;
        Ok((stock.stock, stock.held, stock.sold))
    }

    /// Every durable entry after a position, read in pieces.
    pub(super) async fn entries(&self, mut after: i64) -> Result<Vec<JournalEntry>, String> {
        let (ledger, mut entries) = (self.harness.ledger(), Vec::new());
        loop {
            let piece = ledger.entries(after, 100).await.map_err(|error| format!("entries failed: {error}"))?;
            let Some(last) = piece.last() else { return Ok(entries) };
            ensure(last.position > after && piece.len() <= 100, "entries are not after the position asked for")?;
            after = last.position;
            entries.extend(piece);
        }
    }

    /// The entries of one offer from a sequence number on.
    pub(super) async fn journal(&self, number: OfferNumber, from_seq: u64) -> Result<Vec<JournalEntry>, String> {
        let entries = self.harness.ledger().journal(number, from_seq, usize::MAX >> 1).await;
        entries.map_err(|error| format!("journal failed: {error}"))
    }

    /// Reads the whole journal with the auditor and compares every offer with what the ledger says of it.
    pub(super) async fn audit(&self) -> Check {
        let mut auditor = Auditor::default();
        // The snapshot first: the ledger's clock may add to the journal at any time, and what it adds is read up to.
        for number in (1..=8).map(OfferNumber) {
            let Ok(mut claim) = self.state(number).await else { continue };
            loop {
                auditor = Auditor::default();
                self.entries(0).await?.iter().for_each(|entry| auditor.take(entry));
                let seq = auditor.tally(number).map_or(0, |tally| tally.seq);
                if seq == claim.offer.seq {
                    break;
                }
                ensure(seq > claim.offer.seq, "the snapshot is ahead of the journal")?;
                claim = self.state(number).await?;
            }
            auditor.compare(number, &claim.offer);
        }
        auditor.finish().check()
    }

    /// Decides all these side by side on several tasks; answers in the order of the commands.
    pub(super) async fn race(&self, commands: Vec<(OfferNumber, Command)>) -> Result<Vec<Outcome>, String> {
        let count = commands.len();
        let mut shares = vec![Vec::new(); RUNNERS];
        for (index, (number, command)) in commands.into_iter().enumerate() {
            shares[index % RUNNERS].push((number, command));
        }
        let run = |share: Vec<_>| {
            let ledger = self.harness.ledger();
            self.beside(async move {
                let decide = |(number, command)| decide_at(&*ledger, number, command);
                join_all(share.into_iter().map(decide)).await
            })
        };
        let mut answers: Vec<_> = join_all(shares.into_iter().map(run)).await.into_iter().map(Vec::into_iter).collect();
        (0..count).filter_map(|index| answers[index % RUNNERS].next()).collect()
    }

    /// Runs something on another task, from now on; the future returned waits for what it gives.
    pub(super) fn beside<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.harness.spawn(Box::pin(async move {
            let value = task.await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }));
        Box::pin(async move {
            loop {
                if let Some(value) = result.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    return value;
                }
                sleep(Duration::from_millis(1)).await;
            }
        })
    }
}

/// Asks again while the ledger has too much to do: nothing was decided then.
async fn decide_at(ledger: &dyn StockLedger, number: OfferNumber, command: Command) -> Result<Outcome, String> {
    loop {
        match ledger.decide(number, command.clone()).await {
            Err(PortError::Overloaded) => sleep(Duration::from_millis(5)).await,
            answer => return answer.map_err(|error| format!("{command:?} failed: {error}")),
        }
    }
}

/// A person.
pub(super) fn person(number: u32) -> UserId {
    let mut id = [7; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    UserId(id)
}

/// What person number `number` asks of [`OFFER`] under this key.
pub(super) fn request(number: u32, key: &str, quantity: u32) -> HoldRequest {
    request_at(OFFER, number, key, quantity)
}

/// What person number `number` asks of this home under this key.
pub(super) fn request_at(home: OfferNumber, number: u32, key: &str, quantity: u32) -> HoldRequest {
    let (person, digest) = (person(number), body_digest(&quantity.to_be_bytes()));
    // A key is one request, so another offer is asked under another.
    let order = OrderId::of_request(person, &format!("{key} of {home}"), digest, home);
    HoldRequest { order, person, quantity, unit_price: None, digest, discount: 0, facts: None }
}

/// A payment attempt.
pub(super) fn attempt(number: u8) -> PaymentId {
    PaymentId([number; 16])
}

/// How many outcomes are of a kind.
pub(super) fn count(outcomes: &[Outcome], kind: impl Fn(&Outcome) -> bool) -> usize {
    outcomes.iter().filter(|outcome| kind(outcome)).count()
}

/// The event with this sequence number in these entries of its offer.
pub(super) fn event_at(entries: &[JournalEntry], seq: u64) -> Option<&crate::ledger::Event> {
    let records = entries.iter().map(|entry| &*entry.record);
    records.flat_map(Record::numbered).find(|(number, _)| *number == seq).map(|(_, event)| event)
}
