//! What the ledger answers. Business outcomes are values, never errors.

use super::hold::Hold;
use crate::ids::{OrderId, PaymentId};
use crate::time::Time;

/// Why units were not granted, in order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// There is no such offer.
    UnknownOffer,
    /// The offer does not grant until further notice.
    Frozen,
    /// The offer is over. `Reclaim`: what it sells can be used no more.
    Closed,
    /// The offer has not begun.
    NotOpenYet {
        /// When it begins.
        opens_at: Time,
    },
    /// More units than one order may ask for, or none at all.
    TooMany {
        /// The most that one order may ask for.
        max_per_order: u32,
    },
    /// More units than the person may have.
    OverLimit {
        /// The most that a person may have.
        limit: u32,
        /// What the person holds and owns now.
        owned: u32,
    },
    /// Not enough units are available.
    SoldOut {
        /// Units that others hold and might give back.
        held: u64,
        /// The next deadline of a hold that is not in payment.
        next_release_at: Option<Time>,
    },
}

/// The answer to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// `Hold`, `Prepare`, `Promote` or `Reclaim`: the units are set aside; the hold as it is now.
    Held(Hold),
    /// `Hold` of a free order: the units are sold; the hold as it is now.
    Granted(Hold),
    /// `Hold` or `Prepare` of an order that has its units already, or had them: the hold as it is now, whatever its state.
    /// `Abort` of an order that exists: it cannot be undone so.
    AlreadyHeld(Hold),
    /// `Hold` or `Prepare` under an order id that belongs to another person or another body.
    KeyReused,
    /// No units were granted; nothing changed, and nothing is promised about the next try. Any command but `SetTerms` and
    /// `Expire` of an offer that does not exist.
    Refused(Refusal),
    /// `Abort`: recorded.
    Aborted {
        /// The sequence number of its event.
        seq: u64,
    },
    /// `BeginPayment`, or `Reclaim` with an attempt: the hold is pinned for this attempt.
    Paying(Hold),
    /// Another attempt holds the order; for `Promote` and `Reclaim`, any attempt does.
    PaymentInProgress {
        /// The live attempt.
        attempt: PaymentId,
    },
    /// `BeginPayment`, `EndPayment` or `Promote`: the hold is over, or past its deadline.
    Expired,
    /// The order is paid already, also when its units came back since.
    AlreadySold {
        /// The attempt that paid.
        attempt: PaymentId,
    },
    /// The ledger has never granted anything to this order, or has only prepared a line of it, which cannot be paid.
    Unknown,
    /// `EndPayment`: the hold goes on with its old deadline.
    PaymentEnded(Hold),
    /// `Commit`: the units are sold.
    Committed {
        /// The sequence number of its event.
        seq: u64,
    },
    /// `Commit` of an order that is sold.
    AlreadyCommitted {
        /// The sequence number of the last event about it.
        seq: u64,
        /// The attempt that paid; when it is another, this money must go back.
        attempt: PaymentId,
    },
    /// There is no hold to act on any more. `Commit`: no payment of this attempt is under way; a hold that nobody pins is
    /// not sold. `Reclaim`: the order did not expire, it was canceled or failed. `Hold` or `Prepare`: it was aborted, or
    /// the price is another than the request was made with.
    Gone,
    /// `Release`: the units are available again.
    Released {
        /// The sequence number of its event.
        seq: u64,
    },
    /// `Release` of an order that was released.
    AlreadyReleased {
        /// The sequence number of the last event about it.
        seq: u64,
    },
    /// `Release` of an order in payment.
    InPayment {
        /// The live attempt.
        attempt: PaymentId,
    },
    /// `Expire`: the orders whose holds were released, oldest deadline first.
    ReleasedByTime(Vec<OrderId>),
    /// `Return`: the units came back.
    Returned {
        /// The sequence number of its event.
        seq: u64,
    },
    /// `Return` of what is not sold.
    NotSold,
    /// `Return` of more units than are left, or of none.
    TooManyReturned {
        /// Units that can still come back.
        left: u32,
    },
    /// `SetTerms`, `Adjust`, `Freeze`, `Unfreeze`: it is so.
    Done {
        /// The sequence number of its event, or of the offer's last when nothing changed.
        seq: u64,
    },
    /// `Adjust`: the stock would fall below what is held and sold, or leave its range.
    WouldGoNegative {
        /// Units that could be taken away.
        available: u64,
    },
}

impl Outcome {
    /// Whether units were refused. The refusal of a `Hold` is the only outcome that may be answered before anything is
    /// durable; that of a `Reclaim` speaks of an order that exists, and waits like the rest.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
