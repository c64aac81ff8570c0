//! A run: page by page what the provider lists, then what only we have.

use std::collections::HashSet;
use std::time::Duration;

use firstcome_core::ids::{EventId, OrderId, PaymentId};
use firstcome_core::money::Currency;
use firstcome_core::payment::{PaymentState, RefundState, is_not_found};
use firstcome_core::ports::{Committed, Movement, PortError, ProviderAnswer, ProviderPayment, ProviderTransaction};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record, RecordsExt as _, Stored, Unit, Value};
use firstcome_core::time::Time;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::compare::{Difference, Ours, Verdict};
use super::rows::{Finding, FindingClass, MOST_FINDINGS, RunState, Settlement};
use crate::payments::Payments;
use crate::payments::rows::{Payment, Refund};

/// How long whoever has taken a run up may be silent before another begins it anew.
pub(super) const LEASE: Duration = Duration::from_mins(5);
/// Movements beyond each end of the day that are looked at, but not judged: the provider's clock is not ours.
const MARGIN: Duration = Duration::from_mins(10);
/// Movements, and rows of ours, that are compared together.
const TOGETHER: usize = 250;
/// Movements of one day that are remembered; a day that has more is not checked, and says so.
const MOST: usize = 2_000_000;
/// The name of a movement, as it is remembered: a hash.
type Name = [u8; 16];

/// A run under way.
pub(super) struct Check<'a> {
    payments: &'a Payments,
    run: Stored<Settlement>,
    from: Time,
    until: Time,
    /// The payments that were charged, and the movements that went back, which the provider has listed.
    listed: HashSet<Name>,
}

/// What became of a run in this process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// All of it was compared.
    Done(Box<Settlement>),
    /// Another process goes on with it.
    Elsewhere,
}

