//! Cash receipts: what was paid by bank transfer, told to the tax office through the provider.
//!
//! A receipt is written down when its deposit is there ([`Told`], in one commit with the place in the events), and brought
//! by [`work`] to what the books say: issued once, whole, when its order is delivered; lowered by what goes back since.
//! Every call to the provider has a key that follows from what the row says, and the row is written before the amount
//! could become another: however often a step is repeated it is one receipt and one cancel.
//!
//! | state | what heals it |
//! |---|---|
//! | PENDING | asked for under the attempt's key until the provider answers, or too often |
//! | ISSUED, `PARTIAL_CANCELED` with `lowering` | the same cancel is asked for again under the same key |
//! | CANCELED | over |
//! | FAILED | over; `code` says why, and a person may issue it by hand |

mod view;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, PaymentId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::{PaymentMethod, ReceiptState};
use firstcome_core::ports::{LoggedEvent, PortError, ReceiptKind, Records};
use firstcome_core::record;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::Payments;
use super::rows::Payment;
use super::transfer::account_of;
use crate::consumer::{HandleError, Handler, parse};

pub(super) use view::ReceiptView;
pub(super) use work::worker;

/// Receipts of one order that are read at a time: at most one for each deposit.
const PAGE: u32 = 64;

record! {
    /// A cash receipt.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct CashReceipt in "cash_receipts" {
        /// The payment that it is for.
        pub payment_id: PaymentId,
        /// The order.
        pub order_id: OrderId,
        /// What it is for.
        pub kind: ReceiptKind,
        /// What it is issued over, in minor units: all that was paid.
        pub amount: i64,
        /// The currency.
        pub currency: Currency,
        /// Minor units by which it was lowered since.
        pub lowered: i64,
        /// Minor units by which it is being lowered.
        pub lowering: Option<i64>,
        /// Where it stands.
        pub state: ReceiptState,
        /// The provider's name for it.
        pub receipt_key: Option<String>,
        /// The tax office's number of it.
        pub issue_number: Option<String>,
        /// Why it failed, or was not lowered.
        pub code: Option<String>,
        /// How often the provider was asked for what is to be done.
        pub tries: u32,
        /// When it is looked at next.
        pub due_at: Option<Time>,
        /// When it was written down.
        pub created_at: Time,
        /// When it last changed.
        pub updated_at: Time,
    }
    indexes [
        index "cash_receipts_by_order" ("order_id"),
        index "cash_receipts_due" ("due_at"),
    ]
}

impl CashReceipt {
    fn wanted(payment: &Payment, kind: ReceiptKind, now: Time) -> Self {
        Self {
            payment_id: payment.payment_id,
            order_id: payment.order_id,
            kind,
            amount: payment.amount,
            currency: payment.currency,
            lowered: 0,
            lowering: None,
            state: ReceiptState::Pending,
            receipt_key: None,
            issue_number: None,
            code: None,
            tries: 0,
            due_at: Some(now),
            created_at: now,
            updated_at: now,
        }
    }

    fn money(&self, amount: i64) -> Money {
        Money::new(amount, self.currency)
    }
}

/// Whether nothing is to be done about a payment's receipt that needs its number, if there is one.
pub(super) async fn is_settled(records: &dyn Records, payment: PaymentId) -> Result<bool, PortError> {
    let receipt = records.load::<CashReceipt>(payment).await?;
    Ok(receipt.is_none_or(|receipt| receipt.record.state != ReceiptState::Pending))
}

/// Consumer of the role's own events: a deposit begins its receipt, and money that went back lowers it.
pub(super) struct Told(pub(super) Arc<Payments>);

#[async_trait]
impl Handler<LoggedEvent> for Told {
    fn name(&self) -> &'static str {
        "payments.receipts"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let (mut paid, mut lower) = (BTreeSet::new(), BTreeSet::new());
        for event in items {
            match event.kind.as_str() {
                "payment.done" | "refund.done" | "payment.canceled_by_provider" => match parse(event)? {
                    RoleEvent::PaymentDone { attempt, .. } => drop(paid.insert(attempt)),
                    RoleEvent::RefundDone { order, .. } | RoleEvent::CanceledByProvider { order, .. } => {
                        lower.insert(order);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let mut unit = Unit::new();
        for payment in transfers(&*self.0.ports.records, paid).await? {
            unit.append(self.0.begin_receipt(&payment.record).await?);
        }
        for order in lower {
            unit.append(self.0.look_at_receipts(order).await?);
        }
        Ok(unit)
    }
}

impl Payments {
    async fn begin_receipt(&self, payment: &Payment) -> Result<Unit, PortError> {
        let records = &*self.ports.records;
        let account = account_of(records, payment).await?;
        let Some(kind) = account.and_then(|account| account.record.receipt) else { return Ok(Unit::new()) };
        if records.load::<CashReceipt>(payment.payment_id).await?.is_some() {
            return Ok(Unit::new());
        }
        Ok(Unit::new().insert(&CashReceipt::wanted(payment, kind, self.now())))
    }

    async fn look_at_receipts(&self, order: OrderId) -> Result<Unit, PortError> {
        let now = self.now();
        let receipts = receipts_of(&*self.ports.records, order).await?;
        let issued = receipts.into_iter().filter(|receipt| receipt.record.receipt_key.is_some());
        Ok(issued.fold(Unit::new(), |unit, mut receipt| {
            receipt.record.due_at = Some(now);
            unit.update(&receipt)
        }))
    }
}

/// Those of these payments that came by bank transfer.
async fn transfers(records: &dyn Records, paid: BTreeSet<PaymentId>) -> Result<Vec<Stored<Payment>>, PortError> {
    if paid.is_empty() {
        return Ok(Vec::new());
    }
    let query = Query::all(Payment::TABLE, paid.len() as u32)
        .filter("payment_id", Comparison::IsOneOf(paid.iter().map(PaymentId::to_value).collect()))
        .is("method", Some(PaymentMethod::BankTransfer));
    records.list(query).await
}

/// Every receipt of an order.
async fn receipts_of(records: &dyn Records, order: OrderId) -> Result<Vec<Stored<CashReceipt>>, PortError> {
    records.every(Query::all(CashReceipt::TABLE, PAGE).is("order_id", order)).await
}
