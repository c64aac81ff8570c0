//! Deliveries against the journal: one voucher for every unit sold, none for anything else, and balances that add up.

use std::collections::{HashMap, HashSet};

use firstcome_app::orders::Refund;
use firstcome_app::vouchers::{Movement, MovementKind, SoldProduct, Voucher};
use firstcome_core::ids::{OfferNumber, OrderId, VoucherId};
use firstcome_core::ledger::HoldState;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::product::ProductKind;

use super::books::every;
use super::journal::Journal;
use super::report::Report;

/// The vouchers of an order.
#[derive(Clone, Copy, Default)]
struct Delivered {
    usable: u32,
    voided: u32,
}

/// What the movements of a voucher say.
#[derive(Clone, Copy, Default)]
struct Moved {
    issued: i64,
    spent: i64,
}

/// `records` are those of the vouchers; `orders` know which deliveries are being taken back.
pub(super) async fn check(
    journal: &Journal,
    records: &dyn Records,
    orders: &dyn Records,
    report: &mut Report,
) -> Result<(), PortError> {
    let mut moved: HashMap<VoucherId, Moved> = HashMap::new();
    every::<Movement>(records, |movement| {
        let entry = moved.entry(movement.voucher).or_default();
        match movement.kind {
            MovementKind::Issued => entry.issued += movement.amount,
            MovementKind::Redeemed => entry.spent += movement.amount,
            MovementKind::Voided => {}
        }
    })
    .await?;
    let mut delivered: HashMap<OrderId, Delivered> = HashMap::new();
    every::<Voucher>(records, |voucher| {
        report.vouchers += 1;
        let Moved { issued, spent } = moved.get(&voucher.id).copied().unwrap_or_default();
        if issued != voucher.face || issued - spent != voucher.balance || voucher.balance < 0 {
            let Voucher { id, order, face, balance, .. } = &voucher;
            let why = format!("issued with {issued}, {spent} taken off, but its row says {balance} of {face}");
            report.differ(format!("voucher {id} of order {order}"), why);
        }
        let entry = delivered.entry(voucher.order).or_default();
        *(if voucher.voided { &mut entry.voided } else { &mut entry.usable }) += 1;
    })
    .await?;
    let mut digital: HashMap<OfferNumber, bool> = HashMap::new();
    every::<SoldProduct>(records, |sold| {
        digital.insert(sold.offer, sold.product.0.kind != ProductKind::Goods);
    })
    .await?;
    let mut leaving: HashSet<OrderId> = HashSet::new();
    every::<Refund>(orders, |refund| {
        if refund.state == RefundState::Pending {
            leaving.insert(refund.order);
        }
    })
    .await?;
    compare(journal, &digital, &delivered, &leaving, report);
    Ok(())
}

fn compare(
    journal: &Journal,
    digital: &HashMap<OfferNumber, bool>,
    delivered: &HashMap<OrderId, Delivered>,
    leaving: &HashSet<OrderId>,
    report: &mut Report,
) {
    let mut due: HashMap<OrderId, (u32, u32)> = HashMap::new();
    // What uses a coupon delivers nothing.
    for ((order, offer), hold) in journal.holds.iter().filter(|((_, offer), _)| !offer.is_account()) {
        let entry = due.entry(*order).or_default();
        if digital.get(offer).copied().unwrap_or(true) {
            match hold.state {
                HoldState::Sold => entry.0 += hold.units(),
                HoldState::Returned => entry.1 += hold.quantity,
                _ => {}
            }
        }
    }
    for (order, (usable, returned)) in &due {
        let found = delivered.get(order).copied().unwrap_or_default();
        let place = format!("delivery of order {order}");
        let leaves = found.usable < *usable && found.usable + found.voided == *usable;
        if leaves && leaving.contains(order) {
            report.flying(place, "what was delivered is being taken back".to_owned());
        } else if found.usable != *usable || (*returned > 0 && found.voided > *returned) {
            let why =
                format!("{usable} vouchers are due, {} usable and {} voided are there", found.usable, found.voided);
            report.differ(place, why);
        }
    }
    for order in delivered.keys().filter(|order| !due.contains_key(order)) {
        report.differ(format!("delivery of order {order}"), "the journal knows no such order".to_owned());
    }
}
