//! The catalogue against the terms that the journal sells under.

use std::collections::HashSet;

use firstcome_app::catalog::OfferRow;
use firstcome_core::ledger::Terms;
use firstcome_core::ports::{PortError, Records};

use super::books::every;
use super::journal::Journal;
use super::report::Report;

pub(super) async fn check(journal: &Journal, records: &dyn Records, report: &mut Report) -> Result<(), PortError> {
    let mut seen = HashSet::new();
    every::<OfferRow>(records, |row| {
        seen.insert(row.number);
        let place = format!("catalogue, offer {}", row.offer_id);
        if !row.agrees_with_itself() {
            return report.differ(place, "its columns are not those of the offer that is written in it".to_owned());
        }
        match (row.terms(), journal.terms.get(&row.number)) {
            (None, None) => {}
            (None, Some(_)) => report.differ(place, "is a draft, but the ledger sells it".to_owned()),
            (Some(shown), Some(sold)) => match differs(&shown, sold) {
                Some(_) if shown.version > sold.version => report.flying(place, TO_BE_TOLD.to_owned()),
                Some(why) => report.differ(place, why),
                None => {}
            },
            (Some(_), None) => report.flying(place, TO_BE_TOLD.to_owned()),
        }
    })
    .await?;
    let sold = journal.terms.iter().filter(|(number, _)| !number.is_account());
    for (number, terms) in sold.filter(|(number, _)| !seen.contains(number)) {
        let place = format!("catalogue, offer {}", terms.offer);
        report.differ(place, format!("the ledger sells it as number {number}, but it is not there"));
    }
    Ok(())
}

const TO_BE_TOLD: &str = "the ledger is still to be told its terms";

/// The first thing in which the catalogue's terms are not the ledger's.
fn differs(shown: &Terms, sold: &Terms) -> Option<String> {
    let fields = [
        ("version", shown.version != sold.version),
        ("initial_stock", shown.initial_stock != sold.initial_stock),
        ("price", shown.price != sold.price),
        ("limit_per_person", shown.limit_per_person != sold.limit_per_person),
        ("max_per_order", shown.max_per_order != sold.max_per_order),
        ("opens_at", shown.opens_at != sold.opens_at),
        ("closes_at", shown.closes_at != sold.closes_at),
        ("hold_for_seconds", shown.hold_for_ms != sold.hold_for_ms),
        // Terms that old versions set have none.
        ("visit_date", sold.usable_until.is_some() && shown.usable_until != sold.usable_until),
    ];
    let (field, _) = fields.into_iter().find(|(_, differs)| *differs)?;
    Some(format!("{field} is not what the ledger sells under"))
}
