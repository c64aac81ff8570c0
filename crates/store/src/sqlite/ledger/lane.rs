//! One offer in memory: who waits for it, its state, and what of it is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Command, Digest, Offer, OfferSnapshot, Outcome, Refusal, Stock, Terms};
use firstcome_core::ports::{LedgerState, LiveCounters, PortError, RefusedCounts};
use firstcome_core::time::Time;
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<Outcome, PortError>>;

/// A command that waits.
pub(super) struct Pending {
    pub(super) command: Command,
    pub(super) reply: Reply,
}

impl Pending {
    /// Whether nobody would notice if it were dropped: a new hold that nobody waits for any more.
    pub(super) fn is_abandoned(&self) -> bool {
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
pub(super) struct LaneState {
    pub(super) offer: Offer,
    pub(super) tail: Digest,
}

/// What everyone may know of an offer: as of the last synced batch. Its adjustments are in [`LaneState`], where their
/// sequence numbers tell which of them are durable.
#[derive(Clone, Copy)]
pub(super) struct Published {
    terms: Option<Terms>,
    stock: Stock,
    frozen: bool,
    pub(super) seq: u64,
    last_at: Time,
}

impl Published {
    pub(super) fn of(offer: &Offer) -> Self {
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
pub(super) struct Lane {
    pub(super) number: OfferNumber,
    queue: Mutex<Queue>,
    pub(super) state: RwLock<LaneState>,
    published: Mutex<Published>,
    durable_seq: AtomicU64,
    counters: Counters,
}

/// What came of putting a command in a lane's queue.
pub(super) enum Queued {
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
    pub(super) fn new(number: OfferNumber, offer: Offer, tail: Digest) -> Arc<Self> {
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
    pub(super) fn push(&self, pending: Pending, bound: usize) -> Queued {
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
    pub(super) fn take(&self, limit: usize, out: &mut Vec<Pending>) -> bool {
        let mut queue = self.queue.lock();
        let count = limit.min(queue.waiting.len());
        out.extend(queue.waiting.drain(..count));
        queue.scheduled = !queue.waiting.is_empty();
        queue.scheduled
    }

    /// Takes nothing any more.
    pub(super) fn close(&self, out: &mut Vec<Pending>) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        out.extend(queue.waiting.drain(..));
    }

    /// The sequence number up to which everything is durable.
    pub(super) fn durable_seq(&self) -> u64 {
        self.durable_seq.load(Ordering::Acquire)
    }

    /// Makes a synced batch visible.
    pub(super) fn publish(&self, published: Published, granted: u64) {
        *self.published.lock() = published;
        self.durable_seq.store(published.seq, Ordering::Release);
        if granted > 0 {
            self.counters.granted.fetch_add(granted, Ordering::Relaxed);
        }
    }

    /// The offer as of the last synced batch; none before its first terms are durable.
    pub(super) fn durable_state(&self) -> Option<LedgerState> {
        let Published { terms, stock, frozen, seq, last_at } = *self.published.lock();
        let mut adjustments = self.state.read().offer.adjustments();
        adjustments.retain(|(_, made)| *made <= seq);
        let offer = OfferSnapshot { terms: terms?, stock, frozen, seq, last_at, adjustments };
        Some(LedgerState { offer, live: self.counters.read() })
    }

    /// Counts the refusal of a new hold.
    pub(super) fn count_refusal(&self, refusal: &Refusal) {
        self.counters.refuse(refusal);
    }
}

/// [`LiveCounters`] while they count.
#[derive(Default)]
struct Counters {
    sold_out: AtomicU64,
    over_limit: AtomicU64,
    too_many: AtomicU64,
    not_open_yet: AtomicU64,
    closed: AtomicU64,
    frozen: AtomicU64,
    granted: AtomicU64,
}

impl Counters {
    fn refuse(&self, refusal: &Refusal) {
        let counter = match refusal {
            Refusal::UnknownOffer => return,
            Refusal::Frozen => &self.frozen,
            Refusal::Closed => &self.closed,
            Refusal::NotOpenYet { .. } => &self.not_open_yet,
            Refusal::TooMany { .. } => &self.too_many,
            Refusal::OverLimit { .. } => &self.over_limit,
            Refusal::SoldOut { .. } => &self.sold_out,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> LiveCounters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused = RefusedCounts {
            sold_out: of(&self.sold_out),
            over_limit: of(&self.over_limit),
            too_many: of(&self.too_many),
            not_open_yet: of(&self.not_open_yet),
            closed: of(&self.closed),
            frozen: of(&self.frozen),
        };
        LiveCounters { refused, granted: of(&self.granted) }
    }
}
