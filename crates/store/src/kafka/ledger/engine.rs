//! The one thread that decides: applies what was read, decides what waits, appends, and answers what has landed.
//!
//! At most one record of an offer is under way, so the offer in memory is the accepted one, or ahead of it by that record.
//! While one offer waits for Kafka the others go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::Command;
use firstcome_core::ports::PortError;
use hashbrown::HashMap;
use tokio::runtime::Handle;

use super::accept::Accepted;
use super::barrier::Barriers;
use super::contest::Contest;
use super::flight::{Flight, answers, needs_no_proof};
use super::shared::Shared;
use super::topic::{self, Appender};
use crate::lane::{Alarms, Answers, Lane, Leaving, Life, Pending, Settled, Turn, next_record, settled_orders};

/// A clock that is not the machine's can jump; deadlines are looked at this often at least.
const CLOCK_LOOK: Duration = Duration::from_millis(50);
/// Messages applied before what waits is looked at again.
const READ_AT_MOST: usize = 256;

/// An offer that waits for Kafka.
pub(super) struct Busy {
    pub(super) lane: Arc<Lane>,
    /// Since when its oldest command is tried.
    pub(super) since: Instant,
    pub(super) stage: Stage,
    /// More commands were announced meanwhile.
    pub(super) more: bool,
}

pub(super) enum Stage {
    /// A record is under way.
    Flying(Box<Flight>),
    /// Commands that did nothing wait for proof that what was read is current.
    Proving(Vec<Pending>),
    /// The record lost its race; its commands are to be decided again.
    Lost(Vec<Pending>),
    /// Others are at the offer too: these commands, and those that come meanwhile, wait for this process' turn.
    Asking(Vec<Pending>),
}

/// Commands to be decided together.
pub(super) struct Work {
    pub(super) commands: Vec<Pending>,
    /// Release what is due first.
    pub(super) expire: bool,
    /// What was read is known to be as new as the commands.
    pub(super) current: bool,
    pub(super) since: Instant,
}

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) appender: Appender,
    pub(super) accepted: Accepted,
    pub(super) busy: HashMap<OfferNumber, Busy>,
    pub(super) barriers: Barriers,
    pub(super) contest: Contest,
    pub(super) alarms: Alarms,
    pub(super) leaving: Leaving,
    pub(super) runtime: Handle,
    /// Random, and different for every process.
    pub(super) own: u64,
    pub(super) last_id: usize,
    /// How far this machine's clock is off, if it is.
    pub(super) skewed: Option<String>,
    pub(super) last_probe: Option<Instant>,
}

impl Engine {
    /// Works until the ledger is closed and nothing waits, or until nothing can be concluded from what is in memory.
    pub(super) fn run(mut self) {
        loop {
            // Read before the work is: what was accepted before the closing is still answered.
            let closing = self.shared.lanes.is_closing();
            match self.step() {
                Ok(true) => {}
                Ok(false) if closing && self.busy.is_empty() && self.barriers.is_idle() => {
                    return self.shared.lanes.end(Life::Closed);
                }
                Ok(false) => self.shared.lanes.sleep(self.nap()),
                Err(failure) => {
                    tracing::error!(%failure, "the ledger failed and takes nothing any more");
                    return self.shared.lanes.end(Life::Failed(failure));
                }
            }
        }
    }

    fn step(&mut self) -> Result<bool, PortError> {
        let mut worked = self.take_reports();
        worked |= self.take_reads()?;
        worked |= self.land();
        worked |= self.take_turns();
        self.look_after_kafka();
        worked |= self.decide_again();
        worked |= self.decide_due();
        worked |= self.decide_waiting();
        self.append_barrier();
        let archived = self.shared.lanes.archived();
        let busy = &self.busy;
        Ok(self.leaving.forget(archived, |lane| busy.contains_key(&lane.number)) || worked)
    }

