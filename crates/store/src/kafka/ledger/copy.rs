//! The local copy of the journal: accepted records with their positions, in the same file that the embedded ledger has.
//!
//! Whether a message is a record of the journal depends on every message before it, so nobody can read the topic from the
//! middle without such a copy. With it `entries`, `journal`, `firstcome audit` and a start read old records as they do in
//! one process. It is a cache: written behind, not synced, and made again from the topic when it is missing or does not
//! match.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use firstcome_core::ports::{JournalEntry, PortError};
use parking_lot::{Condvar, Mutex};

use super::shared::Shared;
use crate::lane::Life;
use crate::sqlite::ledger::{Head, Row, WriteError, Writer};

/// Records written together at most.
const CHUNK: usize = 256;
/// How long the first waits for more: a commit costs the same for one as for many, and nobody waits for it.
const LINGER: Duration = Duration::from_millis(25);
/// How often a disk that takes nothing is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// An accepted record and its bytes as the topic has them.
pub(super) type Accepted = (JournalEntry, Vec<u8>);

#[derive(Default)]
struct Waiting {
    records: VecDeque<Accepted>,
    events: usize,
    closed: bool,
}

/// Records on their way to the copy.
#[derive(Default)]
pub(super) struct Keeping {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    kept: AtomicI64,
    /// Events that may wait for more.
    patient: usize,
    /// Why the disk takes nothing at the moment.
    full: Mutex<Option<String>>,
}

impl Keeping {
    /// Nothing waits; the copy has everything up to `position`. When so many events wait, they wait for no more.
    pub(super) fn from(position: i64, patient: usize) -> Self {
        Self { kept: AtomicI64::new(position), patient, ..Self::default() }
    }

    pub(super) fn push(&self, entry: JournalEntry, bytes: Vec<u8>) {
        let mut waiting = self.waiting.lock();
        waiting.events += entry.record.events.len();
        waiting.records.push_back((entry, bytes));
        if waiting.records.len() == 1 || self.is_much(&waiting) {
            self.bell.notify_one();
        }
    }

    /// Events that wait.
    pub(super) fn events(&self) -> usize {
        self.waiting.lock().events
    }

    /// The position up to which everything is in the copy.
    pub(super) fn kept(&self) -> i64 {
        self.kept.load(Ordering::Acquire)
    }

    /// Why the disk takes nothing at the moment, if that is so.
    pub(super) fn full(&self) -> Option<String> {
        self.full.lock().clone()
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.bell.notify_one();
    }

    fn is_much(&self, waiting: &Waiting) -> bool {
        waiting.records.len() >= CHUNK || waiting.events >= self.patient
    }

    fn is_closed(&self) -> bool {
        self.waiting.lock().closed
    }

    /// The next records, in order, some milliseconds' worth; none when there will be none.
    fn take(&self) -> Vec<Accepted> {
        let mut waiting = self.waiting.lock();
        while waiting.records.is_empty() && !waiting.closed {
            self.bell.wait(&mut waiting);
        }
        let until = Instant::now() + LINGER;
        while !self.is_much(&waiting) && !waiting.closed {
            if self.bell.wait_until(&mut waiting, until).timed_out() {
                break;
            }
        }
        let count = waiting.records.len().min(CHUNK);
        waiting.records.drain(..count).collect()
    }

    fn done(&self, entries: &[JournalEntry]) {
        let events: usize = entries.iter().map(|entry| entry.record.events.len()).sum();
        self.waiting.lock().events -= events;
        *self.full.lock() = None;
        if let Some(last) = entries.last() {
            self.kept.store(last.position, Ordering::Release);
        }
    }
}

/// Writes the copy.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    /// Held while the copy is written: there is one process per directory.
    pub(super) _lock: File,
    pub(super) writer: Writer,
    pub(super) head: Head,
}

impl Keeper {
    /// Works until there is nothing left to write, or until the disk fails.
    pub(super) fn run(mut self) {
        loop {
            let records = self.shared.keeping.take();
            if records.is_empty() {
                return;
            }
            if let Err(failure) = self.keep(records) {
                tracing::error!(%failure, "the local copy of the journal cannot be written");
                self.shared.lanes.end(Life::Failed(failure));
                return;
            }
        }
    }

    fn keep(&mut self, records: Vec<Accepted>) -> Result<(), PortError> {
        let (rows, head) = rows(self.head, records);
        while let Err(error) = self.writer.append(&rows) {
            let WriteError::Full(reason) = error else {
                let WriteError::Failed(reason) = error else { return Ok(()) };
                return Err(PortError::Unavailable(format!("the local copy of the journal: {reason}")));
            };
            self.wait_for_space(&reason)?;
        }
        self.head = head;
        let entries: Vec<_> = rows.into_iter().map(|row| row.entry).collect();
        if self.shared.options.writes_archive {
            self.archive(&entries)?;
        }
        self.shared.keeping.done(&entries);
        self.shared.lanes.ring();
        Ok(())
    }

    fn archive(&self, entries: &[JournalEntry]) -> Result<(), PortError> {
        while let Err(error) = self.shared.options.archive.apply(entries) {
            if !error.is_retryable() {
                return Err(error);
            }
            self.wait_for_space(&error.to_string())?;
        }
        if let Some(last) = entries.last() {
            self.shared.lanes.set_archived(last.position);
        }
        Ok(())
    }

    /// Meanwhile the engine applies nothing that does not fit into memory, and so decides nothing.
    fn wait_for_space(&self, reason: &str) -> Result<(), PortError> {
        if self.shared.keeping.full.lock().replace(reason.to_owned()).is_none() {
            tracing::error!(reason, "the disk of the local copy of the journal takes nothing");
        }
        if self.shared.keeping.is_closed() {
            return Err(PortError::StorageFull(reason.to_owned()));
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

/// Records as rows behind `head`, and the head behind them.
pub(super) fn rows(mut head: Head, records: Vec<Accepted>) -> (Vec<Row>, Head) {
    let rows = records.into_iter().map(|(entry, bytes)| {
        head = head.after(entry.position, &entry.hash);
        Row { entry, chain: head.chain, bytes }
    });
    (rows.collect(), head)
}
