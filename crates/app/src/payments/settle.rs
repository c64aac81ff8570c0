//! Consumer of the role's own `payment.done` and `payment.failed`: tells the ledger again what it may have missed.
//!
//! A charge that came without us, or too late, climbs the ladder here and nowhere else: the order's units, else units
//! again, else the money back; the money back too when the day of what it is for is over. One place decides, one event at a
//! time per order, and its decision to send back is in the same commit as its progress, so no charge is both delivered and
//! refunded.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::money::Money;
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{LoggedEvent, PortError};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{RecordsExt as _, Unit};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use serde::Deserialize;

use super::Payments;
use super::rows::{Origin, Payment, Refund};
use crate::consumer::{HandleError, Handler};
use crate::stock::Pinned;

/// Attempts that are remembered as settled at most. Those beyond are settled twice, which changes nothing.
const REMEMBERED: usize = 65_536;
/// From the event of a charge until the ledger has been told, where all is well.
const BEING_TOLD: Duration = Duration::from_millis(20);

/// Attempts of which this process has told the ledger already, until their events come by.
#[derive(Default)]
pub(super) struct Settled {
    attempts: Mutex<HashSet<PaymentId>>,
    /// Whether a refund was decided since the worker that sends them was last woken.
    refunds: AtomicBool,
}

impl Settled {
    pub(super) fn insert(&self, attempt: PaymentId) {
        let mut settled = self.attempts.lock();
        if settled.len() < REMEMBERED {
            settled.insert(attempt);
        }
    }

    fn contains(&self, attempt: PaymentId) -> bool {
        self.attempts.lock().contains(&attempt)
    }

    fn forget(&self, attempt: PaymentId) {
        self.attempts.lock().remove(&attempt);
    }
}

/// The handler.
pub(super) struct Settle(pub(super) Arc<Payments>);

/// What `payment.done` and `payment.failed` tell; only the former has an amount.
#[derive(Deserialize)]
struct Concluded {
    order: OrderId,
    attempt: PaymentId,
    amount: Option<Money>,
}

fn concluded(event: &LoggedEvent) -> Result<Option<Concluded>, HandleError> {
    if !matches!(event.kind.as_str(), "payment.done" | "payment.failed") {
        return Ok(None);
    }
    serde_json::from_str(&event.data).map(Some).map_err(|error| HandleError::Rejected(error.to_string()))
}

#[async_trait]
impl Handler<LoggedEvent> for Settle {
    fn name(&self) -> &'static str {
        "payments.settle"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut open = Vec::new();
        for event in items {
            open.extend(concluded(event)?);
        }
        self.leave_out_settled(&mut open).await?;
        if !open.is_empty() {
            // Another process has collected, and tells the ledger in this moment.
            tokio::time::sleep(BEING_TOLD).await;
            self.leave_out_settled(&mut open).await?;
        }
        let waiting = open.iter().map(|told| self.0.settle(told.order, told.attempt, told.amount));
        let refunds: Vec<Refund> = try_join_all(waiting).await?.into_iter().flatten().collect();
        self.0.settled.refunds.fetch_or(!refunds.is_empty(), Ordering::Relaxed);
        Ok(refunds.iter().fold(Unit::new(), Unit::insert))
    }

    fn committed(&self, items: &[LoggedEvent]) {
        for told in items.iter().filter_map(|event| concluded(event).ok().flatten()) {
            self.0.settled.forget(told.attempt);
        }
        if self.0.settled.refunds.swap(false, Ordering::Relaxed) {
            self.0.refund_waits.notify_one();
        }
    }
}

impl Settle {
    /// Leaves out what the ledger knows already: told by this process, or, by what can be read here, sold to the attempt.
    async fn leave_out_settled(&self, open: &mut Vec<Concluded>) -> Result<(), PortError> {
        let mut rest = Vec::new();
        for told in open.drain(..).filter(|told| !self.0.settled.contains(told.attempt)) {
            if told.amount.is_none() || !self.is_sold(&told).await? {
                rest.push(told);
            }
        }
        *open = rest;
        Ok(())
    }

    async fn is_sold(&self, told: &Concluded) -> Result<bool, PortError> {
        let hold = self.0.ports.ledger.known(told.order).await?;
        Ok(hold.is_some_and(|hold| hold.other_lines().is_empty() && is_sold_to(&hold, told.attempt)))
    }
}

