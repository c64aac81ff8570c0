//! The stock ledger of a cluster: its journal is one topic of Apache Kafka, and any number of processes decide.
//!
//! # How a command goes
//! Each process reads the topic and keeps every offer in memory as the [accepted](accept) records say. Its [`engine`]
//! decides what waits for an offer on top of that, appends the record, and goes on when the record is both acknowledged and
//! read back. If another process' record comes first in the topic, every reader skips ours: it is taken back, the other is
//! applied, and the same commands are decided again. So the order of the topic is the only arbiter; there is no leader, no
//! lock and no epoch, and any process serves any offer.
//!
//! An outcome without an event is answered when the state that it was decided on is known to be current: beside a record
//! that counted, or after a [`barrier`]. Only the refusal of a new hold is answered at once.
//!
//! # What can fail
//! - **Kafka does not answer**: what waits is answered [`PortError::Unavailable`] after [`KafkaLedgerOptions::patience`],
//!   taken back, and from then on at once until a barrier comes through. A record that turns up later and counts is applied
//!   like another's.
//! - **The clocks are apart**: nothing is decided until they are not; see [`KafkaLedgerOptions::skew`].
//! - **The topic is not what it was**: the ledger [fails](KafkaLedger::failed), the process ends, and the next start makes
//!   the [local copy](copy) and the archive again.

mod accept;
mod adopt;
mod apply;
mod barrier;
mod copy;
mod engine;
mod flight;
mod inbox;
mod options;
mod shared;
mod start;
#[cfg(test)]
mod tests;
mod topic;
mod trouble;
mod turns;
mod verify;

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Refusal};
use firstcome_core::ports::{JournalEntry, LedgerState, PortError, StockLedger};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use crate::lane::LedgerWork;
pub use adopt::AdoptedJournal;
pub use options::KafkaLedgerOptions;
pub use turns::Turns;
pub use verify::{VerifiedTopic, verify_topic};

use crate::kafka::topics;
use crate::lane::{Alarms, Lane, Lanes, Leaving, Life, Room};
use crate::sqlite::ledger::{Files, Reader, Stored, open_for_reading};
use barrier::Barriers;
use copy::{Keeper, Keeping};
use engine::Engine;
use inbox::Inbox;
use shared::Shared;
use start::Started;
use topic::{Appender, JOURNAL};

/// See the [module](self).
pub struct KafkaLedger {
    shared: Arc<Shared>,
    reader: Arc<Mutex<rusqlite::Connection>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    files: Files,
}

impl KafkaLedger {
    /// Opens the ledger, creates its topic where there is none, and catches up with it before it serves.
    pub async fn open(options: KafkaLedgerOptions) -> Result<Arc<Self>, PortError> {
        topics::ensure(&options.kafka, JOURNAL).await?;
        let runtime = Handle::current();
        let opened = tokio::task::spawn_blocking(move || Self::start(options, runtime)).await;
        let ledger = Arc::new(opened.map_err(|_| PortError::Unavailable("the start was given up".to_owned()))??);
        // Whether Kafka takes records and the clocks agree. If not, the ledger says so to whoever asks, until it is mended.
        if let Err(error) = ledger.current().await {
            tracing::error!(%error, "the ledger starts without being able to decide");
        }
        Ok(ledger)
    }

