//! The policies that orders were sold under. An order keeps the version of its offer's terms; what each version said about
//! refunds is kept here, so that no later edit of the offer changes what its buyers were promised.

use std::collections::HashMap;

use firstcome_core::ids::{EventId, OfferNumber};
use firstcome_core::ledger::Hold;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::product::{OfferInfo, RefundPolicy};
use firstcome_core::record;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;

use super::Orders;
use super::books::{SoldLine, sold_lines};

record! {
    /// What one version of an offer's terms says about refunds.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct RefundTerms in "refund_terms" {
        /// Offer and version.
        pub(super) id: EventId,
        /// The offer.
        pub(super) offer: OfferNumber,
        /// Since when it says so.
        pub(super) since: Time,
        /// When money goes back.
        pub(super) policy: RefundPolicy,
        /// The day of the visit, for tickets that have one.
        pub(super) visit_date: Option<String>,
        /// The time zone of that day; the shop's in rows of old versions.
        pub(super) time_zone: Option<String>,
    }
    indexes [index "refund_terms_of_offer" ("offer", "since")]
}

fn id(offer: OfferNumber, version: u32) -> EventId {
    EventId::derived(&[b"refund terms", &offer.0.to_be_bytes(), &version.to_be_bytes()])
}

impl RefundTerms {
    /// What an offer says that was saved at `since`.
    pub(super) fn of(offer: &OfferInfo, since: Time) -> Self {
        let number = offer.offer_id.number();
        Self {
            id: id(number, offer.version),
            offer: number,
            since,
            policy: offer.refund_policy,
            visit_date: offer.product.visit_date.clone(),
            time_zone: offer.time_zone.clone(),
        }
    }

    /// What every offer said before there was more than one policy.
    pub(super) fn first(offer: OfferNumber) -> Self {
        let policy = RefundPolicy::FullUntilUsed;
        Self { id: EventId::NIL, offer, since: Time(0), policy, visit_date: None, time_zone: None }
    }
}

impl Orders {
    /// The terms that each line of an order was sold under.
    pub(super) async fn terms_of(&self, hold: &Hold) -> Result<HashMap<OfferNumber, RefundTerms>, PortError> {
        let records = &*self.ports.records;
        let home = hold.order.home();
        let mut terms = HashMap::new();
        for SoldLine { offer, .. } in sold_lines(hold) {
            let of_line = if offer == home {
                self.facts.heard(offer, hold.terms_version).await?;
                records.load::<RefundTerms>(id(home, hold.terms_version)).await?.map(|stored| stored.record)
            } else {
                let state = self.ports.ledger.snapshot(offer).await?;
                self.facts.heard(offer, state.map_or(0, |state| state.offer.terms.version)).await?;
                at(records, offer, hold.created_at).await?
            };
            // All of it was heard: what is not there was never said.
            terms.insert(offer, of_line.unwrap_or_else(|| RefundTerms::first(offer)));
        }
        Ok(terms)
    }
}

/// What an offer said at a time. The other lines of an order do not keep their versions.
async fn at(records: &dyn Records, offer: OfferNumber, time: Time) -> Result<Option<RefundTerms>, PortError> {
    let query = Query::all(RefundTerms::TABLE, 1)
        .is("offer", offer)
        .filter("since", Comparison::AtMost(time.to_value()))
        .order_by("since", Direction::Descending);
    Ok(records.list::<RefundTerms>(query).await?.pop().map(|stored| stored.record))
}
