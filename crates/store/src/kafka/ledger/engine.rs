//! The one thread that decides: applies what was read, decides what waits, appends, and answers what has landed.
//!
//! At most one record of an offer is under way, so the offer in memory is the accepted one, or ahead of it by that record.
//! While one offer waits for Kafka the others go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::{EventId, OfferNumber};
use firstcome_core::ports::PortError;
use firstcome_core::time::Time;
use hashbrown::HashMap;
use tokio::runtime::Handle;

use super::accept::Accepted;
use super::append::Appender;
use super::barrier::Barriers;
use super::contest::Contest;
use super::flight::Flight;
use super::gather::{self, Gathering};
use super::shared::Shared;
use crate::lane::{Alarms, Answers, Lane, Leaving, Life, Pending};

/// A clock that is not the machine's can jump; deadlines are looked at this often at least.
const CLOCK_LOOK: Duration = Duration::from_millis(50);

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
    /// The offers of records under way, by the names of their messages.
    pub(super) flights: HashMap<usize, OfferNumber>,
    /// Offers whose records have landed.
    pub(super) landed: Vec<OfferNumber>,
    /// Offers whose records have lost their race.
    pub(super) lost: Vec<OfferNumber>,
    pub(super) barriers: Barriers,
    pub(super) contest: Contest,
    pub(super) gathering: Gathering,
    pub(super) alarms: Alarms,
    pub(super) leaving: Leaving,
    pub(super) runtime: Handle,
    /// Random, and different for every process.
    pub(super) own: u64,
    pub(super) last_id: usize,
    /// How far this machine's clock is off, if it is.
    pub(super) skewed: Option<String>,
    pub(super) last_probe: Option<Instant>,
    pub(super) last_look: Instant,
}

impl Engine {
    /// Works until the ledger is closed and nothing waits, or until nothing can be concluded from what is in memory.
    pub(super) fn run(mut self) {
        loop {
            // Read before the work is: what was accepted before the closing is still answered.
            let closing = self.shared.lanes.is_closing();
            match self.step() {
                Ok(true) => {}
                Ok(false) if closing && self.is_idle() => {
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
        worked |= self.decide_gathered();
        worked |= self.decide_waiting();
        self.append_barrier();
        let archived = self.shared.lanes.archived();
        self.shared.keys.forget(archived);
        let busy = &self.busy;
        Ok(self.leaving.forget(archived, |lane| busy.contains_key(&lane.number)) || worked)
    }

    fn is_idle(&self) -> bool {
        self.busy.is_empty() && self.barriers.is_idle() && self.gathering.is_idle()
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
        let gathered = (!self.gathering.is_idle()).then_some(gather::LOOK);
        alarm.into_iter().chain(look).chain(gathered).min().unwrap_or(Duration::from_secs(1))
    }

    /// Takes an offer that waits like this.
    pub(super) fn take_busy(&mut self, offer: OfferNumber, wanted: impl Fn(&Stage) -> bool) -> Option<Busy> {
        let is_wanted = self.busy.get(&offer).is_some_and(|busy| wanted(&busy.stage));
        is_wanted.then(|| self.busy.remove(&offer)).flatten()
    }

    /// The name of a record: no two processes write the same bytes, so nobody takes another's record for its own.
    pub(super) fn record_id(&self, id: usize, at: Time) -> EventId {
        let mut free = [0; 10];
        free[..8].copy_from_slice(&self.own.wrapping_add(id as u64).to_be_bytes());
        free[8..].copy_from_slice(&(id as u16).to_be_bytes());
        EventId::at(at, free)
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
        *self.shared.askers.lock() = None;
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
