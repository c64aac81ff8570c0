//! A run: page by page what the provider lists, then what only we have.

use std::collections::HashSet;
use std::time::Duration;

use firstcome_core::ids::{EventId, OrderId};
use firstcome_core::ports::{Committed, Movement, PortError, ProviderTransaction};
use firstcome_core::records::{Comparison, Field as _, Query, Record, RecordsExt as _, Stored, Unit, Value};
use firstcome_core::time::Time;

use super::compare::{Difference, Ours, Verdict};
use super::finding::finding;
use super::rows::{Finding, FindingClass, MOST_FINDINGS, RunState, Settlement};
use crate::payments::Payments;
use crate::payments::rows::{Payment, Refund};

/// How long whoever has taken a run up may be silent before another begins it anew.
pub(super) const LEASE: Duration = Duration::from_mins(5);
/// Movements beyond each end of the day that are looked at, but not judged: the provider's clock is not ours.
const MARGIN: Duration = Duration::from_mins(10);
/// Movements, and rows of ours, that are compared together.
pub(super) const TOGETHER: usize = 250;
/// Movements of one day that are remembered; a day that has more is not checked, and says so.
const MOST: usize = 2_000_000;
/// The name of a movement, as it is remembered: a hash.
pub(super) type Name = [u8; 16];

/// A run under way.
pub(super) struct Check<'a> {
    pub(super) payments: &'a Payments,
    pub(super) run: Stored<Settlement>,
    pub(super) from: Time,
    pub(super) until: Time,
    /// The payments that were charged, and the movements that went back, which the provider has listed.
    pub(super) listed: HashSet<Name>,
}

/// What became of a run in this process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// All of it was compared.
    Done(Box<Settlement>),
    /// Another process goes on with it.
    Elsewhere,
}

/// Why a check ends before its end: another process has taken it over, or something did not answer.
pub(super) enum Stop {
    Elsewhere,
    Failed(PortError),
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn name(movement: Movement, text: &str) -> Name {
    EventId::derived(&[movement.as_str().as_bytes(), text.as_bytes()]).0
}

/// By what a movement is known on both sides: a charge by its payment, because we are not told its own name.
fn name_of(theirs: &ProviderTransaction) -> Name {
    match theirs.movement {
        Movement::Charge => name(Movement::Charge, &theirs.payment_key),
        Movement::Cancel => name(Movement::Cancel, &theirs.transaction),
    }
}

impl<'a> Check<'a> {
    /// A check of what moved between two moments, for a run that was taken up.
    pub(super) fn new(payments: &'a Payments, run: Stored<Settlement>, (from, until): (Time, Time)) -> Self {
        let record = run.record.begun_again();
        Self { payments, run: Stored { record, version: run.version }, from, until, listed: HashSet::new() }
    }

    /// Compares all of it.
    pub(super) async fn run(mut self) -> Result<Came, PortError> {
        match self.whole().await {
            Ok(()) => Ok(Came::Done(Box::new(self.run.record))),
            Err(Stop::Elsewhere) => Ok(Came::Elsewhere),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn whole(&mut self) -> Result<(), Stop> {
        self.forget_earlier_try().await?;
        let (mut after, mut pages) = (None, 0);
        loop {
            let (from, until) = (self.from - MARGIN, self.until + MARGIN);
            let page = self.payments.ports.provider.transactions(from, until, after.as_deref()).await?;
            for some in page.items.chunks(TOGETHER) {
                self.theirs(some).await?;
            }
            pages += 1;
            if page.next.is_none() {
                break;
            }
            if page.next == after || self.listed.len() > MOST {
                let why = format!("{pages} pages with {} movements, and no end of them", self.listed.len());
                return Err(PortError::Unavailable(why).into());
            }
            after = page.next;
        }
        self.ours().await?;
        let now = self.payments.now();
        let run = &mut self.run.record;
        (run.state, run.due_at, run.message, run.ended_at) = (RunState::Done, None, None, Some(now));
        self.keep(Unit::new()).await
    }

    /// What a try that broke off has found is found again, if it is still so.
    async fn forget_earlier_try(&self) -> Result<(), PortError> {
        loop {
            let of_run = Query::all(Finding::TABLE, TOGETHER as u32).is("run", self.run.record.id);
            let found = self.payments.ports.records.list::<Finding>(of_run).await?;
            if found.is_empty() {
                return Ok(());
            }
            let unit = found.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record));
            self.payments.ports.records.commit(unit).await?;
        }
    }

