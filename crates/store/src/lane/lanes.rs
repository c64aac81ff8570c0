//! All lanes of a ledger: who waits in which, how far the journal is durable, and whether it goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Command, Offer};
use firstcome_core::ports::PortError;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use super::{Lane, Pending, Queued, Recent, Reply};

/// How far the journal is durable, and whether it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) position: i64,
    pub(crate) life: Life,
}

#[derive(Clone, Debug)]
pub(crate) enum Life {
    Serving,
    /// Closed on request.
    Closed,
    /// Memory is not what the journal says, or nobody can tell; nothing may be concluded from it.
    Failed(PortError),
}

/// What a ledger has done since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LedgerWork {
    /// Batches decided.
    pub batches: u64,
    /// Commands decided in them.
    pub commands: u64,
    /// Records written.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Commands that wait now.
    pub waiting: u64,
}

/// [`LedgerWork`] while it counts.
#[derive(Default)]
struct Work {
    batches: AtomicU64,
    commands: AtomicU64,
    records: AtomicU64,
    events: AtomicU64,
}

/// Lanes in which commands wait, and the engine's bell.
#[derive(Default)]
struct Ready {
    lanes: VecDeque<Arc<Lane>>,
    asleep: bool,
    rung: bool,
}

/// Commands that may wait.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// For one offer.
    pub(crate) queue: usize,
    /// For all together.
    pub(crate) total: usize,
}

/// See the [module](self).
pub(crate) struct Lanes {
    by_offer: RwLock<HashMap<OfferNumber, Arc<Lane>>>,
    room: Room,
    ready: Mutex<Ready>,
    bell: Condvar,
    /// Commands that wait in all lanes.
    waiting: AtomicUsize,
    closing: AtomicBool,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) recent: Mutex<Recent>,
    /// The position up to which the archive has everything.
    archived: AtomicI64,
    work: Work,
}

impl Lanes {
    /// Lanes of a journal that is durable up to `position`.
    pub(crate) fn new(
        by_offer: HashMap<OfferNumber, Arc<Lane>>,
        position: i64,
        room: Room,
        recent_events: usize,
    ) -> Self {
        Self {
            by_offer: RwLock::new(by_offer),
            room,
            ready: Mutex::default(),
            bell: Condvar::new(),
            waiting: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            progress: watch::Sender::new(Progress { position, life: Life::Serving }),
            recent: Mutex::new(Recent::new(recent_events, position)),
            archived: AtomicI64::new(position),
            work: Work::default(),
        }
    }

    pub(crate) fn get(&self, offer: OfferNumber) -> Option<Arc<Lane>> {
        self.by_offer.read().get(&offer).cloned()
    }

    /// The lane of an offer, made if there is none.
    pub(crate) fn get_or_new(&self, offer: OfferNumber) -> Arc<Lane> {
        if let Some(lane) = self.get(offer) {
            return lane;
        }
        let mut lanes = self.by_offer.write();
        lanes.entry(offer).or_insert_with(|| Lane::new(offer, Offer::default(), [0; 32])).clone()
    }

