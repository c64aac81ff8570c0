//! An index from keys that are spread at random to rows that come one after the other.
//!
//! A B-tree would touch a page at random for every row, and with millions of rows each of them from the disk. Here the
//! latest entries are in memory; when there are enough they are written as one sorted [`Run`], and [`MERGE`] runs of a
//! level become one of the next (a log-structured merge tree: O'Neil et al. 1996). What is in memory is found again from
//! the rows after a restart.

use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, Result};

use super::run::{Entry, Run};

/// Runs of a level that become one of the next.
const MERGE: usize = 8;
/// The highest level. Its runs, of 64 times as many entries as the first, are merged no more: a merge is done by the
/// thread that writes rows, and must not take long.
const TOP: u8 = 2;

type Runs = Arc<Vec<Arc<Run>>>;

#[derive(Default)]
struct State {
    recent: HashTable<Entry>,
    runs: Runs,
}

/// See the [module](self).
pub(super) struct Index {
    purpose: &'static str,
    state: RwLock<State>,
    /// Runs that were merged into others, whose pages someone may be reading still.
    merged: Mutex<Vec<Arc<Run>>>,
}

fn spread(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Index {
    /// The index of this purpose, with the runs that were written.
    pub(super) fn load(connection: &Connection, purpose: &'static str) -> Result<Self> {
        let runs = Arc::new(Run::load(connection, purpose)?.into_iter().map(Arc::new).collect());
        let state = RwLock::new(State { recent: HashTable::new(), runs });
        Ok(Self { purpose, state, merged: Mutex::default() })
    }

    /// Whether rows of a key can be there at all: false is certain. Never touches a disk.
    pub(super) fn may_contain(&self, key: u64) -> bool {
        let state = self.state.read();
        state.recent.find(spread(key), |entry| entry.0 == key).is_some()
            || state.runs.iter().rev().any(|run| run.may_contain(key))
    }

    /// The rows of a key below `before`, the highest first, at most `limit`.
    pub(super) fn find(&self, connection: &Connection, key: u64, before: u64, limit: usize) -> Result<Vec<u64>> {
        let (mut rows, runs) = self.recent_rows(key, before);
        rows.sort_unstable_by(|one, other| other.cmp(one));
        rows.truncate(limit);
        // A later run has later rows.
        for run in runs.iter().rev() {
            if rows.len() >= limit {
                break;
            }
            run.descend(connection, key, before, |row| {
                rows.push(row);
                rows.len() < limit
            })?;
        }
        Ok(rows)
    }

    /// The rows in memory, and the runs of the same moment. The lock is not kept while pages are read: a look-up in memory
    /// must never wait for a disk.
    fn recent_rows(&self, key: u64, before: u64) -> (Vec<u64>, Runs) {
        let state = self.state.read();
        let recent = state.recent.iter_hash(spread(key)).filter(|entry| entry.0 == key && entry.1 < before);
        (recent.map(|entry| entry.1).collect(), state.runs.clone())
    }

    /// Adds entries whose rows are committed.
    pub(super) fn add(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.state.write();
        for entry in entries {
            state.recent.insert_unique(spread(entry.0), entry, |entry| spread(entry.0));
        }
    }

    /// Forgets everything: there are no rows any more.
    pub(super) fn clear(&self) {
        *self.state.write() = State::default();
        self.merged.lock().clear();
    }

    /// Entries in memory.
    pub(super) fn recent(&self) -> usize {
        self.state.read().recent.len()
    }

    /// Writes what is in memory as a run, and merges runs where there are many. Nothing changes for readers before
    /// [`Index::take`] is called with the answer, after the commit.
    pub(super) fn write(&self, connection: &Connection) -> Result<Written> {
        self.remove_merged(connection)?;
        let (mut entries, runs) = {
            let state = self.state.read();
            (state.recent.iter().copied().collect::<Vec<Entry>>(), state.runs.clone())
        };
        entries.sort_unstable();
        let mut kept = runs.len();
        let mut run = Run::write(connection, self.purpose, 0, &entries)?;
        while run.level < TOP {
            let same = runs[..kept].iter().rev().take_while(|other| other.level == run.level).count();
            if same + 1 < MERGE {
                break;
            }
            let merged = &runs[kept - same..kept];
            entries.clear();
            entries.reserve(merged.iter().map(|other| other.len()).sum::<usize>() + run.len());
            for other in merged.iter().map(AsRef::as_ref).chain([&run]) {
                other.read(connection, &mut entries)?;
                other.mark_merged(connection)?;
            }
            entries.sort_unstable();
            kept -= same;
            run = Run::write(connection, self.purpose, run.level + 1, &entries)?;
        }
        Ok(Written { kept, run })
    }

    /// Goes on with what was written.
    pub(super) fn take(&self, Written { kept, run }: Written) {
        let mut state = self.state.write();
        let (stay, merged) = state.runs.split_at(kept);
        self.merged.lock().extend_from_slice(merged);
        state.runs = Arc::new(stay.iter().cloned().chain([Arc::new(run)]).collect());
        state.recent = HashTable::new();
    }

    /// Removes the pages of merged runs that nobody reads any more.
    fn remove_merged(&self, connection: &Connection) -> Result<()> {
        let mut merged = self.merged.lock();
        let (gone, read): (Vec<_>, Vec<_>) = merged.drain(..).partition(|run| Arc::strong_count(run) == 1);
        *merged = read;
        gone.iter().try_for_each(|run| run.remove(connection))
    }
}

/// A run that takes the place of what was in memory, and of runs that were merged into it.
pub(super) struct Written {
    /// Of the runs before, the first so many stay.
    kept: usize,
    run: Run,
}
