//! What the model's world consists of.

use std::sync::Arc;

use super::ledger::{Event, Moment, Outcome};

/// Names a message, as its hash does; 0 comes before the first.
pub(super) type Id = u8;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Record {
    pub(super) id: Id,
    pub(super) prev: Id,
    pub(super) first_seq: u8,
    pub(super) at: Moment,
    pub(super) events: Vec<Event>,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Message {
    Barrier(Id),
    Record(Arc<Record>),
}

impl Message {
    pub(super) fn id(&self) -> Id {
        match self {
            Self::Barrier(id) => *id,
            Self::Record(record) => record.id,
        }
    }

    pub(super) fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Barrier(_) => None,
            Self::Record(record) => Some(record),
        }
    }
}

/// A message in the log. With its offset, the leader's term names the copy: no other history has the same there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Entry {
    pub(super) term: u8,
    pub(super) message: Message,
}

/// The one partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Partition {
    /// The leader's log.
    pub(super) log: Vec<Entry>,
    /// How much of it enough replicas have: this much survives any failover.
    pub(super) safe: usize,
    /// How much of it readers see.
    pub(super) visible: usize,
    pub(super) term: u8,
    /// Messages on their way, in no order. Whether and when one lands is anyone's guess.
    pub(super) wire: Vec<Message>,
}

/// What a reader has made of the log so far.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(super) struct Reader {
    pub(super) offset: usize,
    /// Term and id of the last entry that it read.
    pub(super) head: Option<(u8, Id)>,
    /// The records that counted.
    pub(super) journal: Vec<Arc<Record>>,
}

/// A command that was decided, and the event of the batch's record that says so.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Verdict {
    pub(super) call: usize,
    pub(super) outcome: Outcome,
    pub(super) event: Option<usize>,
}

/// A batch that waits for its record or barrier.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Flight {
    pub(super) message: Message,
    pub(super) verdicts: Vec<Verdict>,
    /// When it was decided.
    pub(super) at: Moment,
    /// Offset and term where it was read back.
    pub(super) seen: Option<(usize, u8)>,
}

/// One process.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(super) struct Lane {
    pub(super) reader: Reader,
    pub(super) archive: Reader,
    pub(super) queue: Vec<usize>,
    pub(super) flights: Vec<Flight>,
    pub(super) clock: Moment,
}

/// What a client was told, and where in the journal it is true.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) at: Moment,
    pub(super) evidence: Evidence,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Evidence {
    /// This event, with this many before it.
    Event(Event, usize),
    /// The state after this many events.
    State(usize),
    /// The event is not in the journal.
    NoEvent(Event),
    /// At no moment since the call was it so.
    NoState,
    /// A refusal promises nothing, but that the order was not granted before.
    NotNeeded,
    /// It was: the refusal takes back what was answered.
    Granted,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Call {
    /// The client has not asked yet.
    Planned,
    /// It waits. When it asked, answers had spoken of this many events.
    Waiting(usize),
    Answered(Answer),
    /// It does not know.
    Unavailable,
}

/// How much may still go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Luck {
    pub(super) failovers: u8,
    pub(super) crashes: u8,
    pub(super) give_ups: u8,
    pub(super) duplicates: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct World {
    pub(super) partition: Partition,
    pub(super) lanes: Vec<Lane>,
    pub(super) calls: Vec<Call>,
    /// Events that answers have spoken of: whoever asks after that must not be told less.
    pub(super) told: usize,
    pub(super) luck: Luck,
}

impl World {
    /// The smallest id that nothing names.
    pub(super) fn fresh_id(&self) -> Id {
        let mut used = 1_u64;
        let mut name = |message: &Message| {
            used |= 1 << message.id() | message.record().map_or(0, |record| 1 << record.prev);
        };
        self.partition.log.iter().for_each(|entry| name(&entry.message));
        self.partition.wire.iter().for_each(&mut name);
        for lane in &self.lanes {
            lane.flights.iter().for_each(|flight| name(&flight.message));
            for reader in [&lane.reader, &lane.archive] {
                reader.journal.iter().for_each(|record| name(&Message::Record(record.clone())));
                reader.head.iter().for_each(|(_, id)| name(&Message::Barrier(*id)));
            }
        }
        used.trailing_ones() as Id
    }
}