    /// Every lane, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Lane>> {
        self.by_offer.read().values().cloned().collect()
    }

    /// Every offer that has a record, in order of number.
    pub(crate) fn offers(&self) -> Vec<OfferNumber> {
        let lanes = self.by_offer.read();
        let mut offers: Vec<_> = lanes.values().filter(|lane| lane.durable_seq() > 0).map(|lane| lane.number).collect();
        offers.sort_unstable();
        offers
    }

    /// Holds in memory, of all offers.
    pub(crate) fn holds_in_memory(&self) -> usize {
        self.by_offer.read().values().map(|lane| lane.state.read().offer.hold_count()).sum()
    }

    /// Puts a command in a lane's queue.
    pub(crate) fn submit(&self, lane: &Arc<Lane>, command: Command, reply: Reply) -> Result<(), PortError> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.room.total {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(PortError::Overloaded);
        }
        let refused = match lane.push(Pending { command, reply }, self.room.queue) {
            Queued::Behind => return Ok(()),
            Queued::First => {
                self.announce(lane.clone());
                return Ok(());
            }
            Queued::Full => PortError::Overloaded,
            Queued::Closed => self.ended(),
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Err(refused)
    }

    /// Puts commands that were taken back to the front of a lane's queue. The caller announces the lane.
    #[cfg(feature = "cluster")]
    pub(crate) fn put_back(&self, lane: &Lane, commands: Vec<Pending>) {
        self.waiting.fetch_add(commands.len(), Ordering::Relaxed);
        lane.put_back(commands);
    }

    /// So many commands do not wait any more.
    pub(crate) fn taken(&self, commands: usize) {
        self.waiting.fetch_sub(commands, Ordering::Relaxed);
    }

    /// Tells the engine that commands wait in a lane.
    pub(crate) fn announce(&self, lane: Arc<Lane>) {
        let mut ready = self.ready.lock();
        ready.lanes.push_back(lane);
        if ready.asleep {
            ready.asleep = false;
            self.bell.notify_one();
        }
    }

    /// Wakes the engine for something else than a command.
    pub(crate) fn ring(&self) {
        let mut ready = self.ready.lock();
        ready.rung = true;
        if ready.asleep {
            ready.asleep = false;
            self.bell.notify_one();
        }
    }

    /// Takes the next lane in which commands wait.
    pub(crate) fn next_ready(&self) -> Option<Arc<Lane>> {
        self.ready.lock().lanes.pop_front()
    }

    /// Sleeps until there is a lane, a ring, or the time is over.
    pub(crate) fn sleep(&self, at_most: Duration) {
        let mut ready = self.ready.lock();
        if ready.lanes.is_empty() && !ready.rung {
            ready.asleep = true;
            self.bell.wait_for(&mut ready, at_most);
            ready.asleep = false;
        }
        ready.rung = false;
    }

    /// Answers everyone who waits anywhere with this error. Nothing of it is decided.
    pub(crate) fn refuse_waiting(&self, error: &PortError) {
        let mut waiting = Vec::new();
        while let Some(lane) = self.next_ready() {
            lane.take(usize::MAX, &mut waiting);
        }
        self.refuse(waiting, error);
    }

    /// Takes nothing any more, and answers everyone who waits with why.
    pub(crate) fn shut(&self) {
        let mut waiting = Vec::new();
        for lane in self.all() {
            lane.close(&mut waiting);
        }
        self.refuse(waiting, &self.ended());
    }

    fn refuse(&self, waiting: Vec<Pending>, error: &PortError) {
        self.taken(waiting.len());
        for pending in waiting {
            let _ = pending.reply.send(Err(error.clone()));
        }
    }

    /// Asks the engine to end when nothing waits any more.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.ring();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The engine ended like this, unless it is known to have ended otherwise before.
    pub(crate) fn end(&self, life: Life) {
        self.progress.send_if_modified(|progress| {
            let serving = matches!(progress.life, Life::Serving);
            if serving {
                progress.life = life;
            }
            serving
        });
    }

    /// The durable head's position.
    pub(crate) fn position(&self) -> i64 {
        self.progress.borrow().position
    }

    /// Returns when there is an entry after `position`.
    pub(crate) async fn wait(&self, after: i64) -> Result<(), PortError> {
        let mut progress = self.progress.subscribe();
        loop {
            let ended = {
                let progress = progress.borrow_and_update();
                if progress.position > after {
                    return Ok(());
                }
                !matches!(progress.life, Life::Serving)
            };
            if ended || progress.changed().await.is_err() {
                return Err(self.ended());
            }
        }
    }

    /// Returns when the ledger has failed for good, with the reason; never for one that is closed in order.
    pub(crate) async fn failed(&self) -> PortError {
        let mut progress = self.progress.subscribe();
        loop {
            if let Life::Failed(failure) = &progress.borrow_and_update().life {
                return failure.clone();
            }
            if progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What a caller is told when the ledger takes nothing any more.
    pub(crate) fn ended(&self) -> PortError {
        match &self.progress.borrow().life {
            Life::Failed(failure) => failure.clone(),
            Life::Serving | Life::Closed => PortError::Unavailable("the ledger is shutting down".to_owned()),
        }
    }

    /// The archive has everything up to here.
    pub(crate) fn set_archived(&self, position: i64) {
        self.archived.fetch_max(position, Ordering::AcqRel);
        self.ring();
    }

    pub(crate) fn archived(&self) -> i64 {
        self.archived.load(Ordering::Acquire)
    }

    /// Counts a batch.
    pub(crate) fn count(&self, commands: usize, records: usize, events: usize) {
        self.work.batches.fetch_add(1, Ordering::Relaxed);
        self.work.commands.fetch_add(commands as u64, Ordering::Relaxed);
        self.work.records.fetch_add(records as u64, Ordering::Relaxed);
        self.work.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// What has been done since the start.
    pub(crate) fn work(&self) -> LedgerWork {
        LedgerWork {
            batches: self.work.batches.load(Ordering::Relaxed),
            commands: self.work.commands.load(Ordering::Relaxed),
            records: self.work.records.load(Ordering::Relaxed),
            events: self.work.events.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed) as u64,
        }
    }
}
