//! What callers and the engine share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::Offer;
use firstcome_core::ports::PortError;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use super::LedgerOptions;
use super::lane::{Lane, Pending, Queued, Reply};
use super::recent::Recent;
use firstcome_core::ledger::Command;

/// How far the journal is durable, and whether it goes on.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) position: i64,
    pub(super) life: Life,
}

#[derive(Clone, Debug)]
pub(super) enum Life {
    Serving,
    /// Closed on request.
    Closed,
    /// The disk failed; memory is ahead of it and nothing may be concluded from it.
    Failed(PortError),
}

/// What the engine has done since it started.
#[derive(Default)]
pub(super) struct Work {
    pub(super) batches: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) records: AtomicU64,
    pub(super) events: AtomicU64,
}

/// Lanes in which commands wait, and the engine's bell.
#[derive(Default)]
struct Ready {
    lanes: VecDeque<Arc<Lane>>,
    asleep: bool,
    rung: bool,
}

pub(super) struct Shared {
    pub(super) options: LedgerOptions,
    pub(super) lanes: RwLock<HashMap<OfferNumber, Arc<Lane>>>,
    ready: Mutex<Ready>,
    bell: Condvar,
    /// Commands that wait in all lanes.
    pub(super) waiting: AtomicUsize,
    /// The disk takes no more for now.
    pub(super) full: AtomicBool,
    pub(super) closing: AtomicBool,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) recent: Mutex<Recent>,
    /// The position up to which the archive has everything.
    pub(super) archived: AtomicI64,
    pub(super) work: Work,
}

impl Shared {
    pub(super) fn new(options: LedgerOptions, lanes: HashMap<OfferNumber, Arc<Lane>>, position: i64) -> Self {
        let recent = Mutex::new(Recent::new(options.recent_events));
        Self {
            options,
            lanes: RwLock::new(lanes),
            ready: Mutex::default(),
            bell: Condvar::new(),
            waiting: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            progress: watch::Sender::new(Progress { position, life: Life::Serving }),
            recent,
            archived: AtomicI64::new(0),
            work: Work::default(),
        }
    }

    pub(super) fn lane(&self, offer: OfferNumber) -> Option<Arc<Lane>> {
        self.lanes.read().get(&offer).cloned()
    }

    /// The lane of an offer, made if there is none.
    pub(super) fn lane_or_new(&self, offer: OfferNumber) -> Arc<Lane> {
        if let Some(lane) = self.lane(offer) {
            return lane;
        }
        let mut lanes = self.lanes.write();
        lanes.entry(offer).or_insert_with(|| Lane::new(offer, Offer::default(), [0; 32])).clone()
    }

    /// Puts a command in a lane's queue.
    pub(super) fn submit(&self, lane: &Arc<Lane>, command: Command, reply: Reply) -> Result<(), PortError> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.options.queue_total {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(PortError::Overloaded);
        }
        let refused = match lane.push(Pending { command, reply }, self.options.queue) {
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

    /// Tells the engine that commands wait in a lane.
    pub(super) fn announce(&self, lane: Arc<Lane>) {
        let mut ready = self.ready.lock();
        ready.lanes.push_back(lane);
        if ready.asleep {
            ready.asleep = false;
            self.bell.notify_one();
        }
    }

    /// Wakes the engine for something else than a command.
    pub(super) fn ring(&self) {
        let mut ready = self.ready.lock();
        ready.rung = true;
        if ready.asleep {
            ready.asleep = false;
            self.bell.notify_one();
        }
    }

    /// Takes the next lane in which commands wait.
    pub(super) fn next_ready(&self) -> Option<Arc<Lane>> {
        self.ready.lock().lanes.pop_front()
    }

    /// Sleeps until there is a lane, a ring, or the time is over.
    pub(super) fn sleep(&self, at_most: Duration) {
        let mut ready = self.ready.lock();
        if ready.lanes.is_empty() && !ready.rung {
            ready.asleep = true;
            self.bell.wait_for(&mut ready, at_most);
            ready.asleep = false;
        }
        ready.rung = false;
    }

    /// The durable head's position.
    pub(super) fn position(&self) -> i64 {
        self.progress.borrow().position
    }

    /// What a caller is told when the ledger takes nothing any more.
    pub(super) fn ended(&self) -> PortError {
        match &self.progress.borrow().life {
            Life::Failed(failure) => failure.clone(),
            Life::Serving | Life::Closed => PortError::Unavailable("the ledger is shutting down".to_owned()),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// What a caller is told while the disk takes no more.
pub(super) fn storage_full() -> PortError {
    PortError::StorageFull("the ledger's journal has no space to grow".to_owned())
}