    fn start(options: KafkaLedgerOptions, runtime: Handle) -> Result<Self, PortError> {
        let Started { lock, files, writer, head, lanes, accepted, consumer } = start::start(&options)?;
        let reader = open_for_reading(&files.journal).map_err(|error| files.unreadable(&error))?;
        let room = Room { queue: options.queue, total: options.queue_total };
        let shared = Arc::new(Shared {
            lanes: Lanes::new(lanes, head.position, room, options.recent_events),
            inbox: Inbox::default(),
            keeping: Keeping::from(head.position),
            trouble: RwLock::default(),
            askers: Mutex::default(),
            races_lost: AtomicU64::new(0),
            options,
        });
        let mut engine = Engine {
            appender: Appender::new(shared.clone())?,
            shared: shared.clone(),
            accepted,
            busy: hashbrown::HashMap::new(),
            barriers: Barriers::default(),
            alarms: Alarms::default(),
            leaving: Leaving::default(),
            runtime,
            own: std::hash::RandomState::new().build_hasher().finish(),
            last_id: 0,
            skewed: None,
            last_probe: None,
        };
        for lane in shared.lanes.all() {
            let deadline = lane.state.read().offer.next_deadline();
            engine.set_alarm(lane.number, deadline);
        }
        let keeper = Keeper { shared: shared.clone(), _lock: lock, writer, head };
        let follower = shared.clone();
        let threads = vec![
            spawn("ledger", move || engine.run())?,
            spawn("ledger.copy", move || keeper.run())?,
            spawn("ledger.read", move || topic::follow(&follower, &consumer))?,
        ];
        Ok(Self { shared, reader: Arc::new(Mutex::new(reader)), threads: Mutex::new(threads), files })
    }

    /// The file of the local copy of the journal.
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

    /// Records of this process that lost a race and were decided again, since the start.
    pub fn races_lost(&self) -> u64 {
        self.shared.races_lost.load(Ordering::Relaxed)
    }

    /// Why nothing can be decided for now, if that is so.
    pub fn trouble(&self) -> Option<PortError> {
        self.shared.trouble()
    }

    /// Returns when the ledger has failed for good, with the reason. The process must end then: nothing may be concluded
    /// from what is in memory. Never returns for a ledger that is closed in order.
    pub async fn failed(&self) -> PortError {
        self.shared.lanes.failed().await
    }

    /// Takes nothing any more, decides and answers what waits, and returns when all is written. Blocks for a moment.
    pub fn close(&self) {
        self.shared.lanes.close();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has marked the ledger as failed already.
            let _ = thread.join();
        }
    }

    /// Returns when everything that was acknowledged to anyone before is read here.
    async fn current(&self) -> Result<(), PortError> {
        let (asker, answer) = oneshot::channel();
        {
            let mut askers = self.shared.askers.lock();
            if askers.len() >= self.shared.options.queue_total {
                return Err(PortError::Overloaded);
            }
            askers.push(asker);
        }
        self.shared.lanes.ring();
        answer.await.unwrap_or_else(|_| Err(self.shared.lanes.ended()))
    }

    /// The refusal of a new hold, if that is what is known already.
    fn refusal(&self, lane: &Lane, command: &Command, request: &HoldRequest) -> Option<Refusal> {
        let state = lane.state.read();
        if state.offer.hold(request.order).is_some() {
            return None;
        }
        let now = self.shared.options.clock.now();
        let Outcome::Refused(refusal) = state.offer.decide(command, now, &mut Vec::new()) else { return None };
        // A record that is under way may be taken back, and with it what refuses.
        if state.offer.seq() != lane.durable_seq() && !lane.confirms(&refusal, request.quantity) {
            return None;
        }
        // A forgotten hold must be recalled before its order is refused. Asked last: refusals are the common case only
        // when there are many.
        (!self.shared.options.archive.may_contain(request.order.key_hash())).then_some(refusal)
    }

    /// The lane of an offer that is not known here: it may have been made elsewhere a moment ago.
    async fn lane_made_elsewhere(&self, offer: OfferNumber) -> Result<Option<Arc<Lane>>, PortError> {
        self.current().await?;
        Ok(self.shared.lanes.get(offer))
    }

    /// The accepted hold of an order, from memory or from the archive.
    async fn look_up(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        let Some(lane) = self.shared.lanes.get(order.home()) else { return Ok(None) };
        let mut progress = self.shared.lanes.progress.subscribe();
        loop {
            progress.mark_unchanged();
            {
                let state = lane.state.read();
                match state.offer.hold(order) {
                    None => break,
                    Some(hold) if hold.seq <= lane.durable_seq() => return Ok(Some(hold.clone())),
                    // Its record is under way, and may be taken back.
                    Some(_) => {}
                }
            }
            if let Some(trouble) = self.shared.trouble() {
                return Err(trouble);
            }
            if !matches!(progress.borrow().life, Life::Serving) {
                return Err(self.shared.lanes.ended());
            }
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), progress.changed()).await;
        }
        let archive = Arc::clone(&self.shared.options.archive);
        if !archive.may_contain(order.key_hash()) {
            return Ok(None);
        }
        let found = tokio::task::spawn_blocking(move || archive.hold(order.home(), order)).await;
        found.map_err(|_| PortError::Unavailable("the reading of the archive was given up".to_owned()))?
    }

    /// Reads the copy's file on a thread that may block.
    async fn read(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<Vec<Stored>, rusqlite::Error> + Send + 'static,
    ) -> Result<Vec<JournalEntry>, PortError> {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || work(&Reader(&reader.lock())));
        let read =
            read.await.map_err(|_| PortError::Unavailable("the reading of the journal was given up".to_owned()))?;
        let rows = read.map_err(|error| self.files.unreadable(&error))?;
        rows.iter().map(|row| row.open().map_err(|reason| self.files.corrupt(&reason))).collect()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, PortError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| PortError::Unavailable(format!("no thread for the ledger: {error}")))
}

