//! Races for an offer's next record, and whose turn it is where one process keeps losing them.
//!
//! A race costs the loser a decision more, some microseconds; to agree whose turn it is costs more than that. So nobody
//! asks for a turn before the same process has lost many times in a row: then the one that lost and the one that won ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use hashbrown::{HashMap, HashSet};
use tokio::runtime::Handle;

use super::engine::{Busy, Engine, Stage, Work};
use super::shared::Shared;
use crate::lane::{Lane, Pending};

/// Whatever an adviser does, nobody waits longer for it.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Races of one offer.
#[derive(Default)]
struct Races {
    /// Lost, since this process' last record that counted.
    lost: u32,
    /// Won, since another process' last record that counted.
    won: u32,
}

/// Where processes race, and which turns are this process'.
pub(super) struct Contest {
    shared: Arc<Shared>,
    runtime: Handle,
    races: HashMap<OfferNumber, Races>,
    own_turns: HashSet<OfferNumber>,
}

impl Contest {
    pub(super) fn new(shared: Arc<Shared>, runtime: Handle) -> Self {
        Self { shared, runtime, races: HashMap::new(), own_turns: HashSet::new() }
    }

    /// Another process' record counted; with `lost`, instead of this one's.
    pub(super) fn another_counted(&mut self, offer: OfferNumber, lost: bool) {
        if lost {
            self.races.entry(offer).or_default().lost += 1;
        }
        if let Some(races) = self.races.get_mut(&offer) {
            races.won = 0;
        }
    }

    /// This process' record counted.
    pub(super) fn own_counted(&mut self, offer: OfferNumber) {
        if let Some(races) = self.races.get_mut(&offer) {
            races.lost = 0;
        }
    }

    /// A record did not count.
    pub(super) fn saw_loser(&mut self, offer: OfferNumber) {
        if self.shared.options.turns.is_some() {
            self.races.entry(offer).or_default().won += 1;
        }
    }

    /// Whether to ask before deciding.
    pub(super) fn wants_turn(&mut self, offer: OfferNumber) -> bool {
        let (Some(races), Some(_)) = (self.races.get(&offer), &self.shared.options.turns) else { return false };
        races.lost.max(races.won) >= self.shared.options.races_in_a_row && !self.own_turns.contains(&offer)
    }

    fn ask(&self, offer: OfferNumber) {
        let Some(turns) = self.shared.options.turns.clone() else { return };
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            // Without an answer it goes on as well: a race that is lost is decided again.
            let _ = tokio::time::timeout(LONGEST_WAIT, turns.take(offer)).await;
            shared.inbox.turn(offer);
            shared.lanes.ring();
        });
    }

    /// The offer waits for nothing any more: others may have it.
    pub(super) fn give_back(&mut self, offer: OfferNumber) {
        if !self.own_turns.remove(&offer) {
            return;
        }
        if let Some(turns) = self.shared.options.turns.clone() {
            self.runtime.spawn(async move {
                let _ = tokio::time::timeout(LONGEST_WAIT, turns.give_back(offer)).await;
            });
        }
    }
}

impl Engine {
    /// Lets an offer wait for this process' turn, and with it these commands.
    pub(super) fn ask_for_turn(&mut self, lane: Arc<Lane>, commands: Vec<Pending>, since: Instant) {
        self.contest.ask(lane.number);
        self.busy.insert(lane.number, Busy { lane, since, stage: Stage::Asking(commands), more: true });
    }

    /// Decides what waited for a turn that has come.
    pub(super) fn take_turns(&mut self) -> bool {
        let turns = self.shared.inbox.take_turns();
        let any = !turns.is_empty();
        for offer in turns {
            if !self.busy.get(&offer).is_some_and(|busy| matches!(busy.stage, Stage::Asking(_))) {
                // What waited was given up meanwhile; the turn ends by itself.
                continue;
            }
            let Some(Busy { lane, since, stage: Stage::Asking(commands), .. }) = self.busy.remove(&offer) else {
                continue;
            };
            self.contest.races.remove(&offer);
            self.contest.own_turns.insert(offer);
            let work = Work { commands, expire: self.is_due(&lane), current: false, since };
            self.fill_and_decide(&lane, work);
        }
        any
    }
}
