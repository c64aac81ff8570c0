//! One life of the shop: from opening its files until it dies, or until all is at rest.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Clock as _, StockLedger};
use firstcome_core::testkit::LedgerHarness as _;
use firstcome_core::time::Time;
use firstcome_store::sqlite::ledger::SteppedEngine;
use parking_lot::Mutex;

use super::books::Books;
use super::director::Director;
use super::gates::{Gates, at_once};
use super::world::Databases;

/// Turns after which the weather calms down, whoever is still here.
const ENOUGH: u64 = 40_000;
/// Turns after which nothing will ever come to rest.
const TOO_MANY: u64 = 120_000;
/// Looks ahead in time when everyone has left: first by moments, at last by days.
const LOOKS: usize = 140;

/// How a life ends.
pub(super) enum End {
    Died,
    AtRest(Box<Books>),
    /// A new process did not start on what the old one left.
    Refused(String),
}

/// A shop that is alive.
pub(super) struct Life<'a> {
    pub(super) director: &'a mut Director,
    pub(super) databases: Databases,
    pub(super) ledger: Arc<dyn StockLedger>,
    pub(super) engine: Option<SteppedEngine>,
    pub(super) gates: Arc<Gates>,
    /// Workers that ended, requests that panicked.
    pub(super) surprises: Arc<Mutex<Vec<String>>>,
    pub(super) slow: u64,
    pub(super) looks: usize,
}

impl<'a> Life<'a> {
    pub(super) async fn live(director: &'a mut Director) -> End {
        let opened = Self::open(director).await;
        let mut life = match opened {
            Ok(life) => life,
            Err(error) => return End::Refused(error.to_string()),
        };
        loop {
            if let Some(end) = life.turn().await {
                return end;
            }
        }
    }

    /// Lets everything run until it waits at a gate, for the engine, or for time; then does one thing.
    async fn turn(&mut self) -> Option<End> {
        self.director.turns += 1;
        self.pass(Duration::from_millis(1)).await;
        if let Some(end) = self.surprised() {
            return Some(end);
        }
        if self.director.dies() {
            return Some(self.die());
        }
        if self.director.turns == ENOUGH {
            self.director.note("enough");
            self.director.faults.calm_down();
        }
        if self.director.turns > TOO_MANY {
            self.director.find("no_rest", "it does not come to rest".to_owned());
            return Some(self.rest());
        }
        self.act().await
    }

    async fn act(&mut self) -> Option<End> {
        let slow_disk = self.director.faults.weather.slow_disk;
        if slow_disk > 0 && self.director.faults.strike(1, slow_disk) {
            self.slow = 20 + self.director.random.below(200);
        }
        self.slow = self.slow.saturating_sub(1);
        let choice = self.director.random.below(100);
        if choice < 20 {
            return self.step();
        }
        if choice == 20 && !self.director.faults.is_calm() {
            let leap = self.director.leap();
            self.jump(leap).await;
            return None;
        }
        if self.gates.open_one(&mut self.director.random) {
            return None;
        }
        // Nobody is at a gate: the disk answers, or time goes on.
        self.slow = 0;
        match self.work() {
            Ok(true) => None,
            Ok(false) => self.idle().await,
            Err(end) => Some(end),
        }
    }

    fn step(&mut self) -> Option<End> {
        if self.slow > 0 {
            return None;
        }
        self.work().err()
    }

    /// One batch of the ledger. Returns whether there is more to do.
    fn work(&mut self) -> Result<bool, End> {
        let Some(engine) = &mut self.engine else {
            // A ledger without an engine: its clock comes by when somebody looks.
            let number = self.director.offers[0].number();
            let before = at_once(self.ledger.snapshot(number)).ok();
            self.gates.tell();
            return Ok(before != at_once(self.ledger.snapshot(number)).ok());
        };
        let more = engine.step().map_err(|error| End::Refused(error.to_string()))?;
        self.gates.tell();
        Ok(more)
    }

    /// Nothing moves but time.
    async fn idle(&mut self) -> Option<End> {
        if self.director.charges.lock().arrive_late() {
            return None;
        }
        if !self.director.everyone_has_left() {
            let later = self.director.later();
            self.jump(later).await;
            return None;
        }
        self.director.faults.calm_down();
        let books = match Books::read(&self.databases, &*self.ledger, &self.director.charges.lock()) {
            Ok(books) => books,
            Err(error) => return Some(End::Refused(error.to_string())),
        };
        if books.at_rest() || self.looks > LOOKS {
            return Some(End::AtRest(Box::new(books)));
        }
        self.looks += 1;
        let seconds = match self.looks {
            0..20 => 1,
            20..60 => 30,
            60..100 => 600,
            100..130 => 3_600,
            _ => 86_400,
        };
        self.pass(Duration::from_secs(seconds)).await;
        None
    }

    /// Time goes on by leaps, and the shop's clock may be set a little back or forth.
    async fn jump(&mut self, time: Duration) {
        if self.director.faults.strike(1, 50) {
            let skew = self.director.random.below(1_500_000) as i64;
            self.director.clock.set(Time(self.director.clock.now().0 - skew));
        }
        self.pass(time).await;
    }

    async fn pass(&mut self, time: Duration) {
        let now = self.director.clock.advance(time);
        if time.as_millis() > 1 {
            self.director.faults.note(format!("turn {}: it is {now}", self.director.turns));
        }
        // The paused clock of the runtime goes on only when nobody can run any more.
        tokio::time::sleep(time).await;
    }

    fn surprised(&mut self) -> Option<End> {
        let surprises = std::mem::take(&mut *self.surprises.lock());
        let calm = self.director.faults.is_calm();
        for surprise in &surprises {
            self.director.note(surprise.clone());
            // A database that fails while the shop opens, or under a worker, ends the process; it is started again.
            if calm || !surprise.contains("as the seed wants it") {
                self.director.find("surprise", surprise.clone());
            }
        }
        let ends = surprises.iter().any(|surprise| !surprise.starts_with("500"));
        ends.then(|| if calm || self.director.is_worn_out() { self.rest() } else { self.die() })
    }

    /// The process dies, perhaps in a batch.
    fn die(&mut self) -> End {
        self.director.look(&*self.ledger);
        let last = self.director.last_batch();
        self.director.note(format!("dies, the last batch: {last:?}"));
        if let (Some(died), Some(engine)) = (last, self.engine.take()) {
            engine.die(died);
        }
        if let Some(broken) = &mut self.director.broken {
            at_once(broken.crash()).expect("it starts again");
        }
        End::Died
    }

    fn rest(&mut self) -> End {
        match Books::read(&self.databases, &*self.ledger, &self.director.charges.lock()) {
            Ok(books) => End::AtRest(Box::new(books)),
            Err(error) => End::Refused(error.to_string()),
        }
    }
}