impl Drop for KafkaLedger {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl StockLedger for KafkaLedger {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        let lane = match (&command, self.shared.lanes.get(offer)) {
            (_, Some(lane)) => lane,
            (Command::SetTerms(_), None) => self.shared.lanes.get_or_new(offer),
            (_, None) => match (self.lane_made_elsewhere(offer).await?, &command) {
                (Some(lane), _) => lane,
                (None, Command::Expire) => return Ok(Outcome::ReleasedByTime(Vec::new())),
                (None, _) => return Ok(Outcome::Refused(Refusal::UnknownOffer)),
            },
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
        if let Some(trouble) = self.shared.trouble() {
            return Err(trouble);
        }
        let (reply, answer) = oneshot::channel();
        self.shared.lanes.submit(&lane, command, reply)?;
        answer.await.unwrap_or_else(|_| Err(self.shared.lanes.ended()))
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        if let Some(hold) = self.look_up(order).await? {
            return Ok(Some(hold));
        }
        // Another process may have granted it a moment ago.
        self.current().await?;
        self.look_up(order).await
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        let lane = match self.shared.lanes.get(offer) {
            None => self.lane_made_elsewhere(offer).await?,
            lane => lane,
        };
        Ok(lane.and_then(|lane| lane.durable_state()))
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let kept = self.shared.keeping.kept();
        let mut entries = self.read(move |reader| reader.of_offer(offer, from_seq, kept, limit)).await?;
        // What the copy does not have yet is in memory.
        let later = self.shared.lanes.recent.lock().after(kept, usize::MAX).unwrap_or_default();
        let wanted = |entry: &JournalEntry| entry.record.offer == offer && entry.record.last_seq() >= from_seq;
        let room = limit.saturating_sub(entries.len());
        entries.extend(later.into_iter().filter(wanted).take(room));
        Ok(entries)
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let to = self.shared.lanes.position();
        if after >= to {
            return Ok(Vec::new());
        }
        if let Some(recent) = self.shared.lanes.recent.lock().after(after, limit) {
            return Ok(recent);
        }
        // What has left memory is in the copy.
        let read = move |reader: &Reader<'_>| {
            let mut rows = Vec::new();
            reader.after(after, to, limit, |row| {
                rows.push(row);
                Ok::<_, rusqlite::Error>(())
            })?;
            Ok(rows)
        };
        self.read(read).await
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.shared.lanes.wait(after).await
    }

    fn archived(&self, position: i64) {
        self.shared.lanes.set_archived(position);
    }
}
