//! Looking after an account that waits for its deposit.

use std::time::Duration;

use firstcome_core::events::RoleEvent;
use firstcome_core::ledger::{HoldState, ReleaseReason};
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::{PortError, ProviderAnswer, ProviderPayment, ProviderStatus};
use firstcome_core::records::Stored;
use firstcome_core::time::Time;

use super::VirtualAccount;
use super::late::first_late_look;
use crate::payments::Payments;
use crate::payments::attempt::pause;
use crate::payments::rows::Payment;

/// How long before the deadline the provider is asked in any case: a deposit whose notice was lost still meets its units.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// How long after the deadline the provider may take to see that it is over, before the account is closed by us.
const CLOSE_AFTER: Duration = Duration::from_secs(60);

/// When an account is looked at after so many looks: with growing pauses, and once just before its deadline.
pub(super) fn next_look(now: Time, looks: u32, deadline: Time) -> Time {
    let (next, last) = (now + pause(looks), deadline - LAST_LOOK);
    if now < last { next.min(last) } else { next }
}

impl Payments {
    /// Goes on with an attempt that waits for a deposit.
    pub(in crate::payments) async fn look_after_account(&self, attempt: Stored<Payment>) -> Result<(), PortError> {
        if attempt.record.is_unnamed() {
            return self.open_account(attempt).await.map(drop);
        }
        match self.ports.provider.lookup(&attempt.record.payment_key).await {
            ProviderAnswer::Payment(said) => self.follow_account(attempt, &said).await.map(drop),
            ProviderAnswer::Refused { code, .. } => {
                self.wait_longer(attempt, format!("the lookup was refused: {code}")).await
            }
            ProviderAnswer::Unknown { reason } => self.wait_longer(attempt, reason).await,
        }
    }

    /// Brings an attempt to what the provider says of its account. Returns it as it is now.
    pub(in crate::payments) async fn follow_account(
        &self,
        attempt: Stored<Payment>,
        said: &ProviderPayment,
    ) -> Result<Stored<Payment>, PortError> {
        let account = self.account(&attempt.record).await?.record;
        if !attempt.record.is(said) {
            return self
                .wait_on(attempt, &account, "the provider's payment is not the one that was asked about".to_owned())
                .await;
        }
        let is_over = said.account.as_ref().is_some_and(|account| account.expired);
        let no = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        let ((code, message), again) = match said.status {
            ProviderStatus::Done | ProviderStatus::PartialCanceled => return self.deposited(attempt).await,
            ProviderStatus::WaitingForDeposit | ProviderStatus::Ready | ProviderStatus::InProgress if !is_over => {
                return self.wait_or_close(attempt, account).await;
            }
            ProviderStatus::Canceled => (no("CANCELED", "The account was closed"), None),
            ProviderStatus::Aborted => (no("ABORTED", "The account was not opened"), None),
            _ => (no("EXPIRED", "The deposit did not arrive in time"), Some(first_late_look(self.now()))),
        };
        self.give_up_account(attempt, code, message, again).await
    }

    /// The money is there. What it meets is decided by whoever hears of it.
    pub(in crate::payments) async fn deposited(&self, attempt: Stored<Payment>) -> Result<Stored<Payment>, PortError> {
        let now = self.now();
        let order = attempt.record.order_id;
        let event =
            RoleEvent::PaymentDone { order, attempt: attempt.record.payment_id, amount: attempt.record.money() };
        // A card may hold the order's place; then this deposit is one too many, and is sent back.
        for live in [Some(order), None] {
            let done = Payment {
                state: PaymentState::Done,
                live,
                code: None,
                message: None,
                tries: 0,
                due_at: Some(now + self.options.look_again_after),
                updated_at: now,
                ..attempt.record.clone()
            };
            let (stored, ours) = self.replace(&attempt, done, |unit| unit.event(&event, now)).await?;
            if ours {
                self.metrics.done.inc();
            }
            if ours || stored.version != attempt.version {
                return Ok(stored);
            }
        }
        Err(PortError::Unavailable("a deposit could not be written down".to_owned()))
    }

    /// Nothing was paid in. As long as the order can be paid that may change; afterwards nobody should pay in any more.
    async fn wait_or_close(
        &self,
        attempt: Stored<Payment>,
        account: VirtualAccount,
    ) -> Result<Stored<Payment>, PortError> {
        let hold = self.ports.ledger.find(attempt.record.order_id).await?;
        let is_open = hold.is_some_and(|hold| match hold.state {
            HoldState::Prepared | HoldState::Held | HoldState::Paying => true,
            HoldState::Released if hold.reason == ReleaseReason::Expired => self.now() < account.due_at + CLOSE_AFTER,
            HoldState::Released | HoldState::Sold | HoldState::Returned => false,
        });
        if is_open {
            return self.wait_on(attempt, &account, "waiting for a deposit".to_owned()).await;
        }
        let Payment { payment_id, payment_key, .. } = &attempt.record;
        match self.ports.provider.close_account(*payment_id, payment_key).await {
            ProviderAnswer::Payment(said) if said.status == ProviderStatus::Canceled => {
                let message = "The order was not to be paid any more".to_owned();
                self.give_up_account(attempt, "CANCELED".to_owned(), message, None).await
            }
            // Perhaps something was paid in meanwhile: the next look tells.
            ProviderAnswer::Payment(_) => self.wait_on(attempt, &account, "the account stays open".to_owned()).await,
            ProviderAnswer::Refused { code, .. } => {
                self.wait_on(attempt, &account, format!("closing the account was refused: {code}")).await
            }
            ProviderAnswer::Unknown { reason } => self.wait_on(attempt, &account, reason).await,
        }
    }

    async fn wait_longer(&self, attempt: Stored<Payment>, reason: String) -> Result<(), PortError> {
        let account = self.account(&attempt.record).await?.record;
        self.wait_on(attempt, &account, reason).await.map(drop)
    }

    /// Nobody knows yet, or nothing was paid in yet. Long after the deadline a person is called.
    pub(super) async fn wait_on(
        &self,
        attempt: Stored<Payment>,
        account: &VirtualAccount,
        reason: String,
    ) -> Result<Stored<Payment>, PortError> {
        let now = self.now();
        if now >= account.due_at + self.options.quarantine_after {
            return self.undecided(attempt, reason).await;
        }
        let tries = attempt.record.tries.saturating_add(1);
        let due_at = Some(next_look(now, tries, account.due_at));
        let next = Payment { message: Some(reason), tries, due_at, updated_at: now, ..attempt.record.clone() };
        self.replace(&attempt, next, |unit| unit).await.map(|(stored, _)| stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_rarer_and_rarer_with_one_just_before_the_deadline() {
        let deadline = Time::from_millis(100_000);
        let look = |now: i64, looks| next_look(Time::from_millis(now), looks, deadline).as_millis();
        assert_eq!(look(0, 0), 500);
        assert_eq!(look(10_000, 3), 14_000);
        assert_eq!(look(80_000, 20), 95_000, "not later than this");
        assert_eq!(look(95_000, 0), 95_500);
        assert_eq!(look(200_000, 20), 260_000);
    }
}
