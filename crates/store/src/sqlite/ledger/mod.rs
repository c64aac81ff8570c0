//! The stock ledger in memory, with its journal in SQLite: the embedded [`StockLedger`].
//!
//! # How a command goes
//! Each offer has a [lane](crate::lane): a bounded queue and the offer's state. One [`engine`] thread serves all lanes, so ten
//! thousand offers cost ten thousand small structs. It takes what waits up to a limit, decides it in order, writes one
//! [record](firstcome_core::ledger::Record) per offer in one SQLite transaction with one sync, notes the synced head in
//! the [`witness`] with another, makes the batch visible and answers. While it syncs, the next batch gathers:
//! the slower the disk, the larger the batch. A fast disk would make many small batches of a crowd, each with its system
//! calls, on cores that the crowd itself needs; so in a crowd a batch begins [`LedgerOptions::gather`] after the one
//! before at the earliest. The next batch is not decided during a
//! sync: syncs are not what limits the lane on two cores.
//!
//! A new hold that would be refused is refused without entering the lane, by the same pure function under a read lock:
//! a sold-out offer costs a look-up. Everything else goes through the lane, because memory may be ahead of the disk.
//!
//! # What leaves memory
//! Once the archive has an entry ([`StockLedger::archived`]), the orders that it settled are forgotten; a command about a
//! forgotten order recalls its hold from the archive first. So memory grows with what is open.
//!
//! # When the disk fails
//! A failed write or sync ends the ledger for good ([`SqliteLedger::failed`]): the process ends and starts again from what
//! is durable. A full disk does not: the batch that did not fit is kept and tried again, and nothing of it is visible before
//! it is durable. Whoever waits for it, or asks about it, gets `Unavailable`, because it may still take effect; until then
//! new commands get `StorageFull`, and nothing is done. Refusals and reading go on.

mod batch;
mod engine;
mod journal;
mod options;
mod shared;
mod start;
#[cfg(feature = "testkit")]
mod stepped;
#[cfg(test)]
mod tests;
mod verify;
mod witness;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Refusal};
use firstcome_core::ports::{JournalEntry, LedgerState, PortError, StockLedger};
use firstcome_core::time::Time;
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use crate::lane::LedgerWork;
pub use options::LedgerOptions;
#[cfg(feature = "cluster")]
pub(crate) use start::{catch_up, check_archive, lock, restore, unusable};
#[cfg(feature = "testkit")]
pub use stepped::{Died, SteppedEngine};
pub use verify::{Verified, VerifyError, verify_journal};
pub use witness::Head;

use engine::Engine;
#[cfg(feature = "cluster")]
pub(crate) use journal::Row;
pub(crate) use journal::{Reader, Stored, WriteError, Writer, open_for_reading};
use shared::{Shared, storage_full, undecided};
pub(crate) use start::Files;
use start::Started;

use crate::lane::{Alarms, Lane, Lanes, Leaving, Life, Room};

/// See the [module](self).
pub struct SqliteLedger {
    shared: Arc<Shared>,
    reader: Arc<Mutex<rusqlite::Connection>>,
    engine: Mutex<Option<std::thread::JoinHandle<()>>>,
    files: Files,
}

