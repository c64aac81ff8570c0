//! Applying events. The only code that changes an offer's state, in a running sale and in a replay alike.

use super::event::Event;
use super::hold::{Hold, HoldState};
use super::offer::Offer;
use crate::ids::{OrderId, UserId};
use crate::time::Time;

impl Offer {
    /// Applies the next event, which happened at `at`. Its sequence number is one more than the last.
    ///
    /// An event about an order whose hold is not in memory must not come here: recall the hold first.
    pub fn evolve(&mut self, event: &Event, at: Time) {
        self.seq += 1;
        self.last_at = self.last_at.max(at);
        match event {
            Event::TermsSet(terms) => {
                if self.terms.is_none() {
                    self.stock.stock = terms.initial_stock;
                }
                self.terms = Some(*terms);
            }
            Event::Adjusted { id, delta } => {
                self.stock.stock = self.stock.stock.saturating_add_signed(*delta);
                self.adjustments.insert(*id, self.seq);
            }
            Event::Frozen => self.frozen = true,
            Event::Unfrozen => self.frozen = false,
            Event::Held(_) | Event::Prepared(_) | Event::Sold(_) | Event::OrderAborted { .. } => {
                if let Some(hold) = Hold::created_by(event, self.seq, at) {
                    self.create(hold);
                }
            }
            Event::Promoted { order, .. }
            | Event::PaymentBegun { order, .. }
            | Event::PaymentEnded { order, .. }
            | Event::Committed { order, .. }
            | Event::Released { order, .. }
            | Event::Reclaimed { order, .. }
            | Event::Returned { order, .. } => self.change(*order, event),
        }
        self.drop_stale_deadlines();
    }

    fn create(&mut self, hold: Hold) {
        self.count(hold.state, u64::from(hold.units()));
        self.set_units(hold.person, 0, hold.units());
        let expires_at = (hold.state == HoldState::Held).then_some(hold.expires_at);
        let place = self.holds.insert(hold);
        if let Some(expires_at) = expires_at {
            self.deadlines.insert_new(expires_at, place);
        }
    }

    fn change(&mut self, order: OrderId, event: &Event) {
        let seq = self.seq;
        let Some(hold) = self.holds.get_mut(order) else {
            debug_assert!(false, "the hold of an event is in memory");
            return;
        };
        let before = (hold.state, hold.units(), u64::from(hold.quantity));
        hold.evolve(event, seq);
        let (person, state, units, deadline) = (hold.person, hold.state, hold.units(), hold.expires_at);
        self.uncount(before.0, u64::from(before.1));
        self.count(state, u64::from(units));
        match event {
            Event::Released { .. } => self.stock.released += before.2,
            Event::Returned { quantity, restock: false, .. } => self.stock.stock -= u64::from(*quantity),
            _ => {}
        }
        self.set_units(person, before.1, units);
        if let Some(place) = self.holds.position(order).filter(|_| state == HoldState::Held) {
            self.deadlines.insert(deadline, place);
        }
    }

    fn uncount(&mut self, state: HoldState, units: u64) {
        match state {
            HoldState::Prepared | HoldState::Held => self.stock.held -= units,
            HoldState::Paying => {
                self.stock.held -= units;
                self.stock.paying -= units;
            }
            HoldState::Sold => self.stock.sold -= units,
            HoldState::Released | HoldState::Returned => {}
        }
    }

    fn count(&mut self, state: HoldState, units: u64) {
        match state {
            HoldState::Prepared | HoldState::Held => self.stock.held += units,
            HoldState::Paying => {
                self.stock.held += units;
                self.stock.paying += units;
            }
            HoldState::Sold => self.stock.sold += units,
            HoldState::Released | HoldState::Returned => {}
        }
    }

    pub(super) fn set_units(&mut self, person: UserId, before: u32, after: u32) {
        if before == after {
            return;
        }
        let units = self.persons.entry(person).or_insert(0);
        *units = (*units + after).saturating_sub(before);
        if *units == 0 {
            self.persons.remove(&person);
        }
    }
}
