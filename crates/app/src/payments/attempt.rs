//! An attempt from its row to its end: pin, collect, conclude.
//!
//! Whoever concludes an attempt (the request, the resolver, a notice) writes on the version that it read. Of several that
//! come to it at once one writes; the others read what it wrote.

use std::borrow::Cow;
use std::time::Duration;

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::Hold;
use firstcome_core::payment::{Asked, PaymentState, Verdict, judge};
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::Payments;
use super::rows::Payment;

/// The first pause before the provider is asked again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a quarantined payment is asked about.
const QUARANTINE_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The pause after so many tries.
pub(super) fn pause(tries: u32) -> Duration {
    (FIRST_PAUSE * 2_u32.saturating_pow(tries.min(16))).min(LONGEST_PAUSE)
}

impl Payments {
    pub(super) fn now(&self) -> Time {
        self.ports.clock.now()
    }

    /// The attempt as it is now, if another process went on with it while this one pinned the units; then nothing is to be
    /// collected here. A process may stand still between any two lines: long enough that another takes it for dead, finds
    /// the order's time over and gives the attempt up. Whoever goes on with an attempt writes its row before it touches the
    /// ledger, so a row that nobody has written since says that no one can have given up: from the pin on nobody finds the
    /// time over.
    pub(super) async fn overtaken(
        &self,
        attempt: &Stored<Payment>,
        hold: &Hold,
    ) -> Result<Option<Stored<Payment>>, PortError> {
        let Payment { order_id, payment_id, .. } = attempt.record;
        let now = self.ports.records.load::<Payment>(payment_id).await?;
        let Some(now) = now else {
            self.stock.end(order_id, Some(hold), payment_id).await?;
            return Err(PortError::Unavailable("the attempt was withdrawn".to_owned()));
        };
        if now.version == attempt.version {
            return Ok(None);
        }
        tracing::warn!(order = %order_id, attempt = %payment_id, "another process went on with this attempt");
        if now.record.state == PaymentState::Fail {
            self.stock.end(order_id, Some(hold), payment_id).await?;
        }
        Ok(Some(now))
    }

    /// Asks the provider to collect, and concludes by its answer. The units are pinned.
    pub(super) async fn collect(&self, attempt: Stored<Payment>, hold: &Hold) -> Result<Stored<Payment>, PortError> {
        let Payment { payment_id, order_id, payment_key, .. } = &attempt.record;
        let answer = self.ports.provider.confirm(*payment_id, payment_key, *order_id, attempt.record.money()).await;
        let verdict = judge(Asked::Confirm, &answer, |payment| attempt.record.is(payment));
        self.conclude(attempt, verdict, Some(hold)).await
    }

    /// Writes down what became of an attempt, and tells the ledger. The hold names the order's lines; it is asked for when
    /// the caller does not have it.
    pub(super) async fn conclude(
        &self,
        attempt: Stored<Payment>,
        verdict: Verdict,
        hold: Option<&Hold>,
    ) -> Result<Stored<Payment>, PortError> {
        match verdict {
            Verdict::Charged => self.charged(attempt, hold).await,
            Verdict::Refused { code, message } => self.failed(attempt, hold, code, message).await,
            Verdict::Waiting => self.undecided(attempt, "the provider waits for our confirmation".to_owned()).await,
            Verdict::Silent { reason } => self.undecided(attempt, reason).await,
        }
    }

    async fn charged(&self, attempt: Stored<Payment>, hold: Option<&Hold>) -> Result<Stored<Payment>, PortError> {
        let now = self.now();
        let done = Payment {
            state: PaymentState::Done,
            code: None,
            message: None,
            tries: 0,
            due_at: Some(now + self.options.look_again_after),
            updated_at: now,
            ..attempt.record.clone()
        };
        let event = RoleEvent::PaymentDone { order: done.order_id, attempt: done.payment_id, amount: done.money() };
        let (stored, ours) = self.replace(&attempt, done, |unit| unit.event(&event, now)).await?;
        if ours {
            self.metrics.done.inc();
        }
        // Also when the provider's notice was faster: whoever hears that it is paid finds it completed.
        if stored.record.state == PaymentState::Done {
            self.deliver(&stored.record, hold).await;
        }
        Ok(stored)
    }

    /// Commits the units. When that does not work now, the consumer of `payment.done` goes on with it.
    async fn deliver(&self, payment: &Payment, hold: Option<&Hold>) {
        let (order, attempt) = (payment.order_id, payment.payment_id);
        let committed = async {
            let hold = self.hold_or_find(order, hold).await?;
            self.stock.commit(order, hold.as_deref(), attempt).await
        };
        match committed.await {
            Ok(true) => self.settled.insert(attempt),
            Ok(false) => tracing::warn!(%order, %attempt, "paid, and the units are not there"),
            Err(error) => tracing::warn!(%order, %attempt, %error, "the ledger will be told later"),
        }
    }