impl Payments {
    /// Brings the ledger to what is known of an attempt; a refund when the money cannot be delivered for.
    pub(super) async fn settle(
        &self,
        order: OrderId,
        attempt: PaymentId,
        paid: Option<Money>,
    ) -> Result<Option<Refund>, PortError> {
        let Some(paid) = paid else {
            let hold = self.ports.ledger.find(order).await?;
            self.stock.end(order, hold.as_ref(), attempt).await?;
            return Ok(None);
        };
        if self.is_given_up(attempt).await? {
            return Ok(None);
        }
        let payment = self.ports.records.load::<Payment>(attempt).await?;
        let went_back = payment.map_or(0, |payment| payment.record.refunded);
        if went_back >= paid.amount {
            // Nothing is delivered for money that is not here any more.
            let hold = self.ports.ledger.find(order).await?;
            self.stock.end(order, hold.as_ref(), attempt).await?;
            return Ok(None);
        }
        let Some(reason) = self.climb(order, attempt, paid).await? else { return Ok(None) };
        tracing::warn!(%order, %attempt, reason, "the money goes back");
        self.metrics.undeliverable.inc();
        let now = self.now();
        Ok(Some(Refund {
            refund_id: undeliverable(attempt),
            payment_id: attempt,
            order_id: order,
            amount: paid.amount - went_back,
            currency: paid.currency,
            state: RefundState::Pending,
            origin: Origin::Undeliverable,
            policy: Some(RefundPolicy::FullUntilUsed),
            reason: reason.to_owned(),
            transaction: None,
            message: None,
            tries: 0,
            due_at: Some(now),
            created_at: now,
            updated_at: now,
            to_card: None,
            tax_free: None,
        }))
    }

    /// Whether all of an attempt's money was sent back, at the provider's side.
    async fn went_back(&self, attempt: PaymentId) -> Result<bool, PortError> {
        let payment = self.ports.records.load::<Payment>(attempt).await?;
        Ok(payment.is_some_and(|payment| payment.record.state == PaymentState::Canceled))
    }

    /// Whether it was decided that an attempt's money goes back.
    async fn is_given_up(&self, attempt: PaymentId) -> Result<bool, PortError> {
        Ok(self.ports.records.load::<Refund>(undeliverable(attempt)).await?.is_some())
    }

    /// Delivers for a charge if that is possible; otherwise says why not.
    pub(super) async fn climb(
        &self,
        order: OrderId,
        attempt: PaymentId,
        paid: Money,
    ) -> Result<Option<&'static str>, PortError> {
        let Some(hold) = self.ports.ledger.find(order).await? else {
            return Ok(Some("There is no such order"));
        };
        // Of an order over several offers only its home is seen here; pinning what is pinned changes nothing.
        let alone = hold.other_lines().is_empty();
        let is_pinned = alone && hold.state == HoldState::Paying && hold.attempt == attempt;
        let pinned = if is_pinned || is_sold_to(&hold, attempt) {
            Pinned::Yes
        } else if hold.due() != paid {
            return Ok(Some("The amount paid is not what the order costs"));
        } else {
            self.stock.begin(&hold, attempt).await?
        };
        // Asked again now that the order is pinned: whoever hears of a cancel from here on sees that, and waits; and a process
        // that found no units a moment ago has decided to send the money back, or sees the pin before it is sent.
        if pinned == Pinned::Yes && (self.went_back(attempt).await? || self.is_given_up(attempt).await?) {
            self.stock.end(order, Some(&hold), attempt).await?;
            return Ok(None);
        }
        match pinned {
            Pinned::Yes if self.stock.commit(order, Some(&hold), attempt).await? => Ok(None),
            // Between pinning and committing nobody else can take a pinned order away: ask again.
            Pinned::Yes => Err(PortError::Unavailable("the ledger lost a pinned order".to_owned())),
            Pinned::No(firstcome_core::codes::ErrorCode::HoldExpired) => {
                Ok(Some("The order's time had run out and its units are gone"))
            }
            Pinned::Over => Ok(Some("The day that the order was for is over")),
            Pinned::No(_) => Ok(Some("The order was paid or being paid already")),
        }
    }
}

/// The refund of a charge that nothing can be delivered for.
fn undeliverable(attempt: PaymentId) -> RefundId {
    RefundId::derived(&[&attempt.0, b"undeliverable"])
}

/// Whether an order was sold to an attempt. That is for ever, whatever came back since.
pub(super) fn is_sold_to(hold: &Hold, attempt: PaymentId) -> bool {
    hold.attempt == attempt && matches!(hold.state, HoldState::Sold | HoldState::Returned)
}
