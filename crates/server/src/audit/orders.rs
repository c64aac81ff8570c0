//! The rows of orders and offers against the journal. They are written behind it, and name the record up to which they are:
//! what is after that one is under way.

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

/// A hold of the journal.
type Key = (OrderId, OfferNumber);

/// Compares the archive at a path. Blocks.
pub(super) fn check(journal: &Journal, path: &Path, report: &mut Report) -> Result<(), PortError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if journal.records > 0 && !path.exists() {
        report.differ(file, MISSING.to_owned());
        return Ok(());
    }
    let mut seen = HashSet::new();
    let mut old = Vec::new();
    let read = rows_of_archive(path, |number, row| old.extend(check_row(journal, number, row, &mut seen, report)));
    let (head, offers) = match read {
        Ok(read) => read,
        Err(PortError::Corrupt(why)) => {
            report.differ(file, why);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let old = old.into_iter().map(|key| (key, "its row is not up to date"));
    let missing = journal.holds.keys().filter(|key| !seen.contains(key)).map(|key| (*key, "has no row"));
    for (key, why) in old.chain(missing) {
        let place = place(key);
        if journal.is_news(key, head.position) {
            report.flying(place, "its row is still to be written from the journal".to_owned());
        } else {
            report.differ(place, why.to_owned());
        }
    }
    check_offers(journal, head.position, &offers, report);
    Ok(())
}

fn place((order, offer): Key) -> String {
    format!("order {order} on offer {offer}")
}

/// Judges a row; one that is not up to date is returned.
fn check_row(
    journal: &Journal,
    number: i64,
    row: Result<ArchivedRow, String>,
    seen: &mut HashSet<Key>,
    report: &mut Report,
) -> Option<Key> {
    let row = match row {
        Ok(row) => row,
        Err(why) => {
            report.differ(format!("row {number} of the archive"), why);
            return None;
        }
    };
    let key = (row.hold.order, row.offer);
    let why = match journal.holds.get(&key) {
        _ if !seen.insert(key) => Some("has two rows".to_owned()),
        None => Some("has a row, but the journal does not know it".to_owned()),
        Some(hold) if hold.seq != row.hold.seq => return Some(key),
        Some(hold) => differs(hold, &row),
    };
    if let Some(why) = why {
        report.differ(place(key), why);
    }
    None
}

fn differs(hold: &Hold, row: &ArchivedRow) -> Option<String> {
    if *hold != row.hold {
        return Some("its row is not what the journal says".to_owned());
    }
    let meant = OrderState::of(hold).as_str();
    (row.state != meant).then(|| format!("its row shows {}, the journal means {meant}", row.state))
}

fn check_offers(journal: &Journal, position: i64, offers: &[OfferSnapshot], report: &mut Report) {
    let mut seen = HashSet::new();
    let is_news = |number: &OfferNumber| journal.offer_positions.get(number).is_some_and(|last| *last > position);
    let mut late = |number: &OfferNumber, why: String| {
        let place = format!("offer {number}");
        if is_news(number) {
            report.flying(place, "its row is still to be written from the journal".to_owned());
        } else {
            report.differ(place, why);
        }
    };
    for offer in offers {
        let number = offer.terms.offer.number();
        seen.insert(number);
        let Some(tally) = journal.audit.offers.get(&number) else {
            late(&number, "has a row, but the journal does not know it".to_owned());
            continue;
        };
        let shown = (offer.seq, offer.stock.stock, offer.stock.held, offer.stock.sold);
        let meant = (tally.seq, tally.stock.stock, tally.stock.held, tally.stock.sold);
        if shown != meant {
            let why = format!("its row shows (seq, stock, held, sold) {shown:?}, the journal means {meant:?}");
            late(&number, why);
        }
    }
    for number in journal.audit.offers.keys().filter(|number| !seen.contains(number)) {
        late(number, "has no row".to_owned());
    }
}
