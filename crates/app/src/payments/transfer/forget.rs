//! Forgetting what buyers have said of themselves for bank transfers.
//!
//! An account into which nothing was paid is forgotten a month after its time; when something of it is open just then, it is
//! looked at again each month. What was paid can go back to its buyer as long as the books of the order are kept, five years
//! (`docs/security.md`), and is forgotten then; of a person who has deleted their account, as soon as nothing of it can go
//! back any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::UserId;
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{LoggedEvent, PortError, Records};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::VirtualAccount;
use crate::consumer::{HandleError, Handler, parse};
use crate::payments::receipts::is_settled;
use crate::payments::rows::{payments_of, refunds_of};
use crate::payments::{Payments, all};
use crate::role::Worker;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long the details of an account are kept into which nothing was paid: a deposit that comes late can be sent back.
pub(super) const UNPAID_FOR: Duration = MONTH;
/// How long the details of a payment are kept.
const PAID_FOR: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);
/// Accounts that one step takes, and a rest between two steps.
const AT_ONCE: u32 = 100;
const REST: Duration = Duration::from_secs(1);

/// Consumer of `user.erased`.
pub(in crate::payments) struct Erased(pub(in crate::payments) Arc<Payments>);

#[async_trait]
impl Handler<LoggedEvent> for Erased {
    fn name(&self) -> &'static str {
        "payments.accounts"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items.iter().filter(|event| event.kind == "user.erased") {
            if let RoleEvent::UserErased { user } = parse(event)? {
                unit.append(self.0.erase(user).await?);
            }
        }
        Ok(unit)
    }
}

/// Worker that forgets accounts whose time has come.
pub(in crate::payments) fn worker(payments: Arc<Payments>) -> Worker {
    Worker::new("payments.forget", move |stop| async move {
        while stop.run_until_cancelled(tokio::time::sleep(REST)).await.is_some() {
            if let Err(error) = payments.forget_due().await {
                tracing::warn!(%error, "accounts cannot be forgotten now");
            }
        }
        Ok(())
    })
}

impl Payments {
    pub(in crate::payments) async fn erase(&self, person: UserId) -> Result<Unit, PortError> {
        let now = Some(self.now());
        let query = Query::all(VirtualAccount::TABLE, AT_ONCE).is("person", person);
        let accounts = self.ports.records.every::<VirtualAccount>(query).await?;
        Ok(accounts.into_iter().filter(|account| account.record.erased_at.is_none()).fold(
            Unit::new(),
            |unit, mut account| {
                account.record.erased_at = now;
                account.record.forget_at = now;
                unit.update(&account)
            },
        ))
    }

    /// Looks at the accounts whose turn it is. Returns how many.
    pub(in crate::payments) async fn forget_due(&self) -> Result<usize, PortError> {
        let due = Query::all(VirtualAccount::TABLE, AT_ONCE)
            .filter("forget_at", Comparison::AtMost(self.now().to_value()))
            .order_by("forget_at", Direction::Ascending);
        let accounts = self.ports.records.list::<VirtualAccount>(due).await?;
        all(accounts.into_iter().map(|account| self.forget_or_keep(account)), self.options.calls).await
    }

    async fn forget_or_keep(&self, account: Stored<VirtualAccount>) -> Result<(), PortError> {
        let (now, VirtualAccount { due_at, erased_at, created_at, .. }) = (self.now(), account.record.clone());
        let is_needed = may_go_back(&*self.ports.records, &account.record, now).await?;
        // Written first, so that one that was changed in the same moment is looked at again.
        let mut unit = Unit::new().update(&account);
        let kept_until = created_at + PAID_FOR;
        if !is_needed || now >= kept_until.max(due_at) {
            unit = unit.delete(&account.record);
        } else {
            let mut kept = account;
            kept.record.forget_at = Some(if erased_at.is_some() { now + DAY } else { kept_until.min(now + MONTH) });
            unit = Unit::new().update(&kept);
        }
        self.ports.records.commit(unit).await.map(drop)
    }
}

/// Whether money may yet go back to a buyer, or a receipt be issued, for which the details are needed.
async fn may_go_back(records: &dyn Records, account: &VirtualAccount, now: Time) -> Result<bool, PortError> {
    let (order, mut is_needed) = (account.order_id, now < account.due_at);
    for payment in payments_of(records, order).await?.into_iter().filter(|payment| payment.record.is_transfer()) {
        let payment = payment.record;
        is_needed |= payment.state.is_undecided();
        is_needed |= matches!(payment.state, PaymentState::Done | PaymentState::PartialCanceled);
        is_needed |= !is_settled(records, payment.payment_id).await?;
    }
    let refunds = refunds_of(records, order).await?;
    let is_open = |state| matches!(state, RefundState::Pending | RefundState::Quarantined);
    Ok(is_needed || refunds.iter().any(|refund| is_open(refund.record.state)))
}
