//! Everything that can happen next, and what it does.

use super::Protocol;
use super::reader::fold;
use super::state::{Call, Flight, Lane, Message, World};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A client asks a lane.
    Call { call: usize, lane: usize },
    /// A lane decides its first commands.
    Decide { lane: usize, count: usize },
    /// A lane lets a late-comer share the barrier that is under way.
    Share { lane: usize },
    /// A lane releases what is late.
    Expire { lane: usize },
    /// A message reaches the log; `again` leaves it under way, so that it lands twice.
    Land { message: usize, again: bool },
    /// Enough replicas have one entry more.
    Replicate,
    /// The replicas in sync are too few, and readers see an entry all the same.
    Expose,
    /// Another replica leads; what only the old leader had is gone.
    FailOver,
    /// A lane reads one entry.
    Read { lane: usize },
    /// A lane answers its first batch.
    Answer { lane: usize },
    /// A lane does not wait for its appends any longer.
    GiveUp { lane: usize },
    /// A lane brings its archive up to date.
    Archive { lane: usize },
    /// The same in two commits: the position.
    ArchivePosition { lane: usize },
    /// The same in two commits: the state.
    ArchiveState { lane: usize },
    /// A lane dies and starts again.
    Crash { lane: usize },
    /// A lane's clock moves on.
    Tick { lane: usize },
}

impl Protocol {
    pub(super) fn steps(&self, world: &World, steps: &mut Vec<Step>) {
        for (call, state) in world.calls.iter().enumerate() {
            if *state == Call::Planned {
                steps.extend((0..world.lanes.len()).map(|lane| Step::Call { call, lane }));
            }
        }
        for lane in 0..world.lanes.len() {
            self.steps_of_lane(world, lane, steps);
        }
        let partition = &world.partition;
        if partition.log.len() < self.scope.log {
            for message in 0..partition.wire.len() {
                steps.push(Step::Land { message, again: false });
                if world.luck.duplicates > 0 {
                    steps.push(Step::Land { message, again: true });
                }
            }
        }
        if partition.safe < partition.log.len() {
            steps.push(Step::Replicate);
            if world.luck.failovers > 0 {
                steps.push(Step::FailOver);
            }
        }
        if self.scope.lonely && partition.visible < partition.log.len() {
            steps.push(Step::Expose);
        }
    }

    fn steps_of_lane(&self, world: &World, lane: usize, steps: &mut Vec<Step>) {
        let Lane { reader, archive, queue, flights, clock } = &world.lanes[lane];
        let may_decide = flights.is_empty() || (!self.rules.one_in_flight && flights.len() < 2);
        if may_decide {
            steps.extend((1..=queue.len().min(self.scope.batch)).map(|count| Step::Decide { lane, count }));
        }
        if !self.rules.fresh_barrier && !queue.is_empty() && shared(flights) {
            steps.push(Step::Share { lane });
        }
        let books = fold(&reader.journal);
        if flights.is_empty() && books.due(self.rules.passed(*clock.max(&books.last_at))).next().is_some() {
            steps.push(Step::Expire { lane });
        }
        if reader.offset < world.partition.visible || reader.notices_a_cut(&self.rules, &world.partition) {
            steps.push(Step::Read { lane });
        }
        if flights.first().is_some_and(|flight| self.may_answer(world, flight)) {
            steps.push(Step::Answer { lane });
        }
        if world.luck.give_ups > 0 && !flights.is_empty() {
            steps.push(Step::GiveUp { lane });
        }
        if world.luck.crashes > 0 {
            if archive != reader && self.rules.one_commit {
                steps.push(Step::Archive { lane });
            } else if archive != reader {
                steps.extend([Step::ArchivePosition { lane }, Step::ArchiveState { lane }]);
            }
            steps.push(Step::Crash { lane });
        }
        let slowest = world.lanes.iter().map(|lane| lane.clock).min().unwrap_or_default();
        if *clock < self.scope.clock && *clock == slowest {
            steps.push(Step::Tick { lane });
        }
    }

    fn may_answer(&self, world: &World, flight: &Flight) -> bool {
        let partition = &world.partition;
        let is_it = |message: &Message| message.id() == flight.message.id();
        let any_copy = || partition.log[..partition.safe].iter().any(|entry| is_it(&entry.message));
        let this_copy = |(offset, term): (usize, u8)| {
            offset < partition.safe && partition.log[offset].term == term && is_it(&partition.log[offset].message)
        };
        let acknowledged = match flight.seen {
            _ if !self.rules.acknowledged => true,
            Some(copy) if self.rules.same_copy => this_copy(copy),
            _ => any_copy(),
        };
        acknowledged && (flight.seen.is_some() || !self.rules.read_back)
    }

    pub(super) fn after(&self, world: &World, step: Step) -> World {
        let mut next = world.clone();
        match step {
            Step::Call { call, lane } => {
                next.calls[call] = Call::Waiting(next.told);
                next.lanes[lane].queue.push(call);
            }
            Step::Decide { lane, count } => next.decide(self, lane, count),
            Step::Share { lane } => next.share(lane),
            Step::Expire { lane } => next.expire(self, lane),
            Step::Read { lane } => next.read(self, lane),
            Step::Answer { lane } => next.finish(self, lane),
            Step::GiveUp { lane } => {
                next.luck.give_ups -= 1;
                next.give_up(lane);
            }
            Step::Crash { lane } => {
                next.luck.crashes -= 1;
                next.restart(lane);
            }
            Step::Archive { lane } => next.lanes[lane].archive = next.lanes[lane].reader.clone(),
            Step::ArchivePosition { lane } => {
                let Lane { reader, archive, .. } = &mut next.lanes[lane];
                (archive.offset, archive.head) = (reader.offset, reader.head);
            }
            Step::ArchiveState { lane } => {
                let Lane { reader, archive, .. } = &mut next.lanes[lane];
                archive.journal.clone_from(&reader.journal);
            }
            Step::Tick { lane } => next.lanes[lane].clock += 1,
            Step::Land { .. } | Step::Replicate | Step::Expose | Step::FailOver => next.at_the_broker(step),
        }
        next.partition.wire.sort_unstable();
        next
    }
}

/// Whether the last thing under way is a barrier.
fn shared(flights: &[Flight]) -> bool {
    matches!(flights, [.., Flight { message: Message::Barrier(_), seen: None, .. }])
}

impl World {
    fn share(&mut self, lane: usize) {
        let Lane { queue, flights, .. } = &mut self.lanes[lane];
        let call = queue.remove(0);
        if let Some(flight) = flights.last_mut() {
            // What it comes to is decided at the barrier.
            let outcome = super::ledger::Outcome::Unknown;
            flight.verdicts.push(super::state::Verdict { call, outcome, event: None });
        }
    }
}
