//! Whether other processes decide about the same offer, and whose turn it is then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use hashbrown::{HashMap, HashSet};
use tokio::runtime::Handle;

use super::engine::{Busy, Engine, Stage, Work};
use super::shared::Shared;
use crate::lane::{Lane, Pending};

/// Others are at an offer for so long after a record of theirs.
const CONTESTED: Duration = Duration::from_millis(200);
/// Whatever an adviser does, nobody waits longer for it.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Where others are, and which turns are this process'.
pub(super) struct Contest {
    shared: Arc<Shared>,
    runtime: Handle,
    /// When a record of another process was read last.
    others: HashMap<OfferNumber, Instant>,
    own_turns: HashSet<OfferNumber>,
}

impl Contest {
    pub(super) fn new(shared: Arc<Shared>, runtime: Handle) -> Self {
        Self { shared, runtime, others: HashMap::new(), own_turns: HashSet::new() }
    }

    /// A record of another process was read.
    pub(super) fn saw_another(&mut self, offer: OfferNumber) {
        if self.shared.options.turns.is_some() {
            self.others.insert(offer, Instant::now());
        }
    }

    /// Whether to ask before deciding: where nobody else is, nobody has to be asked.
    pub(super) fn wants_turn(&mut self, offer: OfferNumber) -> bool {
        let Some(last) = self.others.get(&offer) else { return false };
        if last.elapsed() > CONTESTED {
            self.others.remove(&offer);
            return false;
        }
        !self.own_turns.contains(&offer)
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
            self.contest.own_turns.insert(offer);
            let work = Work { commands, expire: self.is_due(&lane), current: false, since };
            self.fill_and_decide(&lane, work);
        }
        any
    }
}
