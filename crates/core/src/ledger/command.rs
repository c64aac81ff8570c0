//! What the ledger can be asked. Every command may come again; see each outcome for what it answers then.

use super::hold::Facts;
use super::{ReleaseReason, Terms};
use crate::ids::{BodyDigest, EventId, OrderId, PaymentId, RefundId, UserId};
use crate::money::Money;

/// Units asked for by one order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HoldRequest {
    /// Names the request: the same order is the same request.
    pub order: OrderId,
    /// Whose limit counts.
    pub person: UserId,
    /// Units of this offer, at least 1.
    pub quantity: u32,
    /// What one of them must cost for the discount to be right; none when it may cost whatever it costs.
    pub unit_price: Option<Money>,
    /// The digest of the request's body; another body under the same order is refused.
    pub digest: BodyDigest,
    /// Minor units taken off the price of the whole order.
    pub discount: i64,
    /// What else the order's row needs; the ledger keeps it and does not look inside, except at the other lines' prices.
    pub facts: Option<Box<Facts>>,
}

/// One thing asked of one offer's ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Set units aside for an order; for a free order of this offer alone grant them for good.
    Hold(HoldRequest),
    /// Set units of another offer aside for an order whose home decides later. Not payable, not released by time.
    Prepare(HoldRequest),
    /// The home offer holds the order: a prepared line becomes a hold with the order's deadline. For a free order
    /// (`paid` false and a total of 0) the caller commits it afterwards like any other.
    Promote {
        /// The order.
        order: OrderId,
        /// The order's one deadline, as the home offer's `Held` says.
        expires_at: crate::time::Time,
    },
    /// Record on the home offer that the order will never exist; a late `Hold` of it is refused from then on.
    Abort {
        /// The order.
        order: OrderId,
        /// Whose order it would have been.
        person: UserId,
    },
    /// Pin a hold while its payment is under way. From here no clock releases it.
    BeginPayment {
        /// The order.
        order: OrderId,
        /// The attempt that begins; the same again is answered the same.
        attempt: PaymentId,
    },
    /// The provider said a final no: back to held, with the old deadline.
    EndPayment {
        /// The order.
        order: OrderId,
        /// The attempt that failed.
        attempt: PaymentId,
    },
    /// The money is there: the units that this attempt pinned are sold. No other attempt buys them, so that a late commit
    /// of money that went back never takes a hold that was reclaimed since.
    Commit {
        /// The order.
        order: OrderId,
        /// The attempt that paid.
        attempt: PaymentId,
    },
    /// Give the units of a hold back.
    Release {
        /// The order.
        order: OrderId,
        /// Why; kept on the order.
        reason: ReleaseReason,
    },
    /// An expired order was paid late: take units again, if there are any, the limit allows and nothing is frozen.
    Reclaim {
        /// The order.
        order: OrderId,
        /// Pin them for this attempt in the same step, with no time beside it: when the payment ends, the order has expired
        /// again. So of an order over several offers no line is held while another cannot be had. Without an attempt the
        /// order has its time once more, and what pays begins its payment anew.
        attempt: Option<PaymentId>,
    },
    /// Release the oldest holds whose deadline has passed, at most [`super::EXPIRE_AT_MOST`]; never one in payment.
    Expire,
    /// Sold units come back.
    Return {
        /// The order.
        order: OrderId,
        /// Names the return: the same id counts once.
        return_id: RefundId,
        /// Units that come back, at least 1.
        quantity: u32,
        /// Whether they can be sold again; if not, they leave the stock.
        restock: bool,
    },
    /// Create the offer, or replace its terms by a newer version.
    SetTerms(Terms),
    /// Change the stock.
    Adjust {
        /// Names the adjustment: the same id counts once.
        id: EventId,
        /// Units to add, or to take away when negative.
        delta: i64,
    },
    /// Stop granting.
    Freeze,
    /// Grant again.
    Unfreeze,
}

impl Command {
    /// The order that the command is about, if it is about one.
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::Hold(request) | Self::Prepare(request) => Some(request.order),
            Self::Promote { order, .. }
            | Self::Abort { order, .. }
            | Self::BeginPayment { order, .. }
            | Self::EndPayment { order, .. }
            | Self::Commit { order, .. }
            | Self::Release { order, .. }
            | Self::Reclaim { order, .. }
            | Self::Return { order, .. } => Some(*order),
            Self::Expire | Self::SetTerms(_) | Self::Adjust { .. } | Self::Freeze | Self::Unfreeze => None,
        }
    }
}
