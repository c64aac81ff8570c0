//! The state of one offer's ledger.

use hashbrown::HashMap;

use super::deadlines::Deadlines;
use super::hold::{Hold, HoldState};
use super::holds::Holds;
use super::terms::Terms;
use crate::ids::{EventId, OrderId, UserId};
use crate::time::Time;

/// Holds that one `Expire` releases at most, so that a batch stays small when thousands expire together.
pub const EXPIRE_AT_MOST: usize = 512;

/// The units of an offer: `stock = available + held + sold`, at every moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stock {
    /// All units.
    pub stock: u64,
    /// Units set aside: prepared, held and paying.
    pub held: u64,
    /// Of the held, those in payment.
    pub paying: u64,
    /// Units sold and not returned.
    pub sold: u64,
    /// Units that came back from holds, since the beginning.
    pub released: u64,
}

impl Stock {
    /// Units that can be granted. The state machine keeps `held + sold <= stock`.
    pub fn available(&self) -> u64 {
        self.stock.saturating_sub(self.held + self.sold)
    }
}

/// The ledger of one offer in memory. Built by [`Offer::evolve`] from its events, or from an [`OfferSnapshot`].
#[derive(Clone, Default)]
pub struct Offer {
    pub(super) terms: Option<Terms>,
    pub(super) stock: Stock,
    pub(super) frozen: bool,
    pub(super) seq: u64,
    pub(super) last_at: Time,
    pub(super) holds: Holds,
    pub(super) persons: Persons,
    pub(super) adjustments: HashMap<EventId, u64>,
    /// Deadlines of holds, soonest first. May name holds that are over or have a newer deadline; the first never does.
    pub(super) deadlines: Deadlines,
}

/// The units that each person holds or owns.
pub type Persons = HashMap<UserId, u32>;

/// All of an offer but its holds, as a projection of the journal keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferSnapshot {
    /// The terms in force.
    pub terms: Terms,
    /// The units.
    pub stock: Stock,
    /// Whether granting is stopped.
    pub frozen: bool,
    /// The sequence number of the last event.
    pub seq: u64,
    /// When the last event happened.
    pub last_at: Time,
    /// Adjustments made, with their sequence numbers.
    pub adjustments: Vec<(EventId, u64)>,
}

impl Offer {
    /// The ledger as a snapshot and its holds left it. `holds` must contain every open hold and may contain others;
    /// `persons` the units that each person holds or owns.
    pub fn restore(snapshot: OfferSnapshot, holds: impl IntoIterator<Item = Hold>, persons: Persons) -> Self {
        let mut offer = Self {
            terms: Some(snapshot.terms),
            stock: snapshot.stock,
            frozen: snapshot.frozen,
            seq: snapshot.seq,
            last_at: snapshot.last_at,
            adjustments: snapshot.adjustments.into_iter().collect(),
            persons,
            ..Self::default()
        };
        for hold in holds {
            offer.recall(hold);
        }
        offer.drop_stale_deadlines();
        offer
    }

    /// Takes a hold that had been forgotten back into memory. Counts nothing: what it holds is counted already.
    pub fn recall(&mut self, hold: Hold) {
        let expires_at = (hold.state == HoldState::Held).then_some(hold.expires_at);
        let place = self.holds.insert(hold);
        if let Some(expires_at) = expires_at {
            self.deadlines.insert(expires_at, place);
        }
    }

    /// Drops a hold that is settled (sold, released, returned) from memory; whoever calls this can bring it back with
    /// [`Offer::recall`]. Returns whether it was dropped: an open hold, or one changed after `seq`, stays.
    pub fn forget(&mut self, order: OrderId, seq: u64) -> bool {
        let settled = self.holds.get(order).is_some_and(|hold| !hold.state.is_open() && hold.seq <= seq);
        settled && self.holds.remove(order).is_some()
    }

    /// All but the holds; none before the first terms are set.
    pub fn snapshot(&self) -> Option<OfferSnapshot> {
        Some(OfferSnapshot {
            terms: self.terms?,
            stock: self.stock,
            frozen: self.frozen,
            seq: self.seq,
            last_at: self.last_at,
            adjustments: self.adjustments(),
        })
    }

    /// Adjustments made, with their sequence numbers, in order.
    pub fn adjustments(&self) -> Vec<(EventId, u64)> {
        let mut adjustments: Vec<_> = self.adjustments.iter().map(|(id, seq)| (*id, *seq)).collect();
        adjustments.sort_by_key(|(_, seq)| *seq);
        adjustments
    }

    /// The terms in force; none for an offer that does not exist yet.
    pub fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// The units.
    pub fn stock(&self) -> Stock {
        self.stock
    }

    /// Whether granting is stopped.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The sequence number of the last event; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When the last event happened.
    pub fn last_at(&self) -> Time {
        self.last_at
    }

    /// The hold of an order, if it is in memory.
    pub fn hold(&self, order: OrderId) -> Option<&Hold> {
        self.holds.get(order)
    }

    /// Every hold in memory, in no order.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.iter()
    }

    /// How many holds are in memory.
    pub fn hold_count(&self) -> usize {
        self.holds.len()
    }

    /// Units that a person holds and owns.
    pub fn owned(&self, person: UserId) -> u32 {
        self.persons.get(&person).copied().unwrap_or(0)
    }

    /// Every person who holds or owns units, with how many, in no order.
    pub fn persons(&self) -> impl Iterator<Item = (UserId, u32)> {
        self.persons.iter().map(|(person, units)| (*person, *units))
    }

    /// The deadline of the hold that expires next; holds in payment have none.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| deadline)
    }

    /// Keeps the promise that the first deadline names a hold that really expires then.
    pub(super) fn drop_stale_deadlines(&mut self) {
        while let Some((deadline, place)) = self.deadlines.first() {
            if self.expires(place, deadline).is_some() {
                return;
            }
            self.deadlines.drop_front();
        }
    }

    /// The orders whose holds expire up to and including `now`: the oldest deadline first, and of the same deadline by
    /// order, so that the same history always releases in the same way.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = OrderId> {
        self.deadlines.due(now).flat_map(|(deadline, places)| {
            let mut orders: Vec<_> = places.iter().filter_map(|place| self.expires(*place, deadline)).collect();
            orders.sort_unstable();
            orders.dedup();
            orders
        })
    }

    /// The order whose hold is at this place and expires at just this deadline.
    fn expires(&self, place: u32, deadline: Time) -> Option<OrderId> {
        let hold = self.holds.at(place)?;
        (hold.state == HoldState::Held && hold.expires_at == deadline).then_some(hold.order)
    }
}
