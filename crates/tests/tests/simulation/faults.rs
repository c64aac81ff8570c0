//! What goes wrong, how often, and the harm that negative controls do.

use std::sync::atomic::{AtomicBool, Ordering};

use firstcome_core::testkit::broken::Fault;
use firstcome_tests::Random;
use parking_lot::Mutex;

/// What is wrong with the shop on purpose, so that the checker can be seen to notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Harm {
    /// A ledger of the core's collection of broken ones takes the place of the real one.
    Ledger(Fault),
    /// Every confirmation charges a second payment of the same order.
    ConfirmsTwice,
    /// A declined payment is called done.
    BelievesDeclines,
    /// A refund is called done, and no money moves.
    RefundsNothing,
    /// A refund is sent in two halves, one of them under no key of ours.
    RefundsInHalves,
    /// `refund.approved` is lost between the roles.
    DropsAnEvent,
    /// Every second delivery of a sale is lost between the journal and the vouchers.
    DeliversHalf,
}

/// How often things go wrong in one history: calm ones and stormy ones find different things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Calls of 1000 to a database or the ledger that fail, before or after their effect.
    pub(super) storage: u64,
    /// Calls of 100 to the provider that are not answered.
    pub(super) silence: u64,
    /// Notices of 100 that are lost.
    pub(super) lost_notices: u64,
    /// One turn in so many is the process's last; 0 is never.
    pub(super) crash: u64,
    /// One turn in so many begins a time in which the journal's disk does not answer.
    pub(super) slow_disk: u64,
    /// Requests of 100 whose sender hangs up before the answer.
    pub(super) hang_up: u64,
}

impl Weather {
    pub(super) fn of(random: &mut Random) -> Self {
        Self {
            storage: *random.pick(&[0, 0, 3, 15]),
            silence: *random.pick(&[0, 5, 20, 50]),
            lost_notices: *random.pick(&[0, 20, 100]),
            crash: *random.pick(&[0, 2_000, 500, 150]),
            slow_disk: *random.pick(&[0, 300, 1_000]),
            hang_up: *random.pick(&[0, 0, 10]),
        }
    }
}

/// Draws who is struck. Off when the history is to come to its end.
pub(super) struct Faults {
    pub(super) weather: Weather,
    pub(super) harm: Option<Harm>,
    random: Mutex<Random>,
    calm: AtomicBool,
    log: Mutex<Vec<String>>,
}

impl Faults {
    pub(super) fn new(weather: Weather, harm: Option<Harm>, random: Random) -> Self {
        Self { weather, harm, random: Mutex::new(random), calm: AtomicBool::new(false), log: Mutex::default() }
    }

    /// Nothing goes wrong from now on, but for the harm.
    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether something that happens `rate` times `of` so many happens now.
    pub(super) fn strike(&self, rate: u64, of: u64) -> bool {
        rate > 0 && !self.is_calm() && self.random.lock().below(of) < rate
    }

    /// Keeps what happened, for people.
    pub(super) fn note(&self, what: String) {
        self.log.lock().push(what);
    }

    /// What happened so far.
    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        self.random.lock().below(end)
    }
}
