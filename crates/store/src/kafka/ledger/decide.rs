//! Deciding what waits.

use std::sync::Arc;
use std::time::Instant;

use firstcome_core::ledger::{Command, Outcome};
use firstcome_core::ports::PortError;

use super::engine::{Busy, Engine, Stage, Work};
use super::flight::{Flight, Outcomes, answers, needs_no_proof};
use super::topic;
use crate::lane::{Lane, Pending, Turn, next_record};

/// How often what is due is released for one record, 512 holds each time: more would not fit in a message.
const EXPIRE_TIMES: usize = 100;

impl Engine {
    pub(super) fn decide_due(&mut self) -> bool {
        if self.shared.trouble().is_some() {
            return false;
        }
        let mut worked = false;
        while let Some(offer) = self.alarms.take(self.shared.options.clock.now()) {
            let Some(lane) = self.shared.lanes.get(offer) else { continue };
            // Of an offer that is busy the alarm is set again when it is not.
            if !self.busy.contains_key(&offer) {
                self.take_and_decide(&lane, true);
                worked = true;
            }
        }
        worked
    }

    pub(super) fn decide_waiting(&mut self) -> bool {
        if let Some(trouble) = self.shared.trouble() {
            self.shared.lanes.refuse_waiting(&trouble);
            return false;
        }
        let mut worked = false;
        while let Some(lane) = self.shared.lanes.next_ready() {
            if let Some(busy) = self.busy.get_mut(&lane.number) {
                busy.more = true;
                continue;
            }
            if !self.gather(&lane) {
                self.take_and_decide(&lane, false);
                worked = true;
            }
        }
        worked
    }

    pub(super) fn decide_again(&mut self) -> bool {
        let lost = std::mem::take(&mut self.lost);
        for offer in &lost {
            let is_lost = |stage: &Stage| matches!(stage, Stage::Lost(_));
            let Some(Busy { lane, since, stage: Stage::Lost(commands), .. }) = self.take_busy(*offer, is_lost) else {
                continue;
            };
            if self.contest.wants_turn(*offer) {
                self.ask_for_turn(lane, commands, since);
                continue;
            }
            let work = Work { commands, expire: self.is_due(&lane), current: false, since };
            self.fill_and_decide(&lane, work);
        }
        !lost.is_empty()
    }

    pub(super) fn is_due(&self, lane: &Lane) -> bool {
        lane.state.read().offer.is_due(self.shared.now())
    }

    pub(super) fn take_and_decide(&mut self, lane: &Arc<Lane>, expire: bool) {
        if self.contest.wants_turn(lane.number) {
            return self.ask_for_turn(lane.clone(), Vec::new(), Instant::now());
        }
        let work = Work { commands: Vec::new(), expire, current: false, since: Instant::now() };
        self.fill_and_decide(lane, work);
    }

    /// Decides commands, and as many that wait as there is room for.
    pub(super) fn fill_and_decide(&mut self, lane: &Arc<Lane>, mut work: Work) {
        let before = work.commands.len();
        let more = lane.take(self.shared.options.batch.saturating_sub(before), &mut work.commands);
        self.shared.lanes.taken(work.commands.len() - before);
        work.commands.retain(|pending| !pending.is_abandoned());
        self.decide(lane, work, more);
    }

