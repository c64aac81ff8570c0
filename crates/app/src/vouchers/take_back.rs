//! Taking back what was delivered, before money goes back: all vouchers of the order, or none when one was used.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, TakenLine};
use firstcome_core::ids::{OrderId, RefundId, VoucherId};
use firstcome_core::ports::{JournalEntry, LoggedEvent};
use firstcome_core::product::ProductKind;
use firstcome_core::records::{Query, Record as _, RecordsExt, Stored, Unit};
use firstcome_core::voucher::Voiding;

use super::Ports;
use super::deliver::Delivery;
use super::store::{Movement, TakenBack, Voucher};
use crate::consumer::{Consumer, HandleError, Handler, parse};
use crate::coupons::{self, Purpose};

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
            if let RoleEvent::RefundRequested { refund, order, forced, lines, .. } = parse(event)? {
                let judged = match lines.as_slice() {
                    [] => self.judge(refund, order, forced).await?,
                    lines => self.judge_lines(refund, order, forced, lines).await?,
                };
                unit.append(judged);
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
        let issued = self.vouchers(order).await?;
        let known: HashSet<VoucherId> = issued.iter().map(|stored| stored.record.id).collect();
        if !self.take_coupons(refund, &issued, forced).await? {
            return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now));
        }
        for mut stored in issued {
            match stored.record.account().void(forced) {
                Voiding::InUse => return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now)),
                Voiding::Done(account) if account != stored.record.account() => {
                    stored.record.set(account);
                    unit = unit.update(&stored).insert(&Movement::voided(&stored.record, now));
                }
                Voiding::Done(_) => {}
            }
        }
        // What was not delivered yet, by another process perhaps, is issued void: a delivery that comes at the same time
        // meets these rows, and one that comes later sees that the order was taken back.
        let due = self.delivery.handler.due(order, now).await?;
        for mut voucher in due.into_iter().filter(|voucher| !known.contains(&voucher.id)) {
            unit = unit.insert(&Movement::issued(&voucher)).insert(&Movement::voided(&voucher, now));
            voucher.voided = true;
            unit = unit.insert(&voucher);
        }
        let taken_back = unit.advance(&TakenBack { order, at: now }, 1);
        Ok(taken_back.event(&RoleEvent::VouchersVoided { refund, order }, now))
    }

    /// Takes every coupon of these in the ledger, so that no checkout uses it any more; none of them when one is used or
    /// reserved, unless it must be.
    async fn take_coupons(
        &self,
        refund: RefundId,
        issued: &[Stored<Voucher>],
        forced: bool,
    ) -> Result<bool, HandleError> {
        let ledger = &*self.ports.ledger;
        if !forced && issued.iter().any(|stored| stored.record.account().void(false) == Voiding::InUse) {
            return Ok(false);
        }
        let coupons = || issued.iter().map(|stored| &stored.record).filter(|coupon| coupon.kind == ProductKind::Coupon);
        for (place, coupon) in coupons().enumerate() {
            let taken =
                coupons::take(ledger, coupon.sold_by(), coupon.id, name(refund, coupon), Purpose::TakeBack).await?;
            if !taken && !forced {
                for taken in coupons().take(place) {
                    coupons::give_back(ledger, taken.sold_by(), name(refund, taken), refund).await?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Some units of an order: of each line so many vouchers are taken back, unused ones.
    async fn judge_lines(
        &self,
        refund: RefundId,
        order: OrderId,
        forced: bool,
        lines: &[TakenLine],
    ) -> Result<Unit, HandleError> {
        let now = self.ports.clock.now();
        // Asked first: what the ledger says now is in the journal that is read to its end after it.
        let due = self.delivery.handler.due(order, now).await?;
        self.delivery.catch_up().await?;
        let issued = self.vouchers(order).await?;
        if due.iter().any(|due| !issued.iter().any(|stored| stored.record.id == due.id)) {
            // Its delivery is a dead letter, and so is this until that is replayed; those behind it go on.
            return Err(HandleError::Rejected(format!("{order} could not be delivered")));
        }
        let mut chosen = Vec::new();
        for line in lines {
            let ids: HashSet<VoucherId> =
                (0..line.of).map(|number| Voucher::id_of(order, line.offer, number)).collect();
            let of_line = || issued.iter().filter(|stored| ids.contains(&stored.record.id));
            if of_line().next().is_none() {
                // Goods.
                continue;
            }
            let mut usable: Vec<_> = of_line().filter(|stored| !stored.record.voided).cloned().collect();
            usable.sort_by_key(|stored| (stored.record.balance < stored.record.face, stored.record.id));
            let wanted = line.quantity as usize;
            chosen.extend(usable.drain(..wanted.min(usable.len())));
        }
        if !self.take_coupons(refund, &chosen, forced).await? {
            return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now));
        }
        let mut unit = Unit::new();
        for mut stored in chosen {
            let Voiding::Done(account) = stored.record.account().void(forced) else {
                return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now));
            };
            stored.record.set(account);
            unit = unit.update(&stored).insert(&Movement::voided(&stored.record, now));
        }
        Ok(unit.event(&RoleEvent::VouchersVoided { refund, order }, now))
    }

    async fn vouchers(&self, order: OrderId) -> Result<Vec<Stored<Voucher>>, HandleError> {
        let query = Query::all(Voucher::TABLE, PAGE).is("order", order);
        Ok(self.ports.records.list::<Voucher>(query).await?)
    }
}

/// The name under which a refund takes a coupon.
pub(super) fn name(refund: RefundId, coupon: &Voucher) -> OrderId {
    let key = format!("refund {refund} {}", coupon.id);
    OrderId::of_request(coupon.user, &key, 0, coupon.sold_by())
}
