//! The director: one history from its seed, life after life of the shop, until all is at rest.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use firstcome_app::secrets::{Keys, SystemRandom};
use firstcome_core::ledger::Digest;
use firstcome_core::ports::{Clock as _, StockLedger};
use firstcome_core::testkit::broken::BrokenHarness;
use firstcome_core::testkit::{LedgerHarness, TestClock};
use firstcome_store::sqlite::ledger::Died;
use firstcome_tests::Random;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::books::{self, Books};
use super::charges::Books as Charges;
use super::check::{self, Finding};
use super::faults::{Faults, Harm, Weather};
use super::gates::at_once;
use super::life::{End, Life};
use super::story::{self, Shared, Wish};
use super::tally::Tally;
use super::world::{self, Disk, Sold, Storage};

/// Crashes in one history at most, so that it has an end.
const CRASHES: usize = 8;

/// What a history is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) storage: Storage,
    pub(super) harm: Option<Harm>,
}

/// What became of it.
pub(super) struct Ended {
    pub(super) findings: Vec<Finding>,
    pub(super) tally: Tally,
    /// The hash of the journal's last record, which hangs on all before it.
    pub(super) head: Digest,
    /// What happened, call by call, and all books at the end.
    pub(super) log: String,
}

/// What outlives the shop.
pub(super) struct Director {
    pub(super) random: Random,
    pub(super) clock: TestClock,
    pub(super) disk: Disk,
    pub(super) folder: TempDir,
    pub(super) broken: Option<BrokenHarness>,
    pub(super) faults: Arc<Faults>,
    pub(super) charges: Arc<Mutex<Charges>>,
    pub(super) offers: Arc<Vec<Sold>>,
    pub(super) wishes: Vec<Shared>,
    pub(super) keys: Arc<Keys>,
    pub(super) count: Arc<AtomicU64>,
    pub(super) opened: bool,
    pub(super) crashes: usize,
    pub(super) turns: u64,
    /// The journal as anyone could read it before the last crash.
    seen: Vec<Digest>,
    pub(super) findings: Vec<Finding>,
}

/// Memory, where there is a folder of it: what a disk does is decided here.
fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// Plays one history.
pub(super) fn play(script: Script) -> Ended {
    let mut director = Director::new(script);
    loop {
        // A runtime of its own for every life: dropping it ends whatever was under way.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let end = runtime.block_on(Life::live(&mut director));
        match end {
            End::Died => director.crashes += 1,
            End::AtRest(books) => return director.conclude(&books),
            End::Refused(why) => {
                director.find("start_refused", why);
                return director.give_up();
            }
        }
    }
}

impl Director {
    fn new(script: Script) -> Self {
        let mut random = Random::new(script.seed);
        let broken = match script.harm {
            Some(Harm::Ledger(fault)) => Some(BrokenHarness::create(fault)),
            _ => None,
        };
        let clock = broken.as_ref().map_or_else(TestClock::default, LedgerHarness::clock);
        let folder = folder();
        let offers = Arc::new(world::offers(&mut random, &clock));
        let wishes = story::wishes(&mut random, offers.len());
        let weather = Weather::of(&mut random);
        let faults = Faults::new(weather, script.harm, random.branch());
        faults.note(format!("{weather:?} {offers:?}"));
        Self {
            faults: Arc::new(faults),
            disk: Disk::new(script.storage, folder.path().to_owned()),
            random,
            clock,
            folder,
            broken,
            charges: Arc::default(),
            offers,
            wishes,
            keys: Arc::new(Keys::in_memory(&SystemRandom)),
            count: Arc::default(),
            opened: false,
            crashes: 0,
            turns: 0,
            seen: Vec::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.faults.note(format!("turn {}, {}: {}", self.turns, self.clock.now(), what.into()));
    }

    pub(super) fn find(&mut self, rule: &'static str, what: String) {
        self.findings.push(Finding { rule, what });
    }

    /// Whether the process may die now.
    pub(super) fn dies(&mut self) -> bool {
        let rate = self.faults.weather.crash;
        rate > 0 && self.crashes < CRASHES && !self.faults.is_calm() && self.random.below(rate) == 0
    }

    /// Whether the shop dies too often to be started once more.
    pub(super) fn is_worn_out(&self) -> bool {
        self.crashes > 10 * CRASHES
    }

    /// How far the batch comes in which the process dies.
    pub(super) fn last_batch(&mut self) -> Option<Died> {
        *self.random.pick(&[
            None,
            Some(Died::BeforeTheJournal),
            Some(Died::BeforeTheWitness),
            Some(Died::BeforeTheAnswer),
        ])
    }

    /// Remembers what anyone could know of the journal.
    pub(super) fn look(&mut self, ledger: &dyn StockLedger) {
        let entries = books::journal(ledger).unwrap_or_default();
        self.seen = entries.iter().map(|entry| entry.hash).collect();
    }

    /// A new process must know all that was visible, and every order that was answered.
    pub(super) fn compare(&mut self, ledger: &dyn StockLedger) {
        let now = match books::journal(ledger) {
            Ok(entries) => entries,
            Err(error) => return self.find("start_refused", error.to_string()),
        };
        if !now.iter().map(|entry| entry.hash).take(self.seen.len()).eq(self.seen.iter().copied()) {
            self.find("lost_events", format!("{} records were seen before the crash, not after it", self.seen.len()));
        }
        for wish in self.story() {
            let Some(placed) = wish.order.ok() else { continue };
            let found = placed.id.parse().ok().and_then(|order| at_once(ledger.find(order)).ok().flatten());
            if found.is_none_or(|hold| hold.granted_seq != placed.seq) {
                self.find("lost_order", format!("{} was answered and is gone after a crash", placed.id));
            }
        }
    }

    pub(super) fn story(&self) -> Vec<Wish> {
        self.wishes.iter().map(|wish| wish.lock().clone()).collect()
    }

    /// Everyone has come to the end of their wishes.
    pub(super) fn everyone_has_left(&self) -> bool {
        self.wishes.iter().all(|wish| wish.lock().stage == story::Stage::Over)
    }

    fn conclude(mut self, books: &Books) -> Ended {
        let story = self.story();
        let mut findings = std::mem::take(&mut self.findings);
        findings.extend(check::check(&story, &self.offers, books));
        let tally = Tally::of(&story, books, self.crashes);
        let head = books.journal.last().map(|entry| entry.hash).unwrap_or_default();
        let mut log = self.faults.log();
        log.extend(story.iter().map(|wish| format!("{wish:?}")));
        log.extend(books.charges.iter().map(|charge| format!("{charge:?}")));
        log.extend(books.payments.iter().map(|payment| format!("{payment:?}")));
        log.extend(books.refunds.iter().map(|refund| format!("{refund:?}")));
        log.extend(books.vouchers.iter().map(|voucher| format!("{voucher:?}")));
        log.extend(books.journal.iter().map(|entry| format!("{:?}", entry.record)));
        Ended { findings, tally, head, log: log.join("\n") }
    }

    fn give_up(self) -> Ended {
        Ended {
            findings: self.findings,
            tally: Tally::default(),
            head: Digest::default(),
            log: self.faults.log().join("\n"),
        }
    }

    /// A stall in the middle of everything; few are long.
    pub(super) fn leap(&mut self) -> Duration {
        Duration::from_millis(*self.random.pick(&[10, 100, 300, 1_000, 1_000, 5_000, 5_000, 45_000]))
    }

    /// Time in which nobody does anything.
    pub(super) fn later(&mut self) -> Duration {
        Duration::from_millis(*self.random.pick(&[10, 100, 1_000, 5_000, 20_000, 60_000]))
    }
}
