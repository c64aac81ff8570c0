//! Worker that looks now and then at payments whose money is with us: a cancel in the provider's console, or a dispute,
//! reaches the books even when its notice was lost.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::payment::PaymentState;
use firstcome_core::ports::{PortError, ProviderAnswer};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored};

use super::rows::Payment;
use super::{Payments, all};
use crate::role::Worker;

/// Payments that one step looks at; with [`PAUSE`] this bounds what the provider is asked per second.
const AT_ONCE: u32 = 64;
const PAUSE: Duration = Duration::from_secs(1);
/// Each look comes so many times later than the one before: after an hour, a day, three weeks.
const GROWTH: u32 = 24;
/// Looks at one payment. Whoever wants its money back later than that uses the order.
const LOOKS: u32 = 3;

/// The worker.
pub(super) fn worker(payments: Arc<Payments>) -> Worker {
    Worker::new("payments.reconcile", move |stop| async move {
        loop {
            if let Err(error) = payments.look_again().await {
                tracing::warn!(%error, "payments cannot be looked at now");
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    })
}

impl Payments {
    /// Looks at the payments whose turn it is. Returns how many.
    pub(super) async fn look_again(&self) -> Result<usize, PortError> {
        let states = [PaymentState::Done, PaymentState::PartialCanceled];
        let due = Query::all(Payment::TABLE, AT_ONCE)
            .filter("state", Comparison::IsOneOf(states.iter().map(firstcome_core::records::Field::to_value).collect()))
            .filter("due_at", Comparison::AtMost(self.now().to_value()))
            .order_by("due_at", Direction::Ascending);
        let payments = self.ports.records.list::<Payment>(due).await?;
        all(payments.into_iter().map(|payment| self.look_at(payment)), self.options.calls).await
    }

    async fn look_at(&self, payment: Stored<Payment>) -> Result<(), PortError> {
        let (id, order) = (payment.record.payment_id, payment.record.order_id);
        let answered = match self.ports.provider.lookup(&payment.record.payment_key).await {
            ProviderAnswer::Payment(said) => {
                self.follow(order, said).await?;
                true
            }
            ProviderAnswer::Refused { code, .. } => {
                tracing::error!(payment = %id, %order, code, "the provider does not know a payment that it collected");
                true
            }
            ProviderAnswer::Unknown { .. } => false,
        };
        // Following may have changed the row.
        let Some(payment) = self.ports.records.load::<Payment>(id).await? else { return Ok(()) };
        if payment.record.due_at.is_none() {
            return Ok(());
        }
        let looks = payment.record.tries + u32::from(answered);
        let pause = self.options.look_again_after * GROWTH.pow(looks.min(LOOKS));
        let due_at = (looks < LOOKS).then(|| self.now() + pause);
        let next = Payment { tries: looks, due_at, ..payment.record.clone() };
        self.replace(&payment, next, |unit| unit).await.map(|_| ())
    }
}
