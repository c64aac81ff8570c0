//! The last records of the journal in memory, for those who follow it.

use std::collections::VecDeque;

use firstcome_core::ports::JournalEntry;

/// Entries with consecutive positions, as many as hold a number of events.
pub(super) struct Recent {
    entries: VecDeque<JournalEntry>,
    events: usize,
    bound: usize,
}

impl Recent {
    pub(super) fn new(bound: usize) -> Self {
        Self { entries: VecDeque::new(), events: 0, bound }
    }

    /// Adds the next entry; the oldest leave.
    pub(super) fn push(&mut self, entry: JournalEntry) {
        self.events += entry.record.events.len();
        self.entries.push_back(entry);
        while self.events > self.bound {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.events -= oldest.record.events.len();
        }
    }

    /// The entries after `position`, at most `limit`; none when the first of them has left.
    pub(super) fn after(&self, position: i64, limit: usize) -> Option<Vec<JournalEntry>> {
        let first = self.entries.front()?.position;
        let skip = usize::try_from(position + 1 - first).ok()?;
        Some(self.entries.range(skip.min(self.entries.len())..).take(limit).cloned().collect())
    }
}
