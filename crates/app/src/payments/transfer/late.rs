//! Deposits that come when nobody waits for them any more: some banks close their accounts late.

use std::time::Duration;

use firstcome_core::ports::{PortError, ProviderAnswer, ProviderStatus};
use firstcome_core::records::Stored;
use firstcome_core::time::Time;

use crate::payments::Payments;
use crate::payments::attempt::pause;
use crate::payments::rows::Payment;

/// The pauses before the looks at an account whose time is over. A deposit after them is found by its notice alone.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(24 * 60 * 60),
];

/// When an account is looked at after its time was over for the provider too.
pub(in crate::payments) fn first_late_look(now: Time) -> Time {
    now + PAUSES[0]
}

impl Payments {
    /// Looks whether something was paid into an account after its time; that is a charge without us.
    pub(in crate::payments) async fn look_for_late_deposit(&self, attempt: Stored<Payment>) -> Result<(), PortError> {
        let answer = self.ports.provider.lookup(&attempt.record.payment_key).await;
        let now = self.now();
        let tries = attempt.record.tries + 1;
        let (tries, due_at) = match answer {
            ProviderAnswer::Payment(said)
                if matches!(said.status, ProviderStatus::Done | ProviderStatus::PartialCanceled) =>
            {
                self.follow(attempt.record.order_id, said).await?;
                (tries, None)
            }
            ProviderAnswer::Unknown { .. } => (tries - 1, Some(now + pause(u32::MAX))),
            _ => (tries, PAUSES.get(tries as usize).map(|pause| now + *pause)),
        };
        let looked = Payment { tries, due_at, updated_at: now, ..attempt.record.clone() };
        self.replace(&attempt, looked, |unit| unit).await.map(|_| ())
    }
}
