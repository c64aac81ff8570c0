//! What every ledger with a journal is made of, wherever the journal is.
//!
//! A [`Lane`] is one offer in memory: who waits for it, its state, and what of it is durable. [`Lanes`] are all of them,
//! with the bell of the one thread that decides. A [`Turn`] decides commands; [`Answers`] are held back until what they
//! say is durable; [`Alarms`] say when holds expire; [`Recent`] keeps the journal's end for those who follow it.

mod alarms;
mod answers;
mod counters;
mod lanes;
mod recent;
mod settled;
mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Command, Digest, Offer, OfferSnapshot, Outcome, Refusal, Stock, Terms};
use firstcome_core::ports::{LedgerState, PortError};
use firstcome_core::time::Time;
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

pub(crate) use alarms::Alarms;
pub(crate) use answers::Answers;
pub use lanes::LedgerWork;
pub(crate) use lanes::{Lanes, Life, Room};
pub(crate) use recent::Recent;
pub(crate) use settled::{Leaving, Settled};
pub(crate) use turn::{Turn, batch_id, granted, next_record, settled_orders};

use counters::Counters;

/// Where an answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, PortError>>;

/// A command that waits.
pub(crate) struct Pending {
    pub(crate) command: Command,
    pub(crate) reply: Reply,
}

impl Pending {
    /// Whether nobody would notice if it were dropped: a new hold that nobody waits for any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(self.command, Command::Hold(_) | Command::Prepare(_)) && self.reply.is_closed()
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Pending>,
    /// Whether the engine knows that someone waits here.
    scheduled: bool,
    closed: bool,
}

/// The offer and the hash of its last record. May be ahead of the disk.
#[derive(Default)]
pub(crate) struct LaneState {
    pub(crate) offer: Offer,
    pub(crate) tail: Digest,
}

/// What everyone may know of an offer: as of the last synced batch. Its adjustments are in [`LaneState`], where their
/// sequence numbers tell which of them are durable.
#[derive(Clone, Copy)]
pub(crate) struct Published {
    terms: Option<Terms>,
    stock: Stock,
    frozen: bool,
    pub(crate) seq: u64,
    last_at: Time,
}

impl Published {
    pub(crate) fn of(offer: &Offer) -> Self {
        Self {
            terms: offer.terms().copied(),
            stock: offer.stock(),
            frozen: offer.is_frozen(),
            seq: offer.seq(),
            last_at: offer.last_at(),
        }
    }
}

/// One offer.
pub(crate) struct Lane {
    pub(crate) number: OfferNumber,
    queue: Mutex<Queue>,
    pub(crate) state: RwLock<LaneState>,
    published: Mutex<Published>,
    durable_seq: AtomicU64,
    counters: Counters,
}

/// What came of putting a command in a lane's queue.
pub(crate) enum Queued {
    /// The engine must be told of the lane.
    First,
    /// The engine knows.
    Behind,
    /// The queue is full.
    Full,
    /// The ledger takes nothing any more.
    Closed,
}

impl Lane {
    pub(crate) fn new(number: OfferNumber, offer: Offer, tail: Digest) -> Arc<Self> {
        let published = Published::of(&offer);
        Arc::new(Self {
            number,
            queue: Mutex::default(),
            state: RwLock::new(LaneState { offer, tail }),
            published: Mutex::new(published),
            durable_seq: AtomicU64::new(published.seq),
            counters: Counters::default(),
        })
    }

    /// Puts a command at the end of the queue.
    pub(crate) fn push(&self, pending: Pending, bound: usize) -> Queued {
        let mut queue = self.queue.lock();
        if queue.closed {
            return Queued::Closed;
        }
        if queue.waiting.len() >= bound {
            return Queued::Full;
        }
        queue.waiting.push_back(pending);
        if std::mem::replace(&mut queue.scheduled, true) { Queued::Behind } else { Queued::First }
    }

    /// Moves up to `limit` commands from the front of the queue to `out`. Returns whether more wait; if none does, the
    /// next command announces the lane again.
    pub(crate) fn take(&self, limit: usize, out: &mut Vec<Pending>) -> bool {
        let mut queue = self.queue.lock();
        let count = limit.min(queue.waiting.len());
        out.extend(queue.waiting.drain(..count));
        queue.scheduled = !queue.waiting.is_empty();
        queue.scheduled
    }

    /// Commands that wait.
    #[cfg(feature = "cluster")]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Puts commands that were taken back to the front of the queue. The caller announces the lane.
    #[cfg(feature = "cluster")]
    pub(crate) fn put_back(&self, commands: Vec<Pending>) {
        let mut queue = self.queue.lock();
        queue.scheduled = true;
        commands.into_iter().rev().for_each(|pending| queue.waiting.push_front(pending));
    }

    /// Whether what everyone may know refuses as well, when the state that refused may be taken back.
    #[cfg(feature = "cluster")]
    pub(crate) fn confirms(&self, refusal: &Refusal, quantity: u32) -> bool {
        let published = self.published.lock();
        match refusal {
            Refusal::SoldOut { .. } => published.stock.available() < u64::from(quantity),
            Refusal::Frozen => published.frozen,
            Refusal::Closed | Refusal::NotOpenYet { .. } | Refusal::TooMany { .. } => true,
            Refusal::OverLimit { .. } | Refusal::UnknownOffer => false,
        }
    }

    /// Takes nothing any more.
    pub(crate) fn close(&self, out: &mut Vec<Pending>) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        out.extend(queue.waiting.drain(..));
    }

    /// The sequence number up to which everything is durable.
    pub(crate) fn durable_seq(&self) -> u64 {
        self.durable_seq.load(Ordering::Acquire)
    }

    /// Makes a synced batch visible.
    pub(crate) fn publish(&self, published: Published, granted: u64) {
        *self.published.lock() = published;
        self.durable_seq.store(published.seq, Ordering::Release);
        if granted > 0 {
            self.counters.granted.fetch_add(granted, Ordering::Relaxed);
        }
    }

    /// The offer as of the last synced batch; none before its first terms are durable.
    pub(crate) fn durable_state(&self) -> Option<LedgerState> {
        let Published { terms, stock, frozen, seq, last_at } = *self.published.lock();
        let mut adjustments = self.state.read().offer.adjustments();
        adjustments.retain(|(_, made)| *made <= seq);
        let offer = OfferSnapshot { terms: terms?, stock, frozen, seq, last_at, adjustments };
        Some(LedgerState { offer, live: self.counters.read() })
    }

    /// Counts the refusal of a new hold.
    pub(crate) fn count_refusal(&self, refusal: &Refusal) {
        self.counters.refuse(refusal);
    }
}
