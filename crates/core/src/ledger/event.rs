//! What the ledger decided, as its journal keeps it for ever.
//!
//! Encoded as CBOR (RFC 8949) with numbered fields: a field may be added under a new number, none is ever renumbered
//! or given another meaning, so that a journal of any age can be read.

use super::Terms;
use super::hold::Facts;
use crate::ids::{BodyDigest, EventId, OrderId, PaymentId, RefundId, UserId};
use crate::money::Money;
use crate::time::Time;

/// Why a hold ended without a sale.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// Its time ran out.
    #[n(0)]
    Expired,
    /// The buyer or the seller canceled it.
    #[n(1)]
    Canceled,
    /// Its payment failed for good.
    #[n(2)]
    Failed,
    /// The order never came to exist: another line of it could not be held.
    #[n(3)]
    Aborted,
}

/// Units granted to an order: all that the order's row needs.
#[derive(Clone, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Granted {
    /// The order.
    #[n(0)]
    pub order: OrderId,
    /// Whose order.
    #[n(1)]
    pub person: UserId,
    /// Units of this offer.
    #[n(2)]
    pub quantity: u32,
    /// Price of one unit when it was granted.
    #[n(3)]
    pub unit_price: Money,
    /// Minor units taken off the whole order.
    #[n(4)]
    pub discount: i64,
    /// Digest of the request.
    #[n(5)]
    pub digest: BodyDigest,
    /// When the hold expires; for a sale in one step, when it was granted.
    #[n(6)]
    pub expires_at: Time,
    /// The version of the terms that it was granted under.
    #[n(7)]
    pub terms_version: u32,
    /// What else the order's row needs.
    #[n(8)]
    pub facts: Option<Box<Facts>>,
}

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub enum Event {
    /// Units are set aside until `expires_at`.
    #[n(0)]
    Held(#[n(0)] Granted),
    /// A free order: units are held and sold in one step.
    #[n(1)]
    Sold(#[n(0)] Granted),
    /// Units are set aside for an order that another offer decides.
    #[n(2)]
    Prepared(#[n(0)] Granted),
    /// A prepared line became a hold.
    #[n(3)]
    Promoted {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The order's deadline.
        #[n(1)]
        expires_at: Time,
    },
    /// The order will never exist.
    #[n(4)]
    OrderAborted {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// Whose order it would have been.
        #[n(1)]
        person: UserId,
    },
    /// A payment is under way.
    #[n(5)]
    PaymentBegun {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The attempt.
        #[n(1)]
        attempt: PaymentId,
    },
    /// The payment failed; the hold goes on until its deadline.
    #[n(6)]
    PaymentEnded {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The attempt.
        #[n(1)]
        attempt: PaymentId,
    },
    /// The units are sold.
    #[n(7)]
    Committed {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The attempt that paid.
        #[n(1)]
        attempt: PaymentId,
    },
    /// The units are available again.
    #[n(8)]
    Released {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// Why.
        #[n(1)]
        reason: ReleaseReason,
    },
    /// A released order took units again, at its old price.
    #[n(9)]
    Reclaimed {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The new deadline.
        #[n(1)]
        expires_at: Time,
    },
    /// Sold units came back.
    #[n(10)]
    Returned {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// Names the return.
        #[n(1)]
        return_id: RefundId,
        /// Units.
        #[n(2)]
        quantity: u32,
        /// Whether they are available again; if not, they left the stock.
        #[n(3)]
        restock: bool,
    },
    /// The offer exists, or has newer terms.
    #[n(11)]
    TermsSet(#[n(0)] Terms),
    /// The stock changed.
    #[n(12)]
    Adjusted {
        /// Names the adjustment.
        #[n(0)]
        id: EventId,
        /// Units added, or taken away when negative.
        #[n(1)]
        delta: i64,
    },
    /// Nothing is granted until further notice.
    #[n(13)]
    Frozen,
    /// Granting goes on.
    #[n(14)]
    Unfrozen,
}

impl Event {
    /// The order that the event is about, if it is about one.
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::Held(granted) | Self::Sold(granted) | Self::Prepared(granted) => Some(granted.order),
            Self::Promoted { order, .. }
            | Self::OrderAborted { order, .. }
            | Self::PaymentBegun { order, .. }
            | Self::PaymentEnded { order, .. }
            | Self::Committed { order, .. }
            | Self::Released { order, .. }
            | Self::Reclaimed { order, .. }
            | Self::Returned { order, .. } => Some(*order),
            Self::TermsSet(_) | Self::Adjusted { .. } | Self::Frozen | Self::Unfrozen => None,
        }
    }
}
