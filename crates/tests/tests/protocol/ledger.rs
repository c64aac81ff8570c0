//! The ledger made small: one offer, one unit an order, moments instead of times. `real.rs` holds it to the real one.

pub(super) type Order = u8;
pub(super) type Attempt = u8;
pub(super) type Moment = u8;

/// How long a hold lasts.
const HOLD_FOR: Moment = 1;
pub(super) const ORDERS: usize = 4;

/// What is sold, and to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sale {
    pub(super) stock: u8,
    pub(super) limit: u8,
    /// The person of each order.
    pub(super) persons: [u8; ORDERS],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Command {
    Hold(Order),
    Begin(Order, Attempt),
    End(Order, Attempt),
    Commit(Order, Attempt),
    Release(Order),
    Reclaim(Order),
    Return(Order),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Event {
    Held(Order, Moment),
    Begun(Order, Attempt),
    Ended(Order, Attempt),
    Committed(Order, Attempt),
    Expired(Order),
    Canceled(Order),
    Reclaimed(Order, Moment),
    Returned(Order),
}

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Stand {
    Unknown,
    Held(Moment),
    Paying(Attempt, Moment),
    Sold(Attempt),
    Expired,
    Canceled,
    Returned(Attempt),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Outcome {
    Held(Moment),
    AlreadyHeld(Stand),
    Refused,
    Paying(Attempt),
    InProgress(Attempt),
    Ended,
    Committed,
    AlreadyCommitted(Attempt),
    AlreadySold(Attempt),
    Released,
    AlreadyReleased,
    InPayment(Attempt),
    Returned,
    NotSold,
    Expired,
    Gone,
    Unknown,
}

/// The folded events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Books {
    stands: [Stand; ORDERS],
    pub(super) last_at: Moment,
}

impl Books {
    pub(super) fn new() -> Self {
        Self { stands: [Stand::Unknown; ORDERS], last_at: 0 }
    }

    pub(super) fn stand(&self, order: Order) -> Stand {
        self.stands[usize::from(order)]
    }

    /// Units held or sold, of one person's orders or of all.
    pub(super) fn taken(&self, sale: &Sale, person: Option<u8>) -> u8 {
        let of_person = |order: &usize| person.is_none_or(|person| sale.persons[*order] == person);
        let takes = |order: &usize| matches!(self.stands[*order], Stand::Held(_) | Stand::Paying(..) | Stand::Sold(_));
        (0..ORDERS).filter(of_person).filter(takes).count() as u8
    }

    fn refuses(&self, sale: &Sale, order: Order) -> bool {
        let person = sale.persons[usize::from(order)];
        self.taken(sale, Some(person)) >= sale.limit || self.taken(sale, None) >= sale.stock
    }

    /// Whether an event may stand here at all.
    pub(super) fn allows(&self, event: Event) -> bool {
        match event {
            Event::Held(order, _) => self.stand(order) == Stand::Unknown,
            Event::Begun(order, _) | Event::Expired(order) | Event::Canceled(order) => {
                matches!(self.stand(order), Stand::Held(_))
            }
            Event::Ended(order, attempt) | Event::Committed(order, attempt) => {
                matches!(self.stand(order), Stand::Paying(live, _) if live == attempt)
            }
            Event::Reclaimed(order, _) => matches!(self.stand(order), Stand::Held(_) | Stand::Expired),
            Event::Returned(order) => matches!(self.stand(order), Stand::Sold(_)),
        }
    }

    pub(super) fn evolve(&mut self, event: Event, at: Moment) {
        self.last_at = self.last_at.max(at);
        let (order, stand) = match event {
            Event::Held(order, until) | Event::Reclaimed(order, until) => (order, Stand::Held(until)),
            Event::Begun(order, attempt) => (order, Stand::Paying(attempt, self.deadline(order))),
            Event::Ended(order, _) => (order, Stand::Held(self.deadline(order))),
            Event::Committed(order, attempt) => (order, Stand::Sold(attempt)),
            Event::Expired(order) => (order, Stand::Expired),
            Event::Canceled(order) => (order, Stand::Canceled),
            Event::Returned(order) => (order, Stand::Returned(self.attempt(order))),
        };
        self.stands[usize::from(order)] = stand;
    }

    fn deadline(&self, order: Order) -> Moment {
        match self.stand(order) {
            Stand::Held(until) | Stand::Paying(_, until) => until,
            _ => 0,
        }
    }

    fn attempt(&self, order: Order) -> Attempt {
        match self.stand(order) {
            Stand::Paying(attempt, _) | Stand::Sold(attempt) => attempt,
            _ => 0,
        }
    }

    /// The orders whose holds are over when `passed` has passed.
    pub(super) fn due(&self, passed: Moment) -> impl Iterator<Item = Order> {
        let due = move |order: &Order| matches!(self.stand(*order), Stand::Held(until) if passed >= until);
        (0..ORDERS as Order).filter(due)
    }

    /// What a command comes to, and the event that records it. `now` is not before `last_at`, and `passed` not after it.
    pub(super) fn decide(
        &self,
        sale: &Sale,
        command: Command,
        now: Moment,
        passed: Moment,
    ) -> (Outcome, Option<Event>) {
        match command {
            Command::Hold(order) => match self.stand(order) {
                Stand::Unknown if self.refuses(sale, order) => (Outcome::Refused, None),
                Stand::Unknown => (Outcome::Held(now + HOLD_FOR), Some(Event::Held(order, now + HOLD_FOR))),
                stand => (Outcome::AlreadyHeld(stand), None),
            },
            Command::Begin(order, attempt) => match self.stand(order) {
                Stand::Held(until) if passed >= until => (Outcome::Expired, None),
                Stand::Held(_) => (Outcome::Paying(attempt), Some(Event::Begun(order, attempt))),
                Stand::Paying(live, _) if live == attempt => (Outcome::Paying(attempt), None),
                stand => (over(stand), None),
            },
            Command::End(order, attempt) => match self.stand(order) {
                Stand::Held(_) => (Outcome::Ended, None),
                Stand::Paying(live, _) if live == attempt => (Outcome::Ended, Some(Event::Ended(order, attempt))),
                stand => (over(stand), None),
            },
            Command::Commit(order, attempt) => match self.stand(order) {
                Stand::Paying(live, _) if live == attempt => {
                    (Outcome::Committed, Some(Event::Committed(order, attempt)))
                }
                Stand::Sold(paid) | Stand::Returned(paid) => (Outcome::AlreadyCommitted(paid), None),
                Stand::Held(_) | Stand::Expired | Stand::Canceled => (Outcome::Gone, None),
                stand => (over(stand), None),
            },
            Command::Release(order) => match self.stand(order) {
                Stand::Held(_) => (Outcome::Released, Some(Event::Canceled(order))),
                Stand::Paying(live, _) => (Outcome::InPayment(live), None),
                Stand::Expired | Stand::Canceled => (Outcome::AlreadyReleased, None),
                stand => (over(stand), None),
            },
            Command::Reclaim(order) => self.reclaim(sale, order, now, passed),
            Command::Return(order) => match self.stand(order) {
                Stand::Sold(_) => (Outcome::Returned, Some(Event::Returned(order))),
                Stand::Returned(_) => (Outcome::Returned, None),
                _ => (Outcome::NotSold, None),
            },
        }
    }

    fn reclaim(&self, sale: &Sale, order: Order, now: Moment, passed: Moment) -> (Outcome, Option<Event>) {
        match self.stand(order) {
            Stand::Held(until) if passed < until => (Outcome::Held(until), None),
            Stand::Canceled => (Outcome::Gone, None),
            Stand::Expired if self.refuses(sale, order) => (Outcome::Refused, None),
            Stand::Held(_) | Stand::Expired => {
                (Outcome::Held(now + HOLD_FOR), Some(Event::Reclaimed(order, now + HOLD_FOR)))
            }
            stand => (over(stand), None),
        }
    }
}

/// The answer where a command has nothing left to do.
fn over(stand: Stand) -> Outcome {
    match stand {
        Stand::Unknown => Outcome::Unknown,
        Stand::Paying(live, _) => Outcome::InProgress(live),
        Stand::Sold(paid) | Stand::Returned(paid) => Outcome::AlreadySold(paid),
        Stand::Held(_) | Stand::Expired | Stand::Canceled => Outcome::Expired,
    }
}

impl Command {
    pub(super) fn order(self) -> Order {
        match self {
            Self::Hold(order)
            | Self::Begin(order, _)
            | Self::End(order, _)
            | Self::Commit(order, _)
            | Self::Release(order)
            | Self::Reclaim(order)
            | Self::Return(order) => order,
        }
    }
}
