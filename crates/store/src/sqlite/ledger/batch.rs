//! Deciding what waits: from commands to records, answers still held back.

use std::sync::Arc;

use firstcome_core::ledger::{Command, Outcome};
use firstcome_core::ports::HoldArchive;
use firstcome_core::time::Time;

use super::journal::Row;
use super::witness::Head;
use crate::lane::{Answers, Lane, Pending, Published, Settled, Turn, batch_id, granted, next_record, settled_orders};

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
        let first_seq = state.offer.seq() + 1;
        let mut turn = Turn::new(lane, &mut state, archive, now, commands.len());
        if expire {
            // It is about no order, so nothing is read that could fail.
            let _ = turn.decide(&Command::Expire);
        }
        for Pending { command, reply } in commands.drain(..) {
            let answer = turn.decide(&command);
            if let (Command::Hold(_) | Command::Prepare(_), Ok(Outcome::Refused(refusal))) = (&command, &answer) {
                lane.count_refusal(refusal);
            }
            self.answers.push(reply, answer);
        }
        let Turn { events, recalled, at, .. } = turn;
        let orders = settled_orders(&state, recalled, &events);
        if !events.is_empty() {
            let id = batch_id(lane.number, first_seq, at);
            let (mut entry, bytes) = next_record(id, lane.number, &state.tail, first_seq, at, events);
            self.head = self.head.after(self.head.position + 1, &entry.hash);
            entry.position = self.head.position;
            state.tail = entry.hash;
            let (published, granted) = (Published::of(&state.offer), granted(&entry.record));
            self.changes.push(Change { lane: lane.clone(), published, granted });
            self.events += entry.record.events.len();
            self.rows.push(Row { entry, chain: self.head.chain, bytes });
        }
        // Recalled holds that did not change are in the archive already, whatever position this says.
        let (position, seq) = (self.head.position, state.offer.seq());
        self.settled.push(Settled { position, lane: lane.clone(), seq, orders });
        state.offer.next_deadline()
    }
}