    fn nap(&self) -> Duration {
        let now = self.shared.options.clock.now();
        let alarm = self
            .alarms
            .next()
            .filter(|_| self.shared.trouble().is_none())
            .map(|deadline| deadline.since(now).clamp(Duration::from_millis(1), CLOCK_LOOK));
        let waits = !self.busy.is_empty() || !self.barriers.is_idle() || self.shared.trouble().is_some();
        let look = waits.then_some(CLOCK_LOOK);
        alarm.into_iter().chain(look).min().unwrap_or(Duration::from_secs(1))
    }

    // ---- deciding

    fn decide_due(&mut self) -> bool {
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

    fn decide_waiting(&mut self) -> bool {
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
            self.take_and_decide(&lane, false);
            worked = true;
        }
        worked
    }

    fn decide_again(&mut self) -> bool {
        let lost = |busy: &Busy| matches!(busy.stage, Stage::Lost(_));
        let lost: Vec<_> = self.busy.iter().filter(|(_, busy)| lost(busy)).map(|(offer, _)| *offer).collect();
        for offer in &lost {
            let Some(Busy { lane, since, stage: Stage::Lost(commands), more }) = self.busy.remove(offer) else {
                continue;
            };
            if self.contest.wants_turn(*offer) {
                self.ask_for_turn(lane, commands, since);
                continue;
            }
            let work = Work { commands, expire: self.is_due(&lane), current: false, since };
            self.decide(&lane, work, more);
        }
        !lost.is_empty()
    }

    pub(super) fn is_due(&self, lane: &Lane) -> bool {
        lane.state.read().offer.next_deadline().is_some_and(|deadline| deadline <= self.shared.options.clock.now())
    }

