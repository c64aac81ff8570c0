//! The last records of the journal in memory, for those who follow it.

use std::collections::VecDeque;

use firstcome_core::ports::JournalEntry;

/// The journal's last entries, as many as hold a number of events.
pub(crate) struct Recent {
    entries: VecDeque<JournalEntry>,
    events: usize,
    bound: usize,
    /// The position after which every entry is here.
    since: i64,
}

impl Recent {
    /// Nothing yet, of a journal that ends at `since`.
    pub(crate) fn new(bound: usize, since: i64) -> Self {
        Self { entries: VecDeque::new(), events: 0, bound, since }
    }

    /// Adds the next entry; the oldest leave.
    pub(crate) fn push(&mut self, entry: JournalEntry) {
        self.events += entry.record.events.len();
        self.entries.push_back(entry);
        while self.events > self.bound {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.events -= oldest.record.events.len();
            self.since = oldest.position;
        }
    }

    /// The entries after `position`, at most `limit`; none when the first of them has left.
    pub(crate) fn after(&self, position: i64, limit: usize) -> Option<Vec<JournalEntry>> {
        if position < self.since {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.position <= position);
        Some(self.entries.range(first..).take(limit).cloned().collect())
    }
}
