//! Orders that are settled and leave memory once the archive has them.

use std::collections::VecDeque;
use std::sync::Arc;

use firstcome_core::ids::OrderId;

use super::Lane;

/// Orders forgotten between two batches at most, so that nobody waits for housekeeping.
const FORGET_AT_MOST: usize = 2_048;

/// Orders that a record settled: they can leave memory once the archive has the record.
pub(crate) struct Settled {
    pub(crate) position: i64,
    pub(crate) lane: Arc<Lane>,
    pub(crate) seq: u64,
    pub(crate) orders: Vec<OrderId>,
}

/// Settled orders in memory, in the order of the journal.
#[derive(Default)]
pub(crate) struct Leaving(VecDeque<Settled>);

impl Leaving {
    pub(crate) fn add(&mut self, settled: impl IntoIterator<Item = Settled>) {
        self.0.extend(settled.into_iter().filter(|settled| !settled.orders.is_empty()));
    }

    /// Forgets orders whose records the archive has. Returns whether there were any. A lane that is busy is left for later:
    /// what it decided may have to be taken back.
    pub(crate) fn forget(&mut self, archived: i64, is_busy: impl Fn(&Lane) -> bool) -> bool {
        let (mut forgotten, mut looked_at) = (0, self.0.len());
        while forgotten < FORGET_AT_MOST && looked_at > 0 && self.0.front().is_some_and(|one| one.position <= archived)
        {
            let Some(settled) = self.0.pop_front() else { break };
            looked_at -= 1;
            if is_busy(&settled.lane) {
                self.0.push_back(settled);
                continue;
            }
            let mut state = settled.lane.state.write();
            for order in &settled.orders {
                state.offer.forget(*order, settled.seq);
            }
            forgotten += settled.orders.len();
        }
        forgotten > 0
    }
}
