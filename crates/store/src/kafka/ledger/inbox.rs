//! What other threads tell the engine: messages of the journal's topic, and what became of those that were appended.

use std::collections::VecDeque;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::PortError;
use firstcome_core::time::Time;
use parking_lot::{Condvar, Mutex};

/// Messages and their bytes that may wait for the engine; the reader waits then.
const MESSAGES: usize = 4_096;
const BYTES: usize = 32 << 20;

/// A message of the journal's topic.
pub(super) struct Read {
    /// Its offset, plus 1.
    pub(super) position: i64,
    pub(super) key: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    /// When the broker appended it.
    pub(super) appended: Option<Time>,
}

/// What became of a message that was appended.
pub(super) struct Report {
    pub(super) id: usize,
    pub(super) failed: Option<String>,
}

#[derive(Default)]
struct Waiting {
    reads: VecDeque<Read>,
    bytes: usize,
    reports: Vec<Report>,
    /// Offers at which it is this process' turn.
    turns: Vec<OfferNumber>,
    /// Kafka seems to be out of reach.
    unreachable: Option<String>,
    /// The topic is not what it was.
    lost: Option<PortError>,
    closed: bool,
}

#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    space: Condvar,
}

impl Inbox {
    /// Puts a message in; waits while there is no space. Returns false when nobody takes it any more.
    pub(super) fn read(&self, read: Read) -> bool {
        let mut waiting = self.waiting.lock();
        while !waiting.closed && (waiting.reads.len() >= MESSAGES || waiting.bytes >= BYTES) {
            self.space.wait(&mut waiting);
        }
        waiting.bytes += read.bytes.len();
        waiting.reads.push_back(read);
        !waiting.closed
    }

    pub(super) fn report(&self, report: Report) {
        self.waiting.lock().reports.push(report);
    }

    pub(super) fn turn(&self, offer: OfferNumber) {
        self.waiting.lock().turns.push(offer);
    }

    pub(super) fn unreachable(&self, reason: String) {
        self.waiting.lock().unreachable = Some(reason);
    }

    pub(super) fn lost(&self, failure: PortError) {
        self.waiting.lock().lost = Some(failure);
    }

    pub(super) fn take_read(&self) -> Option<Read> {
        let mut waiting = self.waiting.lock();
        let read = waiting.reads.pop_front()?;
        let was_full = waiting.reads.len() + 1 >= MESSAGES || waiting.bytes >= BYTES;
        waiting.bytes -= read.bytes.len();
        if was_full {
            self.space.notify_one();
        }
        Some(read)
    }

    pub(super) fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.waiting.lock().reports)
    }

    pub(super) fn take_turns(&self) -> Vec<OfferNumber> {
        std::mem::take(&mut self.waiting.lock().turns)
    }

    pub(super) fn take_unreachable(&self) -> Option<String> {
        self.waiting.lock().unreachable.take()
    }

    /// Why nothing can be read any more, if that is so. Said after everything that could be read was taken.
    pub(super) fn take_lost(&self) -> Option<PortError> {
        let mut waiting = self.waiting.lock();
        if waiting.reads.is_empty() { waiting.lost.take() } else { None }
    }

    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.space.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting.lock().closed
    }
}
