//! Taking back what was delivered, before money goes back: all vouchers of the order, or none when one was used.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{EventId, OrderId, RefundId};
use firstcome_core::ports::{JournalEntry, LoggedEvent};
use firstcome_core::records::{Query, Record as _, RecordsExt, Stored, Unit};
use firstcome_core::voucher::Voiding;

use super::Ports;
use super::deliver::Delivery;
use super::store::{Movement, MovementKind, TakenBack, Voucher};
use crate::consumer::{Consumer, HandleError, Handler, parse};

/// Vouchers read at a time; an order has at most as many as its units.
const PAGE: u32 = 10_000;

/// Judges refunds.
pub(super) struct TakeBack {
    pub(super) ports: Ports,
    pub(super) delivery: Arc<Consumer<JournalEntry, Delivery>>,
}

#[async_trait]
impl Handler<LoggedEvent> for TakeBack {
    fn name(&self) -> &'static str {
        "vouchers.orders"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::RefundRequested { refund, order, forced, .. } = parse(event)? {
                unit.append(self.judge(refund, order, forced).await?);
            }
        }
        Ok(unit)
    }
}

impl TakeBack {
    async fn judge(&self, refund: RefundId, order: OrderId, forced: bool) -> Result<Unit, HandleError> {
        // The order was sold before it could be canceled, so its vouchers are there when the journal is read to its end.
        self.delivery.catch_up().await?;
        let now = self.ports.clock.now();
        let mut unit = Unit::new();
        for mut stored in self.vouchers(order).await? {
            match stored.record.account().void(forced) {
                Voiding::InUse => return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now)),
                Voiding::Done(account) if account != stored.record.account() => {
                    stored.record.set(account);
                    let movement = Movement {
                        id: EventId::derived(&[b"voided", &stored.record.id.0]),
                        voucher: stored.record.id,
                        kind: MovementKind::Voided,
                        amount: stored.record.balance,
                        balance: 0,
                        by: None,
                        digest: None,
                        at: now,
                    };
                    unit = unit.update(&stored).insert(&movement);
                }
                Voiding::Done(_) => {}
            }
        }
        let taken_back = unit.advance(&TakenBack { order, at: now }, 1);
        Ok(taken_back.event(&RoleEvent::VouchersVoided { refund, order }, now))
    }

    async fn vouchers(&self, order: OrderId) -> Result<Vec<Stored<Voucher>>, HandleError> {
        let query = Query::all(Voucher::TABLE, PAGE).is("order", order);
        Ok(self.ports.records.list::<Voucher>(query).await?)
    }
}
