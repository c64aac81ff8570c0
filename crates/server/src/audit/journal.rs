//! The journal: whole, unaltered, and what it says of every order.

use std::collections::{BTreeMap, HashMap};

use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Event, Hold, HoldState, Line, Terms};
use firstcome_core::testkit::{Audit, Auditor};

use crate::place::{JournalRead, Place};

/// What the journal says.
pub(super) struct Journal {
    /// Counted by the auditor.
    pub(super) audit: Audit,
    /// The holds of every order, by order and offer.
    pub(super) holds: HashMap<(OrderId, OfferNumber), Hold>,
    /// Where the last record about each of them is.
    pub(super) positions: HashMap<(OrderId, OfferNumber), i64>,
    /// The terms of the offers, as they were set last.
    pub(super) terms: BTreeMap<OfferNumber, Terms>,
    /// Where the last record of each offer is.
    pub(super) offer_positions: BTreeMap<OfferNumber, i64>,
    /// Records read.
    pub(super) records: u64,
    /// Whether nobody can tell that its end is its end.
    pub(super) witness_missing: bool,
    /// Where records were found that continue nothing: before them something was lost or changed.
    pub(super) strays: Vec<i64>,
}

impl Journal {
    /// The orders: their holds on their home offers.
    pub(super) fn orders(&self) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(|((order, offer), _)| order.home() == *offer).map(|(_, hold)| hold)
    }

    /// The order of this id.
    pub(super) fn order(&self, order: OrderId) -> Option<&Hold> {
        self.holds.get(&(order, order.home()))
    }

    /// The same as people see it: sold while any of its lines is, also when all units of its home came back.
    pub(super) fn whole_order(&self, order: OrderId) -> Option<Hold> {
        let mut hold = self.order(order)?.clone();
        let line = |offer: OfferNumber| self.holds.get(&(order, offer)).map(|line| line.state);
        let is_sold = |other: &Line| line(other.offer.number()) == Some(HoldState::Sold);
        if hold.state == HoldState::Returned && hold.lines_elsewhere().any(is_sold) {
            hold.state = HoldState::Sold;
        }
        Some(hold)
    }

    /// Whether someone who has read up to `position` has not heard the last of this hold yet.
    pub(super) fn is_news(&self, hold: (OrderId, OfferNumber), position: i64) -> bool {
        self.positions.get(&hold).is_some_and(|last| *last > position)
    }
}

/// Reads the journal, also while it is written. The error names the place.
pub(super) fn read(place: &Place) -> Result<Journal, String> {
    let mut auditor = Auditor::with_doubt(place.clock_doubt());
    let mut holds: HashMap<(OrderId, OfferNumber), Hold> = HashMap::new();
    let mut positions = HashMap::new();
    let (mut terms, mut offer_positions) = (BTreeMap::new(), BTreeMap::new());
    let JournalRead { records, witness_missing, strays } = place.read_journal(|entry| {
        auditor.take(entry);
        let offer = entry.record.offer;
        offer_positions.insert(offer, entry.position);
        for (seq, event) in entry.record.numbered() {
            if let Event::TermsSet(set) = event {
                terms.insert(offer, *set);
            }
            let Some(order) = event.order() else { continue };
            positions.insert((order, offer), entry.position);
            if let Some(hold) = Hold::created_by(event, seq, entry.record.at) {
                holds.insert((order, offer), hold);
            } else if let Some(hold) = holds.get_mut(&(order, offer)) {
                hold.evolve(event, seq);
            }
        }
    })?;
    let audit = auditor.finish();
    Ok(Journal { audit, holds, positions, terms, offer_positions, records, witness_missing, strays })
}
