//! What is on sale when: a small row for each offer, kept by whoever reads the catalogue's announcements, so that looking
//! reads little.

use firstcome_core::product::OfferInfo;
use firstcome_core::records::Unit;
use firstcome_core::time::Time;

use super::Bell;

/// The unit of work that keeps the row of an offer. A draft has none, and what was published is none any more.
pub(in crate::catalog) fn hung(offer: &OfferInfo) -> Unit {
    if offer.draft {
        return Unit::new();
    }
    let bell = Bell {
        number: offer.offer_id.number(),
        offer: offer.offer_id,
        product: offer.product.product_id,
        opens_at: offer.opens_at,
        closes_at: offer.closes_at.unwrap_or(Time(i64::MAX)),
    };
    Unit::new().advance(&bell, i64::from(offer.version))
}
