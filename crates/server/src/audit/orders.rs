//! The rows of orders and offers against the journal.

use std::collections::HashSet;
use std::path::Path;

use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Hold, OfferSnapshot};
use firstcome_core::order::OrderState;
use firstcome_core::ports::PortError;
use firstcome_store::sqlite::{ArchivedRow, rows_of_archive};

use super::journal::Journal;
use super::report::Report;

/// What a missing archive means.
const MISSING: &str = "it is missing, so no rows of orders were compared; it only repeats the journal, and the next start makes \
                       it again";

/// Compares the archive at a path. Blocks.
pub(super) fn check(journal: &Journal, path: &Path, report: &mut Report) -> Result<(), PortError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if journal.records > 0 && !path.exists() {
        report.differ(file, MISSING.to_owned());
        return Ok(());
    }
    let mut seen = HashSet::new();
    let offers = match rows_of_archive(path, |number, row| check_row(journal, number, row, &mut seen, report)) {
        Ok((_, offers)) => offers,
        Err(PortError::Corrupt(why)) => {
            report.differ(file, why);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for (order, offer) in journal.holds.keys().filter(|key| !seen.contains(key)) {
        report.differ(format!("order {order} on offer {offer}"), "has no row".to_owned());
    }
    check_offers(journal, &offers, report);
    Ok(())
}

fn check_row(
    journal: &Journal,
    number: i64,
    row: Result<ArchivedRow, String>,
    seen: &mut HashSet<(OrderId, OfferNumber)>,
    report: &mut Report,
) {
    report.orders += 1;
    let row = match row {
        Ok(row) => row,
        Err(why) => return report.differ(format!("row {number} of the archive"), why),
    };
    let place = format!("order {} on offer {}", row.hold.order, row.offer);
    if !seen.insert((row.hold.order, row.offer)) {
        return report.differ(place, "has two rows".to_owned());
    }
    match journal.holds.get(&(row.hold.order, row.offer)) {
        None => report.differ(place, "has a row, but the journal does not know it".to_owned()),
        Some(hold) if hold.seq != row.hold.seq => report.differ(place, "its row is not up to date".to_owned()),
        Some(hold) => {
            if let Some(why) = differs(hold, &row) {
                report.differ(place, why);
            }
        }
    }
}

fn differs(hold: &Hold, row: &ArchivedRow) -> Option<String> {
    if *hold != row.hold {
        return Some("its row is not what the journal says".to_owned());
    }
    let meant = OrderState::of(hold).as_str();
    (row.state != meant).then(|| format!("its row shows {}, the journal means {meant}", row.state))
}

fn check_offers(journal: &Journal, offers: &[OfferSnapshot], report: &mut Report) {
    let mut seen = HashSet::new();
    for offer in offers {
        let number = offer.terms.offer.number();
        seen.insert(number);
        let place = format!("offer {number}");
        let Some(tally) = journal.audit.offers.get(&number) else {
            report.differ(place, "has a row, but the journal does not know it".to_owned());
            continue;
        };
        let shown = (offer.seq, offer.stock.stock, offer.stock.held, offer.stock.sold);
        let meant = (tally.seq, tally.stock.stock, tally.stock.held, tally.stock.sold);
        if shown != meant {
            report.differ(
                place,
                format!("its row shows (seq, stock, held, sold) {shown:?}, the journal means {meant:?}"),
            );
        }
    }
    for number in journal.audit.offers.keys().filter(|number| !seen.contains(number)) {
        report.differ(format!("offer {number}"), "has no row".to_owned());
    }
}