    /// Some movements that the provider lists.
    async fn theirs(&mut self, some: &[ProviderTransaction]) -> Result<(), Stop> {
        let ours = self.rows_about(some).await?;
        let (now, mut unit) = (self.payments.now(), Unit::new());
        for theirs in some {
            let is_new = self.listed.insert(name_of(theirs));
            if !(self.from..self.until).contains(&theirs.at) {
                continue;
            }
            let verdict = if is_new { ours.judge(theirs, now) } else { listed_twice() };
            unit.append(self.take(verdict, theirs));
        }
        self.keep(unit).await
    }

    /// Our rows about some movements.
    async fn rows_about(&self, some: &[ProviderTransaction]) -> Result<Ours, PortError> {
        let keys = some.iter().map(|theirs| theirs.payment_key.to_value()).collect();
        let orders = some.iter().filter_map(|theirs| theirs.order_id.parse::<OrderId>().ok());
        let orders: Vec<Value> = orders.map(|order| order.to_value()).collect();
        let mut payments = self.every::<Payment>("payment_key", keys).await?;
        payments.extend(self.every::<Payment>("order_id", orders.clone()).await?);
        payments.sort_by_key(|payment| payment.payment_id);
        payments.dedup_by_key(|payment| payment.payment_id);
        Ok(Ours { payments, refunds: self.every::<Refund>("order_id", orders).await? })
    }

    async fn every<R: Record>(&self, column: &'static str, mut values: Vec<Value>) -> Result<Vec<R>, PortError> {
        values.dedup();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let query = Query::all(R::TABLE, TOGETHER as u32).filter(column, Comparison::IsOneOf(values));
        let rows = self.payments.ports.records.every::<R>(query).await?;
        Ok(rows.into_iter().map(|row| row.record).collect())
    }

    /// Counts what is said of a movement. What is to be written of it.
    fn take(&mut self, verdict: Verdict, theirs: &ProviderTransaction) -> Unit {
        match verdict {
            Verdict::Match => self.run.record.matched += 1,
            Verdict::InFlight => self.run.record.in_flight += 1,
            Verdict::Differs(difference) => return self.found(Some(theirs), *difference),
        }
        Unit::new()
    }

    /// Counts a finding, and keeps it while there is room.
    pub(super) fn found(&mut self, theirs: Option<&ProviderTransaction>, difference: Difference) -> Unit {
        let run = &mut self.run.record;
        run.count(difference.class);
        if run.findings() > MOST_FINDINGS {
            return Unit::new();
        }
        Unit::new().advance(&finding(run, theirs, difference), i64::from(run.tries))
    }

    /// Writes what was found, and that this process is still at it.
    pub(super) async fn keep(&mut self, and: Unit) -> Result<(), Stop> {
        if self.run.record.state == RunState::Running {
            self.run.record.due_at = Some(self.payments.now() + LEASE);
        }
        let mut unit = Unit::new().update(&self.run);
        unit.append(and);
        if self.payments.ports.records.commit(unit).await? != Committed::Done {
            return Err(Stop::Elsewhere);
        }
        self.run.version += 1;
        Ok(())
    }
}

fn listed_twice() -> Verdict {
    let detail = "the provider lists it more than once".to_owned();
    Verdict::Differs(Box::new(Difference { class: FindingClass::Duplicate, detail, payment: None, refund: None }))
}
