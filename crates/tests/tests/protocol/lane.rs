//! What a lane decides and answers.

use std::sync::Arc;

use super::Protocol;
use super::answers::is_refusal;
use super::ledger::{Command, Event, Moment};
use super::reader::{Tail, fold};
use super::state::{Flight, Message, Record, Verdict, World};

/// A batch as it was decided.
pub(super) struct Decision {
    pub(super) at: Moment,
    pub(super) events: Vec<Event>,
    pub(super) verdicts: Vec<Verdict>,
}

impl World {
    /// Decides the first `count` commands of the queue.
    pub(super) fn decide(&mut self, protocol: &Protocol, lane: usize, count: usize) {
        let calls: Vec<usize> = self.lanes[lane].queue.drain(..count).collect();
        let decision = self.decided(protocol, lane, &calls);
        let refusal = |verdict: &Verdict| is_refusal(protocol.scope.commands[verdict.call], verdict.outcome);
        let at_once = !protocol.rules.refusals_wait && decision.verdicts.iter().all(refusal);
        if !decision.events.is_empty() {
            self.append(lane, decision);
        } else if protocol.rules.barrier && !at_once {
            let message = Message::Barrier(self.fresh_id());
            self.partition.wire.push(message.clone());
            self.lanes[lane].flights.push(Flight { message, verdicts: decision.verdicts, at: decision.at, seen: None });
        } else {
            self.tell(protocol, &decision);
        }
    }

    /// Releases what is late.
    pub(super) fn expire(&mut self, protocol: &Protocol, lane: usize) {
        let mut decision = self.decided(protocol, lane, &[]);
        let books = fold(&self.lanes[lane].reader.journal);
        decision.events = books.due(protocol.rules.passed(decision.at)).map(Event::Expired).collect();
        self.append(lane, decision);
    }

    fn decided(&self, protocol: &Protocol, lane: usize, calls: &[usize]) -> Decision {
        let lane = &self.lanes[lane];
        let mut books = fold(&lane.reader.journal);
        let under_way = lane.flights.iter().filter(|flight| is_under_way(flight));
        for record in under_way.filter_map(|flight| flight.message.record()) {
            record.events.iter().for_each(|event| books.evolve(*event, record.at));
        }
        let at = lane.clock.max(books.last_at);
        let passed = protocol.rules.passed(at);
        let mut decision = Decision { at, events: Vec::new(), verdicts: Vec::new() };
        for call in calls {
            let command = protocol.scope.commands[*call];
            if let Some(late) = late_for(command, books.due(passed)).filter(|_| protocol.rules.lateness_is_written) {
                books.evolve(Event::Expired(late), at);
                decision.events.push(Event::Expired(late));
            }
            let (outcome, event) = books.decide(&protocol.scope.sale, command, at, passed);
            decision.verdicts.push(Verdict { call: *call, outcome, event: event.map(|_| decision.events.len()) });
            if let Some(event) = event {
                books.evolve(event, at);
                decision.events.push(event);
            }
        }
        decision
    }

    /// Sends the events off, chained to what they were decided on.
    pub(super) fn append(&mut self, lane: usize, decision: Decision) {
        let id = self.fresh_id();
        let lane = &mut self.lanes[lane];
        let mut tail = Tail::of(&lane.reader.journal);
        let under_way = lane.flights.iter().filter(|flight| is_under_way(flight));
        under_way.filter_map(|flight| flight.message.record()).for_each(|record| tail.move_to(record));
        let Decision { at, events, verdicts } = decision;
        let record = Record { id, prev: tail.id, first_seq: tail.next_seq, at, events };
        let message = Message::Record(Arc::new(record));
        lane.flights.push(Flight { message: message.clone(), verdicts, at, seen: None });
        self.partition.wire.push(message);
    }

    /// The first batch has what it waited for.
    pub(super) fn finish(&mut self, protocol: &Protocol, lane: usize) {
        let first = &self.lanes[lane].flights[0];
        let at_the_barrier = protocol.rules.decided_at_barrier && first.seen.is_some();
        if first.message.record().is_none() && !at_the_barrier && !self.decide_again(protocol, lane, 0) {
            return;
        }
        let Flight { message, verdicts, at, .. } = self.lanes[lane].flights.remove(0);
        let events = message.record().map(|record| record.events.clone()).unwrap_or_default();
        self.tell(protocol, &Decision { at, events, verdicts });
    }

    /// Decides what waited for a barrier on the state as it is now. What turns out to have events leaves the barrier and
    /// waits like any other: then the barrier has nothing to answer, and is gone.
    pub(super) fn decide_again(&mut self, protocol: &Protocol, lane: usize, flight: usize) -> bool {
        let verdicts = &self.lanes[lane].flights[flight].verdicts;
        let calls: Vec<usize> = verdicts.iter().map(|verdict| verdict.call).collect();
        if self.lanes[lane].flights.iter().any(is_under_way) {
            self.lanes[lane].flights.remove(flight);
            self.wait_again(lane, calls);
            return false;
        }
        let decision = self.decided(protocol, lane, &calls);
        if !decision.events.is_empty() {
            self.lanes[lane].flights.remove(flight);
            self.append(lane, decision);
            return false;
        }
        let waiting = &mut self.lanes[lane].flights[flight];
        (waiting.verdicts, waiting.at) = (decision.verdicts, decision.at);
        true
    }

    fn tell(&mut self, protocol: &Protocol, decision: &Decision) {
        for Verdict { call, outcome, event } in &decision.verdicts {
            let event = event.map(|index| decision.events[index]);
            self.answer(protocol, *call, *outcome, event, decision.at);
        }
    }
}

/// A record that was not read back yet.
pub(super) fn is_under_way(flight: &Flight) -> bool {
    flight.seen.is_none() && flight.message.record().is_some()
}

/// The order of a command that must not be answered by the clock alone.
fn late_for(command: Command, mut due: impl Iterator<Item = u8>) -> Option<u8> {
    let Command::Begin(order, _) = command else { return None };
    due.find(|late| *late == order)
}
