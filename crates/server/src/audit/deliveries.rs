//! Deliveries against the journal: one voucher for every unit sold, none for anything else, and balances that add up.

use std::collections::HashMap;

use firstcome_app::vouchers::{Movement, MovementKind, SoldProduct, Voucher};
use firstcome_core::ids::{OfferNumber, OrderId, VoucherId};
use firstcome_core::ledger::HoldState;
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

pub(super) async fn check(journal: &Journal, records: &dyn Records, report: &mut Report) -> Result<(), PortError> {
    let mut spent: HashMap<VoucherId, i64> = HashMap::new();
    every::<Movement>(records, |movement| {
        if movement.kind == MovementKind::Redeemed {
            *spent.entry(movement.voucher).or_default() += movement.amount;
        }
    })
    .await?;
    let mut delivered: HashMap<OrderId, Delivered> = HashMap::new();
    every::<Voucher>(records, |voucher| {
        report.vouchers += 1;
        let spent = spent.get(&voucher.id).copied().unwrap_or(0);
        if voucher.face - spent != voucher.balance || voucher.balance < 0 {
            let why = format!("{} was put on it and {spent} taken off, but {} is left", voucher.face, voucher.balance);
            report.differ(format!("voucher {}", voucher.id), why);
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
    compare(journal, &digital, &delivered, report);
    Ok(())
}

fn compare(
    journal: &Journal,
    digital: &HashMap<OfferNumber, bool>,
    delivered: &HashMap<OrderId, Delivered>,
    report: &mut Report,
) {
    let mut due: HashMap<OrderId, (u32, u32)> = HashMap::new();
    for ((order, offer), hold) in &journal.holds {
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
        if found.usable < *usable && found.usable + found.voided == *usable {
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