/// Ends a check that another process has taken over.
enum Stop {
    Elsewhere,
    Failed(PortError),
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

fn name(movement: Movement, text: &str) -> Name {
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

    /// What we have of the day, and the provider has not listed.
    async fn ours(&mut self) -> Result<(), Stop> {
        let charged = [PaymentState::Done, PaymentState::PartialCanceled, PaymentState::Canceled];
        let charged = Comparison::IsOneOf(charged.iter().map(PaymentState::to_value).collect());
        let mut query = self.of_day(Query::all(Payment::TABLE, TOGETHER as u32), "created_at");
        loop {
            let rows =
                self.payments.ports.records.list::<Payment>(query.clone().filter("state", charged.clone())).await?;
            let unlisted = rows.iter().map(|row| &row.record);
            let unlisted = unlisted
                .filter(|payment| !self.listed.contains(&name(Movement::Charge, &payment.payment_key)))
                .cloned()
                .collect();
            self.ask_about(unlisted, Vec::new()).await?;
            let Some(last) = rows.last().filter(|_| rows.len() == TOGETHER) else { break };
            query = query.after(Some((last.record.created_at.to_value(), last.record.key())));
        }
        let mut query = self.of_day(Query::all(Refund::TABLE, TOGETHER as u32), "updated_at");
        loop {
            let done = query.clone().is("state", RefundState::Done);
            let rows = self.payments.ports.records.list::<Refund>(done).await?;
            let unlisted =
                rows.iter().map(|row| row.record.clone()).filter(|refund| self.is_unlisted(refund)).collect();
            self.ask_about(Vec::new(), unlisted).await?;
            let Some(last) = rows.last().filter(|_| rows.len() == TOGETHER) else { return Ok(()) };
            query = query.after(Some((last.record.updated_at.to_value(), last.record.key())));
        }
    }

    fn of_day(&self, query: Query, column: &'static str) -> Query {
        query
            .filter(column, Comparison::AtLeast(self.from.to_value()))
            .filter(column, Comparison::Less(self.until.to_value()))
            .order_by(column, Direction::Ascending)
    }

    /// Whether money went back for a refund, by our books, that the provider has not listed.
    fn is_unlisted(&self, refund: &Refund) -> bool {
        let moved = refund.amount > 0 && refund.payment_id != PaymentId::NIL;
        let is_listed = |transaction: &String| self.listed.contains(&name(Movement::Cancel, transaction));
        moved && !refund.transaction.as_ref().is_some_and(is_listed)
    }

    /// Asks the provider about what it has not listed, by its name.
    async fn ask_about(&mut self, charges: Vec<Payment>, cancels: Vec<Refund>) -> Result<(), Stop> {
        let payments = self.payments;
        let charges = charges.into_iter().map(|payment| async move {
            let said = payments.said_of(&payment).await?;
            Ok::<_, PortError>(unlisted_charge(payment, said))
        });
        let charges: Vec<_> = stream::iter(charges).buffered(payments.options.calls).try_collect().await?;
        let cancels = cancels.into_iter().map(|refund| async move {
            let payment = payments.ports.records.load::<Payment>(refund.payment_id).await?;
            let Some(payment) = payment.map(|stored| stored.record) else {
                return Ok(unlisted_cancel(refund, None, None));
            };
            let said = payments.said_of(&payment).await?;
            Ok::<_, PortError>(unlisted_cancel(refund, Some(payment), said))
        });
        let cancels: Vec<_> = stream::iter(cancels).buffered(payments.options.calls).try_collect().await?;
        let mut unit = Unit::new();
        for difference in charges.into_iter().chain(cancels).flatten() {
            unit.append(self.found(None, difference));
        }
        self.keep(unit).await
    }

    /// Counts a finding, and keeps it while there is room.
    fn found(&mut self, theirs: Option<&ProviderTransaction>, difference: Difference) -> Unit {
        let run = &mut self.run.record;
        run.count(difference.class);
        if run.findings() > MOST_FINDINGS {
            return Unit::new();
        }
        Unit::new().advance(&finding(run, theirs, difference), i64::from(run.tries))
    }

    /// Writes what was found, and that this process is still at it.
    async fn keep(&mut self, and: Unit) -> Result<(), Stop> {
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

impl Payments {
    /// What the provider says of a payment; none when it knows none of that name.
    async fn said_of(&self, payment: &Payment) -> Result<Option<ProviderPayment>, PortError> {
        match self.ports.provider.lookup(&payment.payment_key).await {
            ProviderAnswer::Payment(said) => Ok(Some(said)),
            ProviderAnswer::Refused { code, .. } if is_not_found(&code) => Ok(None),
            ProviderAnswer::Refused { code, .. } => {
                Err(PortError::Unavailable(format!("a lookup was refused: {code}")))
            }
            ProviderAnswer::Unknown { reason } => Err(PortError::Unavailable(reason)),
        }
    }
}

fn listed_twice() -> Verdict {
    let detail = "the provider lists it more than once".to_owned();
    Verdict::Differs(Box::new(Difference { class: FindingClass::Duplicate, detail, payment: None, refund: None }))
}

fn unlisted_charge(ours: Payment, said: Option<ProviderPayment>) -> Option<Difference> {
    let (class, detail) = match said {
        Some(said) if said.status.is_charged() && ours.is(&said) => return None,
        Some(said) if said.status.is_charged() => {
            (FindingClass::Mismatch, "order, amount or currency are not the same")
        }
        _ => (FindingClass::MissingAtProvider, "we say that it was collected, and the provider does not"),
    };
    Some(Difference { class, detail: detail.to_owned(), payment: Some(ours), refund: None })
}

fn unlisted_cancel(ours: Refund, payment: Option<Payment>, said: Option<ProviderPayment>) -> Option<Difference> {
    let cancels = said.map(|said| said.cancels).unwrap_or_default();
    let (class, detail) = match cancels.iter().find(|cancel| ours.transaction.as_ref() == Some(&cancel.transaction)) {
        Some(cancel) if cancel.amount == ours.amount => return None,
        Some(_) => (FindingClass::Mismatch, "the amounts are not the same"),
        None => (FindingClass::MissingAtProvider, "we say that it went back, and the provider does not"),
    };
    Some(Difference { class, detail: detail.to_owned(), payment, refund: Some(ours) })
}

/// The row of a finding.
fn finding(run: &Settlement, theirs: Option<&ProviderTransaction>, difference: Difference) -> Finding {
    let Difference { class, detail, payment, refund } = difference;
    let movement =
        theirs.map_or(if refund.is_some() { Movement::Cancel } else { Movement::Charge }, |row| row.movement);
    let in_shop = match movement {
        Movement::Charge => payment.as_ref().map(Payment::money),
        Movement::Cancel => refund.as_ref().map(Refund::money),
    };
    let at_provider = theirs.map(|row| row.amount);
    let order = refund.as_ref().map(|refund| refund.order_id).or(payment.as_ref().map(|payment| payment.order_id));
    let key = payment.as_ref().map(|payment| payment.payment_key.clone());
    let transaction = theirs.map(|row| row.transaction.clone());
    let transaction = transaction.or_else(|| refund.as_ref()?.transaction.clone());
    let ours_at =
        refund.as_ref().map(|refund| refund.updated_at).or(payment.as_ref().map(|payment| payment.created_at));
    let payment = payment.map(|payment| payment.payment_id).or(refund.as_ref().map(|refund| refund.payment_id));
    let refund = refund.map(|refund| refund.refund_id);
    let ours = refund.map_or(payment.map_or([0; 16], |id| id.0), |id| id.0);
    let named = transaction.as_deref().unwrap_or_default().as_bytes();
    Finding {
        id: EventId::derived(&[&run.id.0, class.as_str().as_bytes(), named, &ours]),
        run: run.id,
        class,
        movement,
        order: theirs.map_or_else(|| order.map(|id| id.to_string()).unwrap_or_default(), |row| row.order_id.clone()),
        payment_key: theirs.map(|row| row.payment_key.clone()).or(key).unwrap_or_default(),
        transaction,
        at_provider: at_provider.map(|money| money.amount),
        in_shop: in_shop.map(|money| money.amount),
        currency: at_provider.or(in_shop).map_or(Currency::KRW, |money| money.currency),
        payment,
        refund,
        detail,
        at: theirs.map(|row| row.at).or(ours_at).unwrap_or(run.created_at),
    }
}
