//! What happened in histories, so that one in which nothing happened does not pass.

use firstcome_core::ledger::{Event, HoldState, ReleaseReason};

use super::books::Books;
use super::story::{Told, Wish};

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) histories: usize,
    pub(super) crashes: usize,
    pub(super) orders: usize,
    pub(super) refused: usize,
    pub(super) completed: usize,
    pub(super) expired: usize,
    pub(super) canceled: usize,
    pub(super) returned: usize,
    pub(super) reclaimed: usize,
    pub(super) declined: usize,
    pub(super) sent_back: usize,
    pub(super) used: usize,
    pub(super) refused_refunds: usize,
}

impl Tally {
    pub(super) fn of(story: &[Wish], books: &Books, crashes: usize) -> Self {
        let holds = |state: HoldState| books.orders.values().filter(|hold| hold.state == state).count();
        let released = |reason: ReleaseReason| {
            let released =
                |hold: &&firstcome_core::ledger::Hold| hold.state == HoldState::Released && hold.reason == reason;
            books.orders.values().filter(released).count()
        };
        let events = books.journal.iter().flat_map(|entry| &entry.record.events);
        let tries = || story.iter().flat_map(|wish| wish.tries.values());
        Self {
            histories: 1,
            crashes,
            orders: books.orders.len(),
            refused: story.iter().filter(|wish| matches!(wish.order, Told::No(_))).count(),
            completed: holds(HoldState::Sold),
            expired: released(ReleaseReason::Expired),
            canceled: released(ReleaseReason::Canceled),
            returned: holds(HoldState::Returned),
            reclaimed: events.filter(|event| matches!(event, Event::Reclaimed { .. })).count(),
            declined: tries().filter(|attempt| attempt.told == Told::No("payment_failed".to_owned())).count(),
            sent_back: books.charges.iter().filter(|charge| !charge.payment.cancels.is_empty()).count(),
            used: story.iter().flat_map(|wish| wish.uses.values()).filter(|told| told.ok().is_some()).count(),
            refused_refunds: story.iter().filter(|wish| matches!(wish.cancel, Told::No(_))).count(),
        }
    }

    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            histories: self.histories + other.histories,
            crashes: self.crashes + other.crashes,
            orders: self.orders + other.orders,
            refused: self.refused + other.refused,
            completed: self.completed + other.completed,
            expired: self.expired + other.expired,
            canceled: self.canceled + other.canceled,
            returned: self.returned + other.returned,
            reclaimed: self.reclaimed + other.reclaimed,
            declined: self.declined + other.declined,
            sent_back: self.sent_back + other.sent_back,
            used: self.used + other.used,
            refused_refunds: self.refused_refunds + other.refused_refunds,
        }
    }

    /// What a few dozen histories have at the least, with much to spare.
    pub(super) fn assert_that_something_happened(&self, first: u64) {
        let least = |happened: usize, each: usize, what: &str| {
            assert!(
                happened * 100 >= each * self.histories,
                "only {happened} {what} in the seeds from {first} on: {self:?}"
            );
        };
        least(self.orders, 400, "orders");
        least(self.completed, 200, "completed orders");
        least(self.refused, 100, "refused orders");
        least(self.expired, 40, "expired orders");
        least(self.canceled, 5, "canceled orders");
        least(self.returned, 10, "returned orders");
        least(self.reclaimed, 5, "orders paid late");
        least(self.declined, 5, "declined payments");
        least(self.sent_back, 10, "refunds");
        least(self.used, 1, "used vouchers");
        least(self.crashes, 10, "crashes");
    }
}
