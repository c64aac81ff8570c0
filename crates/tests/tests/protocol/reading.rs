//! What a lane learns by reading: its own records, lost races, a log that was cut; and what becomes of those who wait.

use super::Protocol;
use super::lane::{Decision, is_under_way};
use super::reader::Tail;
use super::state::{Call, Flight, Lane, Message, Reader, World};

impl World {
    /// Reads one entry, or ends when the log is not the one that was read before.
    pub(super) fn read(&mut self, protocol: &Protocol, lane: usize) {
        let rules = &protocol.rules;
        if self.lanes[lane].reader.notices_a_cut(rules, &self.partition) {
            self.lanes[lane].archive = Reader::default();
            return self.restart(lane);
        }
        let Lane { reader, flights, .. } = &mut self.lanes[lane];
        let entry = &self.partition.log[reader.offset];
        let counts = reader.read(rules, entry);
        let is_own = |flight: &Flight| flight.seen.is_none() && flight.message.id() == entry.message.id();
        let own = flights.iter().position(is_own);
        let barrier = entry.message.record().is_none();
        let skipped = own.filter(|_| !barrier && !counts);
        if let Some(own) = own.filter(|_| skipped.is_none()) {
            flights[own].seen = Some((reader.offset - 1, entry.term));
        }
        if skipped.is_some() || !self.may_count(protocol, lane) {
            self.lose_race(protocol, lane);
        }
        if let Some(own) = own.filter(|_| barrier && protocol.rules.decided_at_barrier) {
            self.decide_again(protocol, lane, own);
        }
    }

    /// Whether the first record under way may still come to count.
    fn may_count(&self, protocol: &Protocol, lane: usize) -> bool {
        let Lane { reader, flights, .. } = &self.lanes[lane];
        let first = flights.iter().find(|flight| is_under_way(flight)).and_then(|flight| flight.message.record());
        first.is_none_or(|first| Tail::of(&reader.journal).accepts(&protocol.rules, first))
    }

    /// What can no longer count is undone: its commands wait again, in their old order.
    fn lose_race(&mut self, protocol: &Protocol, lane: usize) {
        let (lost, kept) = self.lanes[lane].flights.drain(..).partition(is_under_way);
        self.lanes[lane].flights = kept;
        if !protocol.rules.undo {
            return self.append_again(lane, lost);
        }
        let lost = lost.iter().flat_map(|flight: &Flight| flight.verdicts.iter().map(|verdict| verdict.call));
        self.wait_again(lane, lost.collect());
    }

    pub(super) fn wait_again(&mut self, lane: usize, mut calls: Vec<usize>) {
        let queue = &mut self.lanes[lane].queue;
        calls.append(queue);
        *queue = calls;
    }

    /// What a lane without undo would do: the same events, after the new tail.
    fn append_again(&mut self, lane: usize, lost: Vec<Flight>) {
        for flight in lost {
            let Message::Record(record) = flight.message else { continue };
            let decision = Decision { at: record.at, events: record.events.clone(), verdicts: flight.verdicts };
            self.append(lane, decision);
        }
    }

    /// The lane does not wait any longer; its clients learn nothing.
    pub(super) fn give_up(&mut self, lane: usize) {
        for flight in std::mem::take(&mut self.lanes[lane].flights) {
            for verdict in flight.verdicts {
                self.calls[verdict.call] = Call::Unavailable;
            }
        }
    }

    /// Memory is lost, the archive is what is left.
    pub(super) fn restart(&mut self, lane: usize) {
        self.give_up(lane);
        for call in std::mem::take(&mut self.lanes[lane].queue) {
            self.calls[call] = Call::Unavailable;
        }
        self.lanes[lane].reader = self.lanes[lane].archive.clone();
    }
}