impl SqliteLedger {
    /// Opens or creates the ledger of a directory and starts it. Blocks until everything is loaded and checked; an
    /// altered or shortened journal is refused with [`PortError::Corrupt`], which names the place.
    ///
    /// Called within a Tokio runtime, answers are given from there.
    pub fn open(options: LedgerOptions) -> Result<Arc<Self>, PortError> {
        let (ledger, engine) = Self::open_by_hand(options)?;
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || engine.run());
        let thread = thread.map_err(|error| PortError::Unavailable(format!("no thread for the ledger: {error}")))?;
        *ledger.engine.lock() = Some(thread);
        Ok(Arc::new(ledger))
    }

    /// The ledger and its engine, which does nothing yet.
    fn open_by_hand(options: LedgerOptions) -> Result<(Self, Engine), PortError> {
        let Started { lock, writer, witness, head, lanes } = start::start(&options)?;
        let files = Files::in_directory(&options.directory);
        let reader = open_for_reading(&files.journal).map_err(|error| files.unreadable(&error))?;
        let mut alarms = Alarms::default();
        for lane in lanes.values() {
            alarms.set(lane.number, lane.state.read().offer.next_deadline());
        }
        let room = Room { queue: options.queue, total: options.queue_total };
        let lanes = Lanes::new(lanes, head.position, room, options.recent_events);
        let shared = Arc::new(Shared { options, lanes, full: AtomicBool::new(false) });
        let engine = Engine {
            shared: shared.clone(),
            _lock: lock,
            writer,
            witness,
            head,
            alarms,
            leaving: Leaving::default(),
            runtime: tokio::runtime::Handle::try_current().ok(),
            commands: Vec::new(),
            stuck: None,
            crowd: None,
        };
        let reader = Arc::new(Mutex::new(reader));
        Ok((Self { shared, reader, engine: Mutex::new(None), files }, engine))
    }

    /// The journal's file.
    pub fn journal_path(&self) -> &std::path::Path {
        &self.files.journal
    }

    /// Every offer that the ledger knows, in order of number.
    pub fn offers(&self) -> Vec<OfferNumber> {
        self.shared.lanes.offers()
    }

    /// Holds in memory, of all offers.
    pub fn holds_in_memory(&self) -> usize {
        self.shared.lanes.holds_in_memory()
    }

    /// What has been done since the start.
    pub fn work(&self) -> LedgerWork {
        self.shared.lanes.work()
    }

    /// Whether the disk takes no more at the moment.
    pub fn is_full(&self) -> bool {
        self.shared.is_full()
    }

    /// Returns when the ledger has failed for good, with the reason. The process must end then: memory is ahead of the
    /// disk. Never returns for a ledger that is closed in order.
    pub async fn failed(&self) -> PortError {
        self.shared.lanes.failed().await
    }

    /// Takes nothing any more, decides and answers what waits, and returns when all is durable. Blocks for a moment.
    pub fn close(&self) {
        self.shared.lanes.close();
        if let Some(thread) = self.engine.lock().take() {
            // A thread that panicked has marked the ledger as failed already.
            let _ = thread.join();
        }
    }

    /// The refusal of a new hold, if that is what the lane would answer now.
    fn refusal(&self, lane: &Lane, command: &Command, request: &HoldRequest) -> Option<Refusal> {
        let state = lane.state.read();
        if state.offer.hold(request.order).is_some() {
            return None;
        }
        let now = self.shared.options.clock.now();
        let Outcome::Refused(refusal) = state.offer.decide(command, now, &mut Vec::new()) else { return None };
        // A forgotten hold must be recalled before its order is refused. Asked last: refusals are the common case only
        // when there are many.
        (!self.shared.options.archive.may_contain(request.order.key_hash())).then_some(refusal)
    }

    /// Waits until an event of the lane is durable.
    async fn durable(&self, lane: &Lane, seq: u64) -> Result<(), PortError> {
        let mut progress = self.shared.lanes.progress.subscribe();
        while lane.durable_seq() < seq {
            if self.shared.is_full() {
                return Err(undecided());
            }
            if !matches!(progress.borrow_and_update().life, Life::Serving) {
                return Err(self.shared.lanes.ended());
            }
            let changed = tokio::time::timeout(std::time::Duration::from_millis(200), progress.changed()).await;
            if let Ok(Err(_)) = changed {
                return Err(self.shared.lanes.ended());
            }
        }
        Ok(())
    }

    /// A hold that has left memory. A point read takes a few microseconds, a hop to another thread fifteen to twenty: it
    /// runs where it is called.
    fn find_archived(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        let archive = &self.shared.options.archive;
        if archive.may_contain(order.key_hash()) { archive.hold(order.home(), order) } else { Ok(None) }
    }

    /// Reads the journal's file on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, PortError> {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || work(&Reader(&reader.lock())));
        let read =
            read.await.map_err(|_| PortError::Unavailable("the reading of the journal was given up".to_owned()))?;
        read.map_err(|error| self.files.unreadable(&error))
    }

    fn entries_of(&self, rows: &[Stored]) -> Result<Vec<JournalEntry>, PortError> {
        rows.iter().map(|row| row.open().map_err(|reason| self.files.corrupt(&reason))).collect()
    }
}

