//! Waiting a moment for more commands of an offer that many want.
//!
//! A record costs Kafka and every process that reads it about the same, whether it says one thing or a hundred. So an engine
//! whose last record of an offer had several commands waits as long as more keep coming, but only for a moment. An offer
//! that one person at a time wants does not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use hashbrown::HashSet;

use super::engine::Engine;
use crate::lane::Lane;

/// When nobody came for so long, nobody is waited for. The engine sleeps in between, and no command wakes it.
pub(super) const LOOK: Duration = Duration::from_micros(500);

/// An offer for whose commands the engine waits.
struct Open {
    lane: Arc<Lane>,
    since: Instant,
    looked: Instant,
    /// Commands that waited then.
    seen: usize,
}

impl Open {
    fn is_over(&mut self, at_most: Duration, batch: usize) -> bool {
        if self.since.elapsed() >= at_most {
            return true;
        }
        if self.looked.elapsed() < LOOK {
            return false;
        }
        let waiting = self.lane.waiting();
        let over = waiting <= self.seen || waiting >= batch;
        (self.looked, self.seen) = (Instant::now(), waiting);
        over
    }
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Gathering {
    /// Offers whose last record had several commands.
    busy: HashSet<OfferNumber>,
    open: Vec<Open>,
}

impl Gathering {
    /// A record of so many commands was appended.
    pub(super) fn appended(&mut self, offer: OfferNumber, commands: usize) {
        if commands > 1 {
            self.busy.insert(offer);
        } else {
            self.busy.remove(&offer);
        }
    }

    /// Whether nothing is waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Begins to wait for more commands of an offer, if that is worth it.
    fn begin(&mut self, lane: &Arc<Lane>) -> bool {
        let waits = self.busy.contains(&lane.number);
        if waits {
            let now = Instant::now();
            self.open.push(Open { lane: lane.clone(), since: now, looked: now, seen: lane.waiting() });
        }
        waits
    }

    /// Offers for which nobody comes any more, or that have waited for so long.
    fn take(&mut self, at_most: Duration, batch: usize) -> Vec<Arc<Lane>> {
        self.open.extract_if(.., |open| open.is_over(at_most, batch)).map(|open| open.lane).collect()
    }
}

impl Engine {
    /// Lets an offer wait for more commands. Not while the ledger closes.
    pub(super) fn gather(&mut self, lane: &Arc<Lane>) -> bool {
        !self.shared.options.gather.is_zero() && !self.shared.lanes.is_closing() && self.gathering.begin(lane)
    }

    /// Decides what has waited for more; in trouble it is told so with the others.
    pub(super) fn decide_gathered(&mut self) -> bool {
        let in_trouble = self.shared.trouble().is_some();
        let at_once = in_trouble || self.shared.lanes.is_closing();
        let options = &self.shared.options;
        let lanes = self.gathering.take(if at_once { Duration::ZERO } else { options.gather }, options.batch);
        let any = !lanes.is_empty();
        for lane in lanes {
            if in_trouble {
                self.shared.lanes.announce(lane);
            } else if let Some(busy) = self.busy.get_mut(&lane.number) {
                busy.more = true;
            } else {
                self.take_and_decide(&lane, false);
            }
        }
        any
    }
}
