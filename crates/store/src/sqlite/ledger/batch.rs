//! Deciding what waits: from commands to records, answers still held back.

use std::sync::Arc;

use firstcome_core::ids::{EventId, OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Digest, Event, Outcome, Record};
use firstcome_core::ports::{HoldArchive, JournalEntry, PortError};
use firstcome_core::time::Time;

use super::answers::Answers;
use super::journal::Row;
use super::lane::{Lane, LaneState, Pending, Published};
use super::witness::Head;

/// Orders that a record settled: they can leave memory once the archive has the record.
pub(super) struct Settled {
    pub(super) position: i64,
    pub(super) lane: Arc<Lane>,
    pub(super) seq: u64,
    pub(super) orders: Vec<OrderId>,
}

/// What becomes visible of a lane when its record is durable.
pub(super) struct Change {
    pub(super) lane: Arc<Lane>,
    pub(super) published: Published,
    pub(super) granted: u64,
}

/// Commands decided together, made durable by one sync.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) changes: Vec<Change>,
    pub(super) settled: Vec<Settled>,
    pub(super) answers: Answers,
    /// The head when all rows are in the journal.
    pub(super) head: Head,
    pub(super) events: usize,
}

impl Batch {
    pub(super) fn new(head: Head) -> Self {
        Self { head, ..Self::default() }
    }

    /// Decides commands of one lane in order; with `expire`, its due holds are released first. Returns the lane's next
    /// deadline.
    pub(super) fn decide(
        &mut self,
        lane: &Arc<Lane>,
        expire: bool,
        commands: &mut Vec<Pending>,
        now: Time,
        archive: &dyn HoldArchive,
    ) -> Option<Time> {
        let mut state = lane.state.write();
        let at = now.max(state.offer.last_at());
        let first_seq = state.offer.seq() + 1;
        let mut turn =
            Turn { state: &mut state, archive, at, events: Vec::with_capacity(commands.len()), recalled: vec![] };
        if expire {
            turn.decide(&Command::Expire);
        }
        for Pending { command, reply } in commands.drain(..) {
            let answer = turn.recall(&command, lane.number).map(|()| turn.decide(&command));
            if let (Command::Hold(_) | Command::Prepare(_), Ok(Outcome::Refused(refusal))) = (&command, &answer) {
                lane.count_refusal(refusal);
            }
            self.answers.push(reply, answer);
        }
        let Turn { events, recalled, .. } = turn;
        let orders = settled_orders(&state, recalled, &events);
        let record = (!events.is_empty()).then(|| self.record(lane.number, &state.tail, first_seq, at, events));
        if let Some((entry, bytes)) = record {
            state.tail = entry.hash;
            self.changes.push(Change {
                lane: lane.clone(),
                published: Published::of(&state.offer),
                granted: granted(&entry.record),
            });
            self.events += entry.record.events.len();
            self.rows.push(Row { entry, chain: self.head.chain, bytes });
        }
        if !orders.is_empty() {
            // Recalled holds that did not change are in the archive already, whatever position this says.
            let (position, seq) = (self.head.position, state.offer.seq());
            self.settled.push(Settled { position, lane: lane.clone(), seq, orders });
        }
        state.offer.next_deadline()
    }

    /// The next record of the journal.
    fn record(
        &mut self,
        offer: OfferNumber,
        prev: &Digest,
        first_seq: u64,
        at: Time,
        events: Vec<Event>,
    ) -> (JournalEntry, Vec<u8>) {
        let record = Record { offer, id: batch_id(offer, first_seq, at), prev: *prev, first_seq, at, events };
        let bytes = record.encode();
        let hash = Record::hash(&bytes);
        self.head = self.head.after(&hash);
        (JournalEntry { position: self.head.position, record: Arc::new(record), hash }, bytes)
    }
}

/// Commands of one lane while they are decided.
struct Turn<'a> {
    state: &'a mut LaneState,
    archive: &'a dyn HoldArchive,
    at: Time,
    events: Vec<Event>,
    recalled: Vec<OrderId>,
}

impl Turn<'_> {
    /// Brings the hold that a command is about back into memory, if it was forgotten.
    fn recall(&mut self, command: &Command, offer: OfferNumber) -> Result<(), PortError> {
        let Some(order) = command.order() else { return Ok(()) };
        if self.state.offer.hold(order).is_some() || !self.archive.may_contain(order.key_hash()) {
            return Ok(());
        }
        if let Some(hold) = self.archive.hold(offer, order)? {
            self.state.offer.recall(hold);
            self.recalled.push(order);
        }
        Ok(())
    }

    fn decide(&mut self, command: &Command) -> Outcome {
        let start = self.events.len();
        let outcome = self.state.offer.decide(command, self.at, &mut self.events);
        for event in &self.events[start..] {
            self.state.offer.evolve(event, self.at);
        }
        outcome
    }
}

/// Orders that these events settled, and those that were only recalled.
fn settled_orders(state: &LaneState, recalled: Vec<OrderId>, events: &[Event]) -> Vec<OrderId> {
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
fn granted(record: &Record) -> u64 {
    let units = |event: &Event| match event {
        Event::Held(granted) | Event::Sold(granted) | Event::Prepared(granted) => u64::from(granted.quantity),
        _ => 0,
    };
    record.events.iter().map(units).sum()
}

/// The name of a batch: its time, offer and first sequence number, in the free bits of a UUIDv7. The same history has
/// the same names.
fn batch_id(offer: OfferNumber, first_seq: u64, at: Time) -> EventId {
    let high = ((first_seq >> 30) & 0xfff) as u16;
    let low = (u64::from(offer.0) << 30) | (first_seq & 0x3fff_ffff);
    let mut free = [0; 10];
    free[..2].copy_from_slice(&high.to_be_bytes());
    free[2..].copy_from_slice(&low.to_be_bytes());
    EventId::at(at, free)
}
