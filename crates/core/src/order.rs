//! An order as people see it: a view of the hold on its home offer.

use crate::ledger::{Hold, HoldState, ReleaseReason};
use crate::text_enum;

text_enum! {
    /// Where an order stands.
    pub enum OrderState {
        /// Its units are set aside and wait for money.
        Pending = "PENDING",
        /// A payment is under way.
        Paying = "PAYING",
        /// Paid, and delivered or being delivered.
        Completed = "COMPLETED",
        /// Its time ran out.
        Expired = "EXPIRED",
        /// Taken back.
        Canceled = "CANCELED",
        /// Taken back in part.
        PartiallyCanceled = "PARTIALLY_CANCELED",
        /// Delivered goods came back.
        Returned = "RETURNED",
        /// Its payment failed for good.
        Failed = "FAILED",
    }
}

impl OrderState {
    /// The state that a hold on the home offer means.
    pub fn of(hold: &Hold) -> Self {
        match hold.state {
            HoldState::Prepared | HoldState::Held => Self::Pending,
            HoldState::Paying => Self::Paying,
            HoldState::Sold if hold.returned() > 0 => Self::PartiallyCanceled,
            HoldState::Sold => Self::Completed,
            HoldState::Returned if hold.returns().iter().any(|back| back.id.is_of_goods_returned()) => Self::Returned,
            HoldState::Returned => Self::Canceled,
            HoldState::Released => match hold.reason {
                ReleaseReason::Expired => Self::Expired,
                ReleaseReason::Canceled | ReleaseReason::Aborted => Self::Canceled,
                ReleaseReason::Failed => Self::Failed,
            },
        }
    }

    /// Whether units are set aside for such an order.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Paying)
    }
}

text_enum! {
    /// Where the goods of an order are.
    pub enum ShippingState {
        /// Being packed.
        Preparing = "PREPARING",
        /// With the carrier.
        Shipping = "SHIPPING",
        /// With the buyer.
        Delivered = "DELIVERED",
        /// The buyer wants to send them back.
        ReturnRequested = "RETURN_REQUESTED",
        /// They came back.
        Returned = "RETURNED",
        /// They do not come back.
        ReturnRefused = "RETURN_REFUSED",
    }
}