    /// Decides commands on the accepted state. Those that did something fly; of the others, those that need proof wait for
    /// it; the rest is answered.
    pub(super) fn decide(&mut self, lane: &Arc<Lane>, work: Work, more: bool) {
        let Work { commands, expire, current, since } = work;
        // Whoever asks about an order whose time is over is answered by a record that says so, not by this clock.
        let asks = commands.iter().any(|pending| !matches!(pending.command, Command::Expire));
        let expire = expire || (asks && self.is_due(lane));
        let options = &self.shared.options;
        let mut state = lane.state.write();
        let first_seq = state.offer.seq() + 1;
        let prev = state.tail;
        let archive = options.archive.clone();
        let mut turn = Turn::new(lane, &mut state, archive.as_ref(), self.shared.now(), commands.len()).undoable();
        for _ in 0..if expire { EXPIRE_TIMES } else { 0 } {
            // It is about no order, so nothing is read that could fail.
            match turn.decide(&Command::Expire) {
                Ok(Outcome::ReleasedByTime(orders)) if !orders.is_empty() => {}
                _ => break,
            }
        }
        let keys = &self.shared.keys;
        let outcomes: Vec<_> = commands
            .iter()
            .map(|pending| match &pending.command {
                Command::Hold(request) if keys.belongs_to_another(request.order) => Ok(Outcome::KeyReused),
                command => turn.decide(command),
            })
            .collect();
        let Turn { events, recalled, at, undo, .. } = turn;
        if events.is_empty() {
            self.let_leave(lane, &state, recalled);
            drop(state);
            return self.answer_or_prove(lane, commands, outcomes, current, since, more);
        }
        let undo = undo.expect("the turn is undoable");
        let id = self.next_id();
        let (entry, bytes) = next_record(self.record_id(id, at), lane.number, &prev, first_seq, at, events);
        if bytes.len() > topic::LARGEST / 2 {
            state.offer.undo(undo);
            drop(state);
            return self.decide_half(lane, Work { commands, expire, current, since }, more);
        }
        drop(state);
        let sent = self.shared.options.clock.now();
        let began = Instant::now();
        let appended = self.appender.append(id, &topic::key_of(lane.number), &bytes);
        self.gathering.appended(lane.number, commands.len());
        let flight = Flight {
            id,
            entry,
            bytes,
            undo,
            commands,
            outcomes,
            recalled,
            askers: self.barriers.ride(),
            began,
            sent,
            acknowledged: false,
            read: false,
        };
        let busy = Busy { lane: lane.clone(), since, stage: Stage::Flying(Box::new(flight)), more };
        self.busy.insert(lane.number, busy);
        self.flights.insert(id, lane.number);
        if let Err(error) = appended {
            self.give_up(lane.number, &error);
        }
    }

    /// A record that is too large for a message: the first half of its commands goes first.
    fn decide_half(&mut self, lane: &Arc<Lane>, mut work: Work, more: bool) {
        let rest = work.commands.split_off(work.commands.len() / 2);
        if work.commands.is_empty() {
            let error = PortError::Misused("the command is too large for the journal".to_owned());
            let outcomes = rest.iter().map(|_| Err(error.clone())).collect();
            answers(lane, rest, outcomes).give(Some(&self.runtime));
            return self.release(lane.clone(), more);
        }
        // Nothing was decided of the rest, and it has been in the queue: it goes to its front again.
        self.shared.lanes.put_back(lane, rest);
        self.decide(lane, work, true);
    }

    fn answer_or_prove(
        &mut self,
        lane: &Arc<Lane>,
        commands: Vec<Pending>,
        outcomes: Outcomes,
        current: bool,
        since: Instant,
        more: bool,
    ) {
        let (mut told, mut said, mut unproven) = (Vec::new(), Vec::new(), Vec::new());
        for (pending, outcome) in commands.into_iter().zip(outcomes) {
            if current || needs_no_proof(&outcome) {
                told.push(pending);
                said.push(outcome);
            } else {
                unproven.push(pending);
            }
        }
        if !told.is_empty() {
            self.shared.lanes.count(told.len(), 0, 0);
        }
        answers(lane, told, said).give(Some(&self.runtime));
        if unproven.is_empty() {
            return self.release(lane.clone(), more);
        }
        self.barriers.next.lanes.push(lane.number);
        self.busy.insert(lane.number, Busy { lane: lane.clone(), since, stage: Stage::Proving(unproven), more });
    }

    /// The lane waits for nothing any more.
    pub(super) fn release(&mut self, lane: Arc<Lane>, more: bool) {
        self.busy.remove(&lane.number);
        // Its alarm may have rung while it was busy.
        let deadline = lane.state.read().offer.next_deadline();
        self.set_alarm(lane.number, deadline);
        self.contest.give_back(lane.number);
        if more {
            self.shared.lanes.announce(lane);
        }
    }
}
