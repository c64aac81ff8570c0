//! Worker that asks the provider about attempts that are not decided, until they are.

use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::payment::{Asked, PaymentState, Verdict, judge};
use firstcome_core::ports::{PortError, ProviderAnswer};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored};
use firstcome_core::time::Time;

use super::rows::Payment;
use super::{Payments, all};
use crate::role::Worker;
use crate::stock::Pinned;

/// Attempts that one step takes.
const AT_ONCE: u32 = 256;

/// The worker. It begins with everything that a crash may have left, due or not.
pub(super) fn worker(payments: Arc<Payments>) -> Worker {
    Worker::new("payments.resolve", move |stop| async move {
        let started = payments.now();
        let mut recovered = false;
        loop {
            let step = if recovered { payments.resolve_due().await } else { payments.recover(started).await };
            match step {
                Ok(done) => recovered = recovered || done == 0,
                Err(error) => tracing::warn!(%error, "undecided payments cannot be looked after now"),
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(payments.options.poll_every) => {}
            }
        }
    })
}

fn undecided() -> Query {
    let states = [PaymentState::Ready, PaymentState::InProgress, PaymentState::Unknown, PaymentState::Quarantined];
    Query::all(Payment::TABLE, AT_ONCE)
        .filter("state", Comparison::IsOneOf(states.iter().map(firstcome_core::records::Field::to_value).collect()))
        .order_by("due_at", Direction::Ascending)
}

impl Payments {
    /// Looks after attempts that were under way when the process started. Once asked about, an attempt is UNKNOWN, decided
    /// or written down as looked at, so this ends.
    pub(super) async fn recover(&self, started: Time) -> Result<usize, PortError> {
        let left = undecided()
            .is("state", PaymentState::InProgress)
            .filter("created_at", Comparison::Less(started.to_value()));
        // A deposit whose notice met a dead process; each look is written down.
        let waiting =
            undecided().is("state", PaymentState::Ready).filter("updated_at", Comparison::Less(started.to_value()));
        Ok(self.resolve_all(left).await? + self.resolve_all(waiting).await?)
    }

    /// Looks after attempts whose time to be asked about has come. Returns how many.
    pub(super) async fn resolve_due(&self) -> Result<usize, PortError> {
        let due = || Comparison::AtMost(self.now().to_value());
        let failed = Query::all(Payment::TABLE, AT_ONCE).is("state", PaymentState::Fail).filter("due_at", due());
        let failed = self.ports.records.list::<Payment>(failed.order_by("due_at", Direction::Ascending)).await?;
        all(failed.into_iter().map(|attempt| self.look_back_at(attempt)), self.options.calls).await?;
        self.resolve_all(undecided().filter("due_at", due())).await
    }

    async fn look_back_at(&self, failed: Stored<Payment>) -> Result<(), PortError> {
        if failed.record.is_transfer() {
            self.look_for_late_deposit(failed).await
        } else {
            self.unpin_again(failed).await
        }
    }

    /// A failed attempt holds no units; once more after a while, because a process that stood still may have pinned them
    /// for it after it had failed, and died before it looked.
    async fn unpin_again(&self, attempt: Stored<Payment>) -> Result<(), PortError> {
        let Payment { order_id, payment_id, .. } = attempt.record;
        let hold = self.ports.ledger.find(order_id).await?;
        self.stock.end(order_id, hold.as_ref(), payment_id).await?;
        let settled = Payment { due_at: None, ..attempt.record.clone() };
        self.replace(&attempt, settled, |unit| unit).await.map(|_| ())
    }

    async fn resolve_all(&self, query: Query) -> Result<usize, PortError> {
        let attempts = self.ports.records.list::<Payment>(query).await?;
        all(attempts.into_iter().map(|attempt| self.resolve(attempt)), self.options.calls).await
    }

    pub(super) async fn resolve(&self, attempt: Stored<Payment>) -> Result<(), PortError> {
        if attempt.record.is_transfer() {
            return self.look_after_account(attempt).await;
        }
        match self.look_up(&attempt.record).await {
            Verdict::Waiting => self.go_on(attempt).await?,
            verdict => self.conclude(attempt, verdict, None).await?,
        };
        Ok(())
    }

    /// What the provider says about an attempt. A payment that it cannot find by its key is looked for by its order.
    pub(super) async fn look_up(&self, attempt: &Payment) -> Verdict {
        let provider = &self.ports.provider;
        let by_key = provider.lookup(&attempt.payment_key).await;
        let verdict = judge(Asked::Lookup, &by_key, |payment| attempt.is(payment));
        if !matches!((&verdict, &by_key), (Verdict::Refused { .. }, ProviderAnswer::Refused { .. })) {
            return verdict;
        }
        match provider.lookup_order(attempt.order_id).await {
            // Another payment of the same order: this one is not there.
            ProviderAnswer::Payment(payment) if payment.payment_key != attempt.payment_key => verdict,
            by_order => judge(Asked::Lookup, &by_order, |payment| attempt.is(payment)),
        }
    }

    /// The provider waits for the confirmation: it never came, or is still under way. Both are answered by sending it
    /// again under the same key, once the units are pinned. When they cannot be, it was never sent: it is sent only
    /// while they are, and no clock unpins them.
    async fn go_on(&self, attempt: Stored<Payment>) -> Result<Stored<Payment>, PortError> {
        // Written before anything is pinned: a request that is still under way, and slow, then cannot withdraw the row
        // from under the units and the money.
        let (attempt, ours) = self.postpone(attempt, "the provider waits for our confirmation".to_owned()).await?;
        if !ours {
            return Ok(attempt);
        }
        let Some(hold) = self.ports.ledger.find(attempt.record.order_id).await? else {
            return self.give_up(attempt, ErrorCode::NotFound).await;
        };
        match self.stock.begin(&hold, attempt.record.payment_id).await? {
            Pinned::Yes => match self.overtaken(&attempt, &hold).await? {
                Some(payment) => Ok(payment),
                None => self.collect(attempt, &hold).await,
            },
            Pinned::No(code) => self.give_up(attempt, code).await,
            Pinned::Over => self.give_up(attempt, ErrorCode::HoldExpired).await,
        }
    }

    async fn give_up(&self, attempt: Stored<Payment>, code: ErrorCode) -> Result<Stored<Payment>, PortError> {
        let verdict = Verdict::Refused { code: code.as_str().to_uppercase(), message: code.title().to_owned() };
        self.conclude(attempt, verdict, None).await
    }
}