    async fn failed(
        &self,
        attempt: Stored<Payment>,
        hold: Option<&Hold>,
        code: String,
        message: String,
    ) -> Result<Stored<Payment>, PortError> {
        let now = self.now();
        let failed = Payment {
            state: PaymentState::Fail,
            live: None,
            code: Some(code),
            message: Some(message),
            due_at: Some(now + self.options.lease),
            updated_at: now,
            ..attempt.record.clone()
        };
        let (order, payment) = (failed.order_id, failed.payment_id);
        let event = RoleEvent::PaymentFailed { order, attempt: payment };
        let (stored, ours) = self.replace(&attempt, failed, |unit| unit.event(&event, now)).await?;
        if ours {
            self.metrics.failed.inc();
            let ended = async {
                let hold = self.hold_or_find(order, hold).await?;
                self.stock.end(order, hold.as_deref(), payment).await
            };
            match ended.await {
                Ok(()) => self.settled.insert(payment),
                Err(error) => tracing::warn!(%order, attempt = %payment, %error, "the ledger will be told later"),
            }
        }
        Ok(stored)
    }

    /// Nobody knows yet: asked again later, and from some time on with a person called.
    pub(super) async fn undecided(
        &self,
        attempt: Stored<Payment>,
        reason: String,
    ) -> Result<Stored<Payment>, PortError> {
        self.postpone(attempt, reason).await.map(|(stored, _)| stored)
    }

    /// Writes down that nobody knows yet. Returns the row as it is now, and whether it was this call that wrote it.
    pub(super) async fn postpone(
        &self,
        attempt: Stored<Payment>,
        reason: String,
    ) -> Result<(Stored<Payment>, bool), PortError> {
        let (now, before) = (self.now(), attempt.record.state);
        let age = now.since(attempt.record.created_at);
        let quarantined = before == PaymentState::Quarantined || age >= self.options.quarantine_after;
        let tries = attempt.record.tries.saturating_add(1);
        let next = Payment {
            state: if quarantined { PaymentState::Quarantined } else { PaymentState::Unknown },
            message: Some(reason),
            tries,
            due_at: Some(now + if quarantined { QUARANTINE_PAUSE } else { pause(tries) }),
            updated_at: now,
            ..attempt.record.clone()
        };
        let (stored, ours) = self.replace(&attempt, next, |unit| unit).await?;
        if ours {
            self.report(&stored.record, before, attempt.record.updated_at);
        }
        Ok((stored, ours))
    }

    fn report(&self, payment: &Payment, before: PaymentState, last: Time) {
        let Payment { payment_id, order_id, state, .. } = payment;
        let reason = payment.message.as_deref().unwrap_or_default();
        self.metrics.unknown.inc();
        if *state == PaymentState::Quarantined && before != PaymentState::Quarantined {
            self.metrics.quarantined.inc();
            tracing::error!(payment = %payment_id, order = %order_id, reason, "quarantined: a person must look at the provider's books");
            return;
        }
        let alarm_at = payment.created_at + self.options.pay_for;
        if last < alarm_at && payment.updated_at >= alarm_at {
            tracing::warn!(payment = %payment_id, order = %order_id, reason, "undecided for long; the units stay pinned");
        }
    }

    /// Writes the next state of an attempt. Returns the row as it is now, and whether it was this call that wrote it.
    pub(super) async fn replace(
        &self,
        from: &Stored<Payment>,
        to: Payment,
        and: impl FnOnce(Unit) -> Unit + Send,
    ) -> Result<(Stored<Payment>, bool), PortError> {
        debug_assert!(from.record.state == to.state || from.record.state.may_become(to.state));
        let mut next = Stored { record: to, version: from.version };
        let unit = and(Unit::new().update(&next));
        match self.ports.records.commit(unit).await? {
            Committed::Done => {
                next.version += 1;
                Ok((next, true))
            }
            Committed::Conflict(_) => {
                let now = self.ports.records.load::<Payment>(from.record.payment_id).await?;
                let gone = || PortError::Unavailable("the attempt was withdrawn".to_owned());
                Ok((now.ok_or_else(gone)?, false))
            }
        }
    }

    async fn hold_or_find<'a>(
        &self,
        order: OrderId,
        hold: Option<&'a Hold>,
    ) -> Result<Option<Cow<'a, Hold>>, PortError> {
        match hold {
            Some(hold) => Ok(Some(Cow::Borrowed(hold))),
            None => Ok(self.ports.ledger.find(order).await?.map(Cow::Owned)),
        }
    }
}
