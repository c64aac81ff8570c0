//! How much may be tried again: a share of what comes, so that a role in trouble does not get twice the work.

use std::sync::atomic::{AtomicI64, Ordering};

/// What one retry costs.
const RETRY: i64 = 100;
/// Retries that can be saved up, and are there at the start.
const SAVED: i64 = 50;

/// The retries of one role.
pub(super) struct Budget {
    percent: i64,
    saved: AtomicI64,
}

impl Budget {
    /// Of a hundred requests so many may be tried again.
    pub(super) fn new(percent: u32) -> Self {
        let saved = if percent == 0 { 0 } else { SAVED * RETRY };
        Self { percent: percent.into(), saved: AtomicI64::new(saved) }
    }

    /// A request came.
    pub(super) fn earn(&self) {
        // It may go a little over the limit when two come at once.
        if self.saved.load(Ordering::Relaxed) < SAVED * RETRY {
            self.saved.fetch_add(self.percent, Ordering::Relaxed);
        }
    }

    /// Whether one may be tried again.
    pub(super) fn spend(&self) -> bool {
        let take = |saved| (saved >= RETRY).then_some(saved - RETRY);
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_may_be_tried_again() {
        let budget = Budget::new(10);
        let spent = |budget: &Budget| std::iter::repeat_with(|| budget.spend()).take_while(|granted| *granted).count();
        assert_eq!(spent(&budget), 50, "what was saved up");
        for _ in 0..200 {
            budget.earn();
        }
        assert_eq!(spent(&budget), 20);
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!(spent(&budget), 50, "no more is saved up");
        assert!(!Budget::new(0).spend());
    }
}
