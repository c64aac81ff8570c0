//! The rows of orders and offers against the journal.

use std::collections::HashSet;

use firstcome_app::orders::{HoldRow, OfferRow, OrderState};
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::Hold;
use firstcome_core::ports::{PortError, Records};

use super::books::every;
use super::journal::Journal;
use super::report::Report;

pub(super) async fn check(journal: &Journal, records: &dyn Records, report: &mut Report) -> Result<(), PortError> {
    let mut seen: HashSet<(OrderId, OfferNumber)> = HashSet::new();
    every::<HoldRow>(records, |row| {
        report.orders += 1;
        let Ok(projected) = row.hold() else {
            report.differ(format!("orders row {:02x?}", row.key), "cannot be read".to_owned());
            return;
        };
        let place = format!("order {} on offer {}", projected.order, row.offer);
        seen.insert((projected.order, row.offer));
        match journal.holds.get(&(projected.order, row.offer)) {
            None => report.differ(place, "has a row, but the journal does not know it".to_owned()),
            Some(hold) if hold.seq != projected.seq => report.differ(place, "its row is not up to date".to_owned()),
            Some(hold) => {
                if let Some(why) = differs(hold, &projected, &row) {
                    report.differ(place, why);
                }
            }
        }
    })
    .await?;
    for (order, offer) in journal.holds.keys().filter(|key| !seen.contains(key)) {
        report.differ(format!("order {order} on offer {offer}"), "has no row".to_owned());
    }
    offers(journal, records, report).await
}

fn differs(hold: &Hold, projected: &Hold, row: &HoldRow) -> Option<String> {
    if hold != projected {
        return Some("its row is not what the journal says".to_owned());
    }
    let total = hold.total();
    let shown = (row.person, row.units, row.amount, row.currency, row.state, row.created_at);
    let meant = (hold.person, hold.units(), total.amount, total.currency, OrderState::of(hold), hold.created_at);
    (shown != meant).then(|| format!("its row shows {shown:?}, the journal means {meant:?}"))
}

async fn offers(journal: &Journal, records: &dyn Records, report: &mut Report) -> Result<(), PortError> {
    let mut seen = HashSet::new();
    every::<OfferRow>(records, |row| {
        seen.insert(row.number);
        let place = format!("offer {}", row.number);
        let Some(tally) = journal.audit.offers.get(&row.number) else {
            report.differ(place, "has a row, but the journal does not know it".to_owned());
            return;
        };
        let shown = (row.seq, row.stock, row.held, row.sold);
        let meant = (tally.seq, tally.stock.stock, tally.stock.held, tally.stock.sold);
        if shown != meant {
            report.differ(
                place,
                format!("its row shows (seq, stock, held, sold) {shown:?}, the journal means {meant:?}"),
            );
        }
    })
    .await?;
    for number in journal.audit.offers.keys().filter(|number| !seen.contains(number)) {
        report.differ(format!("offer {number}"), "has no row".to_owned());
    }
    Ok(())
}