/// Whether a command is about an order of which something was decided that is not durable.
fn waits_for_space(lane: &Lane, command: &Command) -> bool {
    let Some(order) = command.order() else { return false };
    lane.state.read().offer.hold(order).is_some_and(|hold| hold.seq > lane.durable_seq())
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl StockLedger for SqliteLedger {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        let lane = match (&command, self.shared.lanes.get(offer)) {
            (_, Some(lane)) => lane,
            (Command::SetTerms(_), None) => self.shared.lanes.get_or_new(offer),
            (Command::Expire, None) => return Ok(Outcome::ReleasedByTime(Vec::new())),
            (_, None) => return Ok(Outcome::Refused(Refusal::UnknownOffer)),
        };
        match &command {
            Command::Hold(request) => {
                if let Some(refusal) = self.refusal(&lane, &command, request) {
                    lane.count_refusal(&refusal);
                    return Ok(Outcome::Refused(refusal));
                }
            }
            Command::SetTerms(terms) => {
                terms.check().map_err(|error| PortError::Misused(error.to_string()))?;
                if terms.offer.number() != offer {
                    return Err(PortError::Misused(format!("the terms of {} are not for offer {offer}", terms.offer)));
                }
            }
            _ => {}
        }
        if self.shared.is_full() {
            return Err(if waits_for_space(&lane, &command) { undecided() } else { storage_full() });
        }
        let (reply, answer) = oneshot::channel();
        self.shared.lanes.submit(&lane, command, reply)?;
        answer.await.unwrap_or_else(|_| Err(self.shared.lanes.ended()))
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        let Some(lane) = self.shared.lanes.get(order.home()) else { return Ok(None) };
        let hold = lane.state.read().offer.hold(order).cloned();
        let Some(hold) = hold else { return self.find_archived(order) };
        self.durable(&lane, hold.seq).await?;
        Ok(Some(hold))
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        Ok(self.shared.lanes.get(offer).and_then(|lane| lane.durable_state()))
    }

    async fn would_refuse(
        &self,
        offer: OfferNumber,
        request: &HoldRequest,
        now: Time,
    ) -> Result<Option<Refusal>, PortError> {
        let lane = self.shared.lanes.get(offer);
        Ok(lane.map_or(Some(Refusal::UnknownOffer), |lane| lane.state.read().offer.would_refuse(request, now)))
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let to = self.shared.lanes.position();
        let rows = self.read(move |reader| reader.of_offer(offer, from_seq, to, limit)).await?;
        self.entries_of(&rows)
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let to = self.shared.lanes.position();
        if after >= to {
            return Ok(Vec::new());
        }
        if let Some(recent) = self.shared.lanes.recent.lock().after(after, limit) {
            return Ok(recent);
        }
        let read = move |reader: &Reader<'_>| {
            let mut rows = Vec::new();
            reader.after(after, to, limit, |row| {
                rows.push(row);
                Ok::<_, rusqlite::Error>(())
            })?;
            Ok(rows)
        };
        let rows = self.read(read).await?;
        self.entries_of(&rows)
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.shared.lanes.wait(after).await
    }

    fn archived(&self, position: i64) {
        self.shared.lanes.set_archived(position);
    }
}
