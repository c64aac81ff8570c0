//! Deciding what waits in one lane: from commands to events, and from events to a record.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{EventId, OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Digest, Event, Now, Outcome, Record, Undo};
use firstcome_core::ports::{HoldArchive, JournalEntry, PortError};
use firstcome_core::time::Time;

use super::{Lane, LaneState};

/// Commands of one lane while they are decided, all at the same time.
pub(crate) struct Turn<'a> {
    lane: &'a Lane,
    state: &'a mut LaneState,
    archive: &'a dyn HoldArchive,
    /// The time of the record.
    pub(crate) at: Time,
    doubt: Duration,
    /// What was decided so far.
    pub(crate) events: Vec<Event>,
    /// Orders whose holds were brought back into memory.
    pub(crate) recalled: Vec<OrderId>,
    /// What was there before, if the turn may have to be taken back.
    pub(crate) undo: Option<Undo>,
}

impl<'a> Turn<'a> {
    /// The turn of a lane at `now`, for so many commands.
    pub(crate) fn new(
        lane: &'a Lane,
        state: &'a mut LaneState,
        archive: &'a dyn HoldArchive,
        now: impl Into<Now>,
        commands: usize,
    ) -> Self {
        let Now { at, doubt } = now.into();
        let at = at.max(state.offer.last_at());
        Self { lane, state, archive, at, doubt, events: Vec::with_capacity(commands), recalled: Vec::new(), undo: None }
    }

    /// The same turn, such that it can be taken back.
    #[cfg(feature = "cluster")]
    pub(crate) fn undoable(mut self) -> Self {
        self.undo = Some(self.state.offer.undo_point());
        self
    }

    /// Decides one command and applies what it did; a hold that was forgotten comes back into memory first.
    pub(crate) fn decide(&mut self, command: &Command) -> Result<Outcome, PortError> {
        if let Some(order) = command.order() {
            self.recall(order)?;
        }
        let start = self.events.len();
        let outcome = self.state.offer.decide(command, Now { at: self.at, doubt: self.doubt }, &mut self.events);
        for event in &self.events[start..] {
            match &mut self.undo {
                Some(undo) => self.state.offer.evolve_noting(event, self.at, undo),
                None => self.state.offer.evolve(event, self.at),
            }
        }
        Ok(outcome)
    }

    /// Applies an event that was decided elsewhere.
    #[cfg(feature = "cluster")]
    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), PortError> {
        if let Some(order) = event.order() {
            self.recall(order)?;
        }
        self.state.offer.evolve(event, self.at);
        Ok(())
    }

    fn recall(&mut self, order: OrderId) -> Result<(), PortError> {
        if self.state.offer.hold(order).is_some() || !self.archive.may_contain(order.key_hash()) {
            return Ok(());
        }
        if let Some(hold) = self.archive.hold(self.lane.number, order)? {
            self.state.offer.recall(hold);
            self.recalled.push(order);
        }
        Ok(())
    }
}

/// Of the orders that were recalled and those that events settled, the ones that are settled now.
pub(crate) fn settled_orders(state: &LaneState, recalled: Vec<OrderId>, events: &[Event]) -> Vec<OrderId> {
    let mut orders = recalled;
    orders.extend(events.iter().filter(|event| settles(event)).filter_map(Event::order));
    orders.retain(|order| state.offer.hold(*order).is_some_and(|hold| !hold.state.is_open()));
    orders
}

/// Whether the hold of the event's order is not open after it.
fn settles(event: &Event) -> bool {
    matches!(
        event,
        Event::Sold(_)
            | Event::Committed { .. }
            | Event::Released { .. }
            | Event::Returned { .. }
            | Event::OrderAborted { .. }
    )
}

/// Units that a record granted.
pub(crate) fn granted(record: &Record) -> u64 {
    let units = |event: &Event| match event {
        Event::Held(granted) | Event::Sold(granted) | Event::Prepared(granted) => u64::from(granted.quantity),
        _ => 0,
    };
    record.events.iter().map(units).sum()
}

/// The record of these events, not yet at any position, and its bytes.
pub(crate) fn next_record(
    id: EventId,
    offer: OfferNumber,
    prev: &Digest,
    first_seq: u64,
    at: Time,
    events: Vec<Event>,
) -> (JournalEntry, Vec<u8>) {
    let record = Record { offer, id, prev: *prev, first_seq, at, events };
    let bytes = record.encode();
    let hash = Record::hash(&bytes);
    (JournalEntry { position: 0, record: Arc::new(record), hash }, bytes)
}

/// The name of a batch: its time, offer and first sequence number, in the free bits of a UUIDv7. The same history has
/// the same names.
pub(crate) fn batch_id(offer: OfferNumber, first_seq: u64, at: Time) -> EventId {
    let high = ((first_seq >> 30) & 0xfff) as u16;
    let low = (u64::from(offer.0) << 30) | (first_seq & 0x3fff_ffff);
    let mut free = [0; 10];
    free[..2].copy_from_slice(&high.to_be_bytes());
    free[2..].copy_from_slice(&low.to_be_bytes());
    EventId::at(at, free)
}
