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
//! that counted, or after a [`barrier`]; the refusal of a new hold too, because the order may have been granted elsewhere a
//! moment ago. What is due by a lane's clock is released in the record before anything else is decided in it, so that nobody
//! is told "expired" by a clock alone; and it is due when its deadline has passed by the broker's clock too.
//!
//! # What can fail
//! - **Kafka does not answer**: what waits is answered [`PortError::Unavailable`] after [`KafkaLedgerOptions::patience`],
//!   taken back, and from then on at once until a barrier comes through. A record that turns up later and counts is applied
//!   like another's.
//! - **The clocks are apart**: nothing is decided until they are not; see [`KafkaLedgerOptions::skew`].
//! - **The topic is not what it was**: the ledger [fails](KafkaLedger::failed), and the process ends. A
//!   start is refused while the [local copy](copy) knows more than the topic.

mod accept;
mod adopt;
mod append;
mod apply;
mod barrier;
mod contest;
mod copy;
mod decide;
mod engine;
mod flight;
mod gather;
mod inbox;
mod keys;
mod land;
mod options;
mod port;
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

use std::time::Instant;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::PortError;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;

pub use crate::lane::LedgerWork;
pub use adopt::AdoptedJournal;
pub use options::{KafkaLedgerOptions, SKEW};
pub use turns::Turns;
pub use verify::{VerifiedTopic, verify_topic};

use crate::kafka::topics;
use crate::lane::{Alarms, Lanes, Leaving, Room};
use crate::sqlite::ledger::{Files, open_for_reading};
use append::Appender;
use barrier::Barriers;
use contest::Contest;
use copy::{Keeper, Keeping};
use engine::Engine;
use gather::Gathering;
use inbox::Inbox;
use shared::Shared;
use start::Started;
use topic::JOURNAL;

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
            keeping: Keeping::from(head.position, options.recent_events / 4),
            trouble: RwLock::default(),
            askers: Mutex::new(Some(Vec::new())),
            keys: keys::RecentKeys::default(),
            races_lost: AtomicU64::new(0),
            options,
        });
        let mut engine = Engine {
            appender: Appender::new(shared.clone())?,
            shared: shared.clone(),
            accepted,
            busy: HashMap::new(),
            flights: HashMap::new(),
            landed: Vec::new(),
            lost: Vec::new(),
            barriers: Barriers::default(),
            contest: Contest::new(shared.clone(), runtime.clone()),
            gathering: Gathering::default(),
            alarms: Alarms::default(),
            leaving: Leaving::default(),
            runtime,
            own: std::hash::RandomState::new().build_hasher().finish(),
            last_id: 0,
            skewed: None,
            last_probe: None,
            last_look: Instant::now(),
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

    /// Why nothing can be decided at the moment, if that is so.
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