    fn take_and_decide(&mut self, lane: &Arc<Lane>, expire: bool) {
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
        let options = &self.shared.options;
        let mut state = lane.state.write();
        let first_seq = state.offer.seq() + 1;
        let prev = state.tail;
        let archive = options.archive.clone();
        let mut turn = Turn::new(lane, &mut state, archive.as_ref(), options.clock.now(), commands.len()).undoable();
        if expire {
            // It is about no order, so nothing is read that could fail.
            let _ = turn.decide(&Command::Expire);
        }
        let outcomes: Vec<_> = commands.iter().map(|pending| turn.decide(&pending.command)).collect();
        let Turn { events, recalled, at, undo, .. } = turn;
        if events.is_empty() {
            let (seq, orders) = (state.offer.seq(), settled_orders(&state, recalled, &[]));
            let deadline = state.offer.next_deadline();
            drop(state);
            self.set_alarm(lane.number, deadline);
            self.leaving.add([Settled { position: self.shared.lanes.position(), lane: lane.clone(), seq, orders }]);
            return self.answer_or_prove(lane, commands, outcomes, current, since, more);
        }
        let undo = undo.expect("the turn is undoable");
        let (entry, bytes) = next_record(lane.number, &prev, first_seq, at, events);
        if bytes.len() > topic::LARGEST / 2 {
            state.offer.undo(undo);
            drop(state);
            return self.decide_half(lane, Work { commands, expire, current, since }, more);
        }
        drop(state);
        let sent = self.shared.options.clock.now();
        let id = self.next_id();
        let began = Instant::now();
        let appended = self.appender.append(id, &topic::key_of(lane.number), &bytes);
        let flight = Flight {
            id,
            entry,
            bytes,
            undo,
            commands,
            outcomes,
            recalled,
            began,
            sent,
            acknowledged: false,
            read: false,
        };
        let busy = Busy { lane: lane.clone(), since, stage: Stage::Flying(Box::new(flight)), more };
        self.busy.insert(lane.number, busy);
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
        outcomes: super::flight::Outcomes,
        current: bool,
        since: Instant,
        more: bool,
    ) {
        let (mut told, mut said, mut unproven) = (Vec::new(), Vec::new(), Vec::new());
        for (pending, outcome) in commands.into_iter().zip(outcomes) {
            if current || needs_no_proof(&pending.command, &outcome) {
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
        self.contest.give_back(lane.number);
        if more {
            self.shared.lanes.announce(lane);
        }
    }

    // ---- landing

    /// Answers what has landed, and decides again what has been proven current.
    fn land(&mut self) -> bool {
        let landed = |busy: &Busy| matches!(&busy.stage, Stage::Flying(flight) if flight.has_landed());
        let landed: Vec<_> = self.busy.iter().filter(|(_, busy)| landed(busy)).map(|(offer, _)| *offer).collect();
        for offer in &landed {
            let Some(Busy { lane, stage: Stage::Flying(flight), more, .. }) = self.busy.remove(offer) else { continue };
            let Flight { commands, outcomes, entry, .. } = *flight;
            self.shared.lanes.count(commands.len(), 1, entry.record.events.len());
            answers(&lane, commands, outcomes).give(Some(&self.runtime));
            self.release(lane, more);
        }
        let Some(askers) = self.barriers.landed() else { return !landed.is_empty() };
        self.end_trouble();
        for asker in askers.callers {
            let _ = asker.send(Ok(()));
        }
        for offer in askers.lanes {
            let Some(Busy { lane, since, stage: Stage::Proving(commands), more }) = self.busy.remove(&offer) else {
                continue;
            };
            let work = Work { commands, expire: false, current: true, since };
            self.decide(&lane, work, more);
        }
        true
    }

    // ---- reading

    fn take_reports(&mut self) -> bool {
        let reports = self.shared.inbox.take_reports();
        let any = !reports.is_empty();
        for report in reports {
            if let Some(barrier) = self.barriers.under_way.as_mut().filter(|barrier| barrier.id == report.id) {
                match report.failed {
                    None => barrier.acknowledged = true,
                    Some(reason) => self.fail_barrier(&unavailable(&reason)),
                }
                continue;
            }
            let flying = |busy: &&mut Busy| matches!(&busy.stage, Stage::Flying(flight) if flight.id == report.id);
            let Some(busy) = self.busy.values_mut().find(flying) else { continue };
            match (&mut busy.stage, report.failed) {
                (Stage::Flying(flight), None) => flight.acknowledged = true,
                (_, failed) => {
                    let offer = busy.lane.number;
                    self.give_up(offer, &unavailable(&failed.unwrap_or_default()));
                }
            }
        }
        any
    }

    fn take_reads(&mut self) -> Result<bool, PortError> {
        if let Some(failure) = self.shared.inbox.take_lost() {
            return Err(failure);
        }
        let position = self.shared.lanes.position();
        // What the local copy does not have yet must fit into memory.
        let bound = self.shared.options.recent_events / 2;
        let mut count = 0;
        while count < READ_AT_MOST && self.shared.keeping.events() < bound {
            let Some(read) = self.shared.inbox.take_read() else { break };
            self.apply(read)?;
            count += 1;
        }
        if self.shared.lanes.position() > position {
            // Wakes those who wait, now that they find the journal and what it did.
            self.shared.lanes.progress.send_modify(|_| {});
        }
        Ok(count > 0)
    }

    pub(super) fn next_id(&mut self) -> usize {
        self.last_id += 1;
        self.last_id
    }
}

/// Nobody knows what became of it.
pub(super) fn unavailable(reason: &str) -> PortError {
    PortError::Unavailable(format!("Kafka does not take the journal's records: {reason}"))
}

impl Drop for Engine {
    /// However the thread ends, nobody is left waiting and nobody is let in.
    fn drop(&mut self) {
        let unexpected = PortError::Unavailable("the ledger's thread ended unexpectedly".to_owned());
        self.shared.lanes.end(Life::Failed(unexpected));
        self.shared.lanes.shut();
        let ended = self.shared.lanes.ended();
        for (_, busy) in self.busy.drain() {
            if let Stage::Flying(flight) = busy.stage {
                refuse(flight.commands, &ended);
            } else if let Stage::Proving(commands) | Stage::Lost(commands) | Stage::Asking(commands) = busy.stage {
                refuse(commands, &ended);
            }
        }
        // Callers who ask for proof learn it from the closed channel.
        self.shared.askers.lock().clear();
        self.shared.inbox.close();
        self.shared.keeping.close();
    }
}

/// Answers commands with an error.
pub(super) fn refuse(commands: Vec<Pending>, error: &PortError) {
    let mut held = Answers::default();
    for pending in commands {
        held.push(pending.reply, Err(error.clone()));
    }
    held.give(None);
}
