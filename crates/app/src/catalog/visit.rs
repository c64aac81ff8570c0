//! The day that a ticket is for: once it is over nothing is sold for it.

use firstcome_core::product::{OfferInfo, Product};
use firstcome_core::time::Time;
use jiff::tz::TimeZone;

use crate::http::{Outcome, Problem};

/// When the day ends; none for what has none.
fn ends(product: &Product, time_zone: &TimeZone) -> Outcome<Option<Time>> {
    let wrong = |_| Problem::field("visit_date", "must be a date such as 2026-12-24");
    product.visit_ends(time_zone).map_err(wrong)
}

/// Refuses a product whose day is over.
pub(super) fn is_to_come(product: &Product, time_zone: &TimeZone, now: Time) -> Outcome<()> {
    match ends(product, time_zone)? {
        Some(end) if end <= now => Err(Problem::field("visit_date", "is over; nothing can be sold for that day")),
        _ => Ok(()),
    }
}

/// An offer that names no end closes with the day; one that would go on after it is refused.
pub(super) fn closes_with_it(info: &mut OfferInfo, of_shop: &TimeZone) -> Outcome<()> {
    let Some(end) = ends(&info.product, &info.zone(of_shop))? else { return Ok(()) };
    if info.opens_at >= end {
        return Err(Problem::field("opens_at", "is after the visit_date of what is sold"));
    }
    if info.closes_at.is_some_and(|closes_at| closes_at > end) {
        let why = format!("must not be after {end}, when the visit_date of what is sold is over");
        return Err(Problem::field("closes_at", why));
    }
    info.closes_at.get_or_insert(end);
    Ok(())
}

/// Makes an offer sell a product that has another day; what closed with the old day closes with the new one.
pub(super) fn moves_with_it(info: &mut OfferInfo, product: &Product, of_shop: &TimeZone) -> Outcome<()> {
    opens_end(info, of_shop)?;
    info.product = product.clone();
    closes_with_it(info, of_shop)
}

/// Whether the day of an offer would begin and end at another time in this time zone.
pub(super) fn would_move(info: &OfferInfo, time_zone: &str, of_shop: &TimeZone) -> bool {
    info.product.visit_date.is_some() && info.zone(of_shop).iana_name() != Some(time_zone)
}

/// Makes the day of an offer begin and end in another time zone; what closed with it there closes with it here.
pub(super) fn moves_to(info: &mut OfferInfo, time_zone: String, of_shop: &TimeZone) -> Outcome<()> {
    opens_end(info, of_shop)?;
    info.time_zone = Some(time_zone);
    closes_with_it(info, of_shop)
}

/// Takes the end of the day from an offer that closes with it.
fn opens_end(info: &mut OfferInfo, of_shop: &TimeZone) -> Outcome<()> {
    let old = ends(&info.product, &info.zone(of_shop))?;
    info.closes_at = info.closes_at.filter(|closes_at| Some(*closes_at) != old);
    Ok(())
}
