//! What an auditor can find wrong.

use std::fmt;

use crate::ids::{EventId, OfferNumber, OrderId, RefundId, UserId};
use crate::ledger::{HoldState, Stock};
use crate::time::Time;

/// A promise that a journal shows broken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Breach {
    /// Positions do not increase.
    #[error("position {found} comes after {before}")]
    Position {
        /// The position before.
        before: i64,
        /// This one.
        found: i64,
    },
    /// Sequence numbers have a gap, or one came twice.
    #[error("sequence number {expected} should come, {found} came")]
    Gap {
        /// What should come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A record does not carry the hash of the one before.
    #[error("the record is not chained to the one before")]
    Unchained,
    /// A record does not have the hash that is stored with it.
    #[error("the record's contents have another hash")]
    Altered,
    /// A record without events.
    #[error("the record is empty")]
    Empty,
    /// The ledger's clock ran backwards.
    #[error("time went back from {before} to {found}")]
    ClockBack {
        /// The time before.
        before: Time,
        /// This one.
        found: Time,
    },
    /// Something was recorded before the offer existed.
    #[error("there are no terms yet")]
    NoTerms,
    /// Terms were replaced by some that are not newer.
    #[error("terms of version {version} are not newer")]
    OldTerms {
        /// Their version.
        version: u32,
    },
    /// More is granted than there is.
    #[error("oversold: {held} held and {sold} sold of {stock}")]
    Oversold {
        /// All units.
        stock: u64,
        /// Set aside.
        held: u64,
        /// Sold.
        sold: u64,
    },
    /// Units appeared or vanished.
    #[error("not conserved: {available} available, {held} held and {sold} sold are not {stock}")]
    NotConserved {
        /// All units.
        stock: u64,
        /// Available.
        available: i128,
        /// Set aside.
        held: u64,
        /// Sold.
        sold: u64,
    },
    /// An order was granted, or aborted, when it had been already.
    #[error("{order} was decided twice")]
    DecidedTwice {
        /// The order.
        order: OrderId,
    },
    /// An adjustment counted twice.
    #[error("{0} was adjusted twice")]
    AdjustedTwice(EventId),
    /// A return counted twice.
    #[error("{order} was returned twice for {return_id}")]
    ReturnedTwice {
        /// The order.
        order: OrderId,
        /// The return.
        return_id: RefundId,
    },
    /// A person got more than the limit allows.
    #[error("{person} owns {owned} with a limit of {limit}")]
    OverLimit {
        /// The person.
        person: UserId,
        /// The limit then.
        limit: u32,
        /// What the person owned after it.
        owned: i64,
    },
    /// Granted before the offer opened or after it closed.
    #[error("{order} was granted at {at}, outside the window")]
    OutsideWindow {
        /// The order.
        order: OrderId,
        /// When.
        at: Time,
    },
    /// Granted while granting was stopped.
    #[error("{order} was granted while the offer was frozen")]
    GrantedFrozen {
        /// The order.
        order: OrderId,
    },
    /// A payment began after the hold's deadline.
    #[error("{order} began to pay after its deadline")]
    PaidLate {
        /// The order.
        order: OrderId,
    },
    /// A hold in payment was released.
    #[error("{order} was released in payment")]
    ReleasedInPayment {
        /// The order.
        order: OrderId,
    },
    /// A clock released a hold before its deadline, or a line whose order was not decided.
    #[error("{order} was released by time before its time")]
    ReleasedEarly {
        /// The order.
        order: OrderId,
    },
    /// An event about an order that was never granted.
    #[error("{order} does not exist")]
    NoSuchOrder {
        /// The order.
        order: OrderId,
    },
    /// An event that the order's state does not allow.
    #[error("this cannot happen to {order}, which is {state:?}")]
    Impossible {
        /// The order.
        order: OrderId,
        /// Its state.
        state: HoldState,
    },
    /// What the ledger says is not what its journal says.
    #[error("the journal says {journal:?}, the ledger says {ledger:?}")]
    Disagrees {
        /// Counted from the journal.
        journal: Stock,
        /// Claimed by the ledger.
        ledger: Stock,
    },
}

/// A breach and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The offer.
    pub offer: OfferNumber,
    /// The sequence number of the event.
    pub seq: u64,
    /// The position of its entry.
    pub position: i64,
    /// What is wrong.
    pub breach: Breach,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "offer {}, event {}, position {}: {}", self.offer, self.seq, self.position, self.breach)
    }
}
