//! Taking back what was delivered, before money goes back: all vouchers of the order, or none when one was used.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, TakenLine};
use firstcome_core::ids::{OrderId, RefundId, VoucherId};
use firstcome_core::ports::{JournalEntry, LoggedEvent, PortError, StockLedger};
use firstcome_core::records::{Query, Record as _, RecordsExt, Stored, Unit};
use firstcome_core::time::Time;
use firstcome_core::voucher::Voiding;

use super::Ports;
use super::deliver::Delivery;
use super::store::{Movement, TakenBack, Voucher};
use crate::consumer::{Consumer, HandleError, Handler, parse};
use crate::voucher_account::{Purpose, Taken, VoucherAccount};

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
        if !self.take(refund, &issued, forced).await? {
            return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now));
        }
        for mut stored in issued {
            match stored.record.account().void(forced) {
                Voiding::InUse => return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now)),
                Voiding::Done(account) if account != stored.record.account() => {
                    stored.record.set(account);
                    unit.append(self.voided(&stored, now).await?);
                }
                Voiding::Done(_) => {}
            }
        }
        // What was not delivered yet, by another process perhaps, is issued void: a delivery that comes at the same time
        // meets these rows, and one that comes later sees that the order was taken back.
        let due = self.delivery.handler.due(order, now).await?;
        for mut voucher in due.into_iter().filter(|voucher| !known.contains(&voucher.id)) {
            unit = unit.insert(&Movement::voided(&voucher, now));
            voucher.voided = true;
            unit = unit.insert(&voucher);
        }
        let taken_back = unit.advance(&TakenBack { order, at: now }, 1);
        Ok(taken_back.event(&RoleEvent::VouchersVoided { refund, order }, now))
    }

    /// Takes these vouchers in the ledger, so that no checkout and no till uses them any more: each of them whole, or none
    /// when something of one is used or reserved; unless it must be.
    async fn take(&self, refund: RefundId, issued: &[Stored<Voucher>], forced: bool) -> Result<bool, HandleError> {
        let ledger = &*self.ports.ledger;
        let usable = || issued.iter().map(|stored| &stored.record).filter(|voucher| !voucher.voided);
        let mut may_be = forced || usable().all(|voucher| voucher.account().void(false) != Voiding::InUse);
        for voucher in usable() {
            let Some(account) = voucher.in_ledger().filter(|_| may_be) else { continue };
            let name = name(refund, voucher);
            match account.take(ledger, account.face, name, Purpose::TakeBack).await? {
                Taken::Now | Taken::Before(_) => {}
                Taken::TooFew(_) | Taken::Otherwise if forced => take_rest(ledger, refund, voucher, account).await?,
                Taken::TooFew(_) | Taken::Otherwise => may_be = false,
            }
        }
        if !may_be {
            // Also what was taken when this was judged before, and another of them was not used yet.
            for voucher in usable() {
                if let Some(account) = voucher.in_ledger() {
                    account.give_back(ledger, account.face, name(refund, voucher), refund).await?;
                }
            }
        }
        Ok(may_be)
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
        if !self.take(refund, &chosen, forced).await? {
            return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now));
        }
        let mut unit = Unit::new();
        for mut stored in chosen {
            let Voiding::Done(account) = stored.record.account().void(forced) else {
                return Ok(Unit::new().event(&RoleEvent::VouchersInUse { refund, order }, now));
            };
            stored.record.set(account);
            unit.append(self.voided(&stored, now).await?);
        }
        Ok(unit.event(&RoleEvent::VouchersVoided { refund, order }, now))
    }

    /// A voucher that can be used no more.
    async fn voided(&self, stored: &Stored<Voucher>, now: Time) -> Result<Unit, HandleError> {
        let unit = Unit::new().update(stored).insert(&Movement::voided(&stored.record, now));
        let announced = self.delivery.handler.announced(&stored.record).await?;
        Ok(announced.iter().fold(unit, |unit, event| unit.event(event, now)))
    }

    async fn vouchers(&self, order: OrderId) -> Result<Vec<Stored<Voucher>>, HandleError> {
        let query = Query::all(Voucher::TABLE, PAGE).is("order", order);
        Ok(self.ports.records.list::<Voucher>(query).await?)
    }
}

/// Takes what is left of a voucher of which some is used or reserved. What an order that is not paid gives back later nobody
/// uses either: it is known that the voucher is void.
async fn take_rest(
    ledger: &dyn StockLedger,
    refund: RefundId,
    voucher: &Voucher,
    account: VoucherAccount,
) -> Result<(), PortError> {
    let name = OrderId::of_request(voucher.user, &format!("refund {refund} {} rest", voucher.id), 0, account.offer);
    let mut left = account.left(ledger).await?;
    while left > 0 {
        left = match account.take(ledger, left, name, Purpose::TakeBack).await? {
            Taken::TooFew(less) => less,
            _ => 0,
        };
    }
    Ok(())
}

/// The name under which a refund takes a voucher.
pub(super) fn name(refund: RefundId, voucher: &Voucher) -> OrderId {
    let key = format!("refund {refund} {}", voucher.id);
    OrderId::of_request(voucher.user, &key, 0, voucher.sold_by())
}
