//! Deliveries against the journal: one voucher for every unit sold, none for anything else, and balances that add up.

use std::collections::{HashMap, HashSet};

use firstcome_app::vouchers::{DELIVERY, Voucher};
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::HoldState;
use firstcome_core::ports::{PortError, Records};

use super::gift_cards::Spent;
use super::journal::Journal;
use super::report::Report;
use super::vouchers::Sold;
use super::{books::every, refunds::Decided};

/// The vouchers of an order.
#[derive(Clone, Copy, Default)]
struct Delivered {
    usable: u32,
    voided: u32,
}

/// What an order is due.
#[derive(Clone, Copy, Default)]
struct Due {
    usable: u32,
    returned: u32,
    /// Whether the role that delivers has not read of it yet.
    is_news: bool,
}

/// `records` are those of the vouchers; what was `decided` tells which deliveries are being taken back.
pub(super) async fn check(
    journal: &Journal,
    records: &dyn Records,
    decided: &Decided,
    report: &mut Report,
) -> Result<(), PortError> {
    // Asked first: what is delivered while the vouchers are read is not missed.
    let position = records.position(DELIVERY).await?;
    let spent = Spent::read(journal);
    let mut sold = Sold::read(journal, records, &spent).await?;
    let mut delivered: HashMap<OrderId, Delivered> = HashMap::new();
    every::<Voucher>(records, |voucher| {
        report.vouchers += 1;
        spent.check(journal, (&voucher, sold.ahead(voucher.id)), position, report);
        if let Some(why) = sold.judge(&voucher) {
            report.differ(format!("voucher {} of order {}", voucher.id, voucher.order), why);
        }
        let entry = delivered.entry(voucher.order).or_default();
        *(if voucher.voided { &mut entry.voided } else { &mut entry.usable }) += 1;
    })
    .await?;
    for voucher in sold.moved_alone() {
        report.differ(format!("voucher {voucher}"), "something happened to it, but it is not there".to_owned());
    }
    compare(&due(journal, &sold, position), &delivered, &decided.leaving(), report);
    Ok(())
}

fn due(journal: &Journal, sold: &Sold<'_>, position: i64) -> HashMap<OrderId, Due> {
    let mut due: HashMap<OrderId, Due> = HashMap::new();
    // What uses a coupon delivers nothing.
    for ((order, offer), hold) in journal.holds.iter().filter(|((_, offer), _)| !offer.is_account()) {
        let entry = due.entry(*order).or_default();
        if sold.is_digital(*offer) {
            entry.is_news |= journal.is_news((*order, *offer), position);
            match hold.state {
                HoldState::Sold => {
                    entry.usable += hold.units();
                    entry.returned += hold.returned();
                }
                HoldState::Returned => entry.returned += hold.quantity,
                _ => {}
            }
        }
    }
    due
}

fn compare(
    due: &HashMap<OrderId, Due>,
    delivered: &HashMap<OrderId, Delivered>,
    leaving: &HashSet<OrderId>,
    report: &mut Report,
) {
    for (order, Due { usable, returned, is_news }) in due {
        let found = delivered.get(order).copied().unwrap_or_default();
        let place = format!("delivery of order {order}");
        let there = found.usable + found.voided;
        let leaves = found.usable < *usable && there == *usable + *returned;
        if leaves && leaving.contains(order) {
            report.flying(place, "what was delivered is being taken back".to_owned());
        } else if *is_news && there < *usable + *returned {
            report.flying(place, "is still to be delivered".to_owned());
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
