//! What a running sale counts.

use std::sync::atomic::{AtomicU64, Ordering};

use firstcome_core::ledger::Refusal;
use firstcome_core::ports::{LiveCounters, RefusedCounts};

/// [`LiveCounters`] while they count.
#[derive(Default)]
pub(super) struct Counters {
    sold_out: AtomicU64,
    over_limit: AtomicU64,
    too_many: AtomicU64,
    not_open_yet: AtomicU64,
    closed: AtomicU64,
    frozen: AtomicU64,
    pub(super) granted: AtomicU64,
}

impl Counters {
    pub(super) fn refuse(&self, refusal: &Refusal) {
        let counter = match refusal {
            Refusal::UnknownOffer => return,
            Refusal::Frozen => &self.frozen,
            Refusal::Closed => &self.closed,
            Refusal::NotOpenYet { .. } => &self.not_open_yet,
            Refusal::TooMany { .. } => &self.too_many,
            Refusal::OverLimit { .. } => &self.over_limit,
            Refusal::SoldOut { .. } => &self.sold_out,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> LiveCounters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused = RefusedCounts {
            sold_out: of(&self.sold_out),
            over_limit: of(&self.over_limit),
            too_many: of(&self.too_many),
            not_open_yet: of(&self.not_open_yet),
            closed: of(&self.closed),
            frozen: of(&self.frozen),
        };
        LiveCounters { refused, granted: of(&self.granted) }
    }
}
