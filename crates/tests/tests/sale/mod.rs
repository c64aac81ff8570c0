//! A sale with many buyers at once, who order, pay, walk away, cancel, use what they bought and ask again when an answer is
//! lost; and, at its end, the comparison of everything they were told with everything that the books say.

pub(crate) mod books;
pub(crate) mod check;
mod closing;
pub(crate) mod history;
mod insist;
mod reading;
mod setup;
mod staff;
mod visit;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use firstcome_tests::{Api, Random, Storefront};
use tokio::task::JoinSet;

use self::history::{History, Terms};
use self::staff::Staff;

/// How many visits go on at once.
const VISITORS: usize = 16;
/// How many people there are.
const BUYERS: usize = 600;

/// A sale that goes on while the shop is killed and started again under it.
#[derive(Debug)]
pub(crate) struct Sale {
    buyers: Vec<Api>,
    staff: RwLock<Staff>,
    offers: Vec<Terms>,
    history: Mutex<History>,
    closing: AtomicBool,
    visits: AtomicU64,
    /// Answers that an order is there, at the moment they come; the history has them when a visit is over.
    granted: AtomicU64,
    /// The disk is made to fail, so a refusal for that reason is no surprise.
    disk_may_fail: AtomicBool,
    /// How often it was a reason to refuse.
    disk_refusals: AtomicU64,
    /// Another process may still do what one did not answer for, so a refusal by the next is not the last word.
    many_processes: AtomicBool,
}

impl Sale {
    /// Makes the offers and the people in a running shop.
    pub(crate) async fn prepare(shop: &impl Storefront) -> Arc<Self> {
        let (staff, offers) = setup::stage(shop).await;
        Arc::new(Self {
            buyers: shop.buyers(BUYERS),
            staff: RwLock::new(staff),
            offers,
            history: Mutex::default(),
            closing: AtomicBool::new(false),
            visits: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            disk_may_fail: AtomicBool::new(false),
            disk_refusals: AtomicU64::new(0),
            many_processes: AtomicBool::new(false),
        })
    }

    /// Lets the people in.
    pub(crate) fn open(self: &Arc<Self>, random: &mut Random) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..VISITORS {
            let (sale, mut random) = (Arc::clone(self), random.branch());
            tasks.spawn(async move {
                while !sale.is_closing() {
                    sale.visit(&mut random).await;
                    tokio::time::sleep(Duration::from_millis(10 + random.below(80))).await;
                }
            });
        }
        tasks.spawn(staff::restock(Arc::clone(self), random.branch()));
        tasks.spawn(staff::watch(Arc::clone(self)));
        tasks
    }

    /// Lets nobody in any more and waits until all have left. The shop must run.
    pub(crate) async fn shut(&self, tasks: JoinSet<()>) {
        self.closing.store(true, Ordering::SeqCst);
        tasks.join_all().await;
    }

    /// From now on (or no longer) the shop may say that its disk is full.
    pub(crate) fn let_disk_fail(&self, may: bool) {
        self.disk_may_fail.store(may, Ordering::SeqCst);
    }

    /// The shop is many processes.
    #[cfg(feature = "cluster")]
    pub(crate) fn expect_many_processes(&self) {
        self.many_processes.store(true, Ordering::SeqCst);
    }

    /// How often somebody was told that an order is there.
    #[cfg(feature = "cluster")]
    pub(crate) fn granted(&self) -> u64 {
        self.granted.load(Ordering::SeqCst)
    }

    /// How often somebody was refused because the disk failed.
    pub(crate) fn refused_for_the_disk(&self) -> u64 {
        self.disk_refusals.load(Ordering::SeqCst)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no panic while the history is locked")
    }

    /// What came of it, for people.
    pub(crate) fn summary(&self) -> String {
        let history = self.history();
        let visits = self.visits.load(Ordering::Relaxed);
        let (placed, paid) = (history.placed(), history.paid());
        format!(
            "{visits} visits, {placed} orders, {paid} payments, {} answers lost, {} to ask again, refused {:?}",
            history.lost, history.busy, history.refused
        )
    }

    /// A run in which hardly anything succeeded proves nothing.
    pub(crate) fn assert_busy(&self, rounds: u64) {
        let placed = self.history().placed() as u64;
        let paid = self.history().paid() as u64;
        assert!(placed >= 50 + 4 * rounds && paid >= 20 + 2 * rounds, "too little was sold: {}", self.summary());
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    fn surprise(&self, what: String) {
        self.history().surprises.push(what);
    }
}
