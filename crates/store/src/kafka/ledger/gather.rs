//! Waiting a moment for more commands of an offer that many want.
//!
//! A record costs every process of the shop and Kafka about the same, whether it says one thing or a hundred. So an engine
//! whose last record of an offer had many commands waits until as many are there again, but only for a moment. An offer
//! that one person at a time wants does not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use hashbrown::HashMap;

use super::engine::Engine;
use crate::lane::Lane;

/// How often an offer that waits is looked at: the engine sleeps in between, and no command wakes it.
pub(super) const LOOK: Duration = Duration::from_micros(500);

/// An offer for whose commands the engine waits.
struct Open {
    lane: Arc<Lane>,
    wanted: usize,
    since: Instant,
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Gathering {
    /// How many commands the last record of each offer had.
    sizes: HashMap<OfferNumber, usize>,
    open: Vec<Open>,
}

impl Gathering {
    /// A record of so many commands was appended.
    pub(super) fn appended(&mut self, offer: OfferNumber, commands: usize) {
        self.sizes.insert(offer, commands);
    }

    /// Whether nothing is waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Begins to wait for more commands of an offer, if that is worth it.
    fn begin(&mut self, lane: &Arc<Lane>) -> bool {
        let wanted = self.sizes.get(&lane.number).copied().unwrap_or_default();
        let waits = wanted > 1 && lane.waiting() < wanted;
        if waits {
            self.open.push(Open { lane: lane.clone(), wanted, since: Instant::now() });
        }
        waits
    }

    /// Offers that have what was waited for, or have waited for so long.
    fn take(&mut self, at_most: Duration) -> Vec<Arc<Lane>> {
        let is_over = |open: &mut Open| open.since.elapsed() >= at_most || open.lane.waiting() >= open.wanted;
        self.open.extract_if(.., is_over).map(|open| open.lane).collect()
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
        let lanes = self.gathering.take(if at_once { Duration::ZERO } else { self.shared.options.gather });
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
