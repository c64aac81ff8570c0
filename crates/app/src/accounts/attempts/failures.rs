//! How many attempts failed lately, by what they are counted by, and how long the next one waits.

use std::time::Duration;

use firstcome_core::time::Time;
use quick_cache::sync::Cache;

/// After so long without a failure all is forgotten.
pub(super) const FORGIVEN_AFTER: Duration = Duration::from_mins(15);

/// Digest of what failures are counted by.
pub(super) type Key = [u8; 32];

/// How failures of one kind slow down.
pub(super) struct Kind {
    /// Failures that cost nothing.
    pub(super) free: u32,
    /// The longest wait; each failure doubles it up to here.
    pub(super) longest: Duration,
}

impl Kind {
    fn wait_after(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None | Some(0) => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << over.min(16)).min(self.longest),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Count {
    failures: u32,
    last: Time,
}

/// An attempt that counts as failed until it is given back.
pub(super) struct Reserved {
    key: Key,
    at: Time,
    last_before: Time,
}

/// The counts, of which the least used are forgotten. Whoever checks and then reserves holds a lock meanwhile.
pub(super) struct Failures(Cache<Key, Count>);

impl Failures {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    fn get(&self, key: &Key, now: Time) -> Count {
        self.0.get(key).filter(|count| now.since(count.last) < FORGIVEN_AFTER).unwrap_or_default()
    }

    /// When the next attempt may begin.
    pub(super) fn blocked_until(&self, kind: &Kind, key: &Key, now: Time) -> Time {
        let count = self.get(key, now);
        count.last + kind.wait_after(count.failures)
    }

    /// An attempt begins.
    pub(super) fn reserve(&self, key: Key, now: Time) -> Reserved {
        let Count { failures, last } = self.get(&key, now);
        self.0.insert(key, Count { failures: failures.saturating_add(1), last: now });
        Reserved { key, at: now, last_before: last }
    }

    /// It did not fail: all is as if it had not been.
    pub(super) fn give_back(&self, reserved: &Reserved) {
        if let Some(Count { failures, last }) = self.0.get(&reserved.key) {
            let last = if last == reserved.at { reserved.last_before } else { last };
            self.0.insert(reserved.key, Count { failures: failures.saturating_sub(1), last });
        }
    }

    /// Forgets all failures of a key.
    pub(super) fn forget(&self, key: &Key) {
        self.0.remove(key);
    }
}
