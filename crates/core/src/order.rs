//! An order as people see it: a view of the hold on its home offer.

use crate::ids::RefundId;
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
            HoldState::Sold | HoldState::Returned if hold.returns().is_empty() => Self::Completed,
            HoldState::Sold | HoldState::Returned if !is_all_back(hold) => Self::PartiallyCanceled,
            HoldState::Sold | HoldState::Returned
                if hold.returns().iter().any(|back| back.id.is_of_goods_returned()) =>
            {
                Self::Returned
            }
            HoldState::Sold | HoldState::Returned => Self::Canceled,
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

/// Whether nothing is left of an order that was sold. One over several offers says so by a note, and every refund of it
/// leaves one; before there were notes its home spoke for all lines.
fn is_all_back(hold: &Hold) -> bool {
    let mut notes = hold.returns().iter().filter(|back| back.quantity == 0).peekable();
    match notes.peek() {
        None => hold.state == HoldState::Returned,
        Some(_) => notes.any(|note| note.id == RefundId::of_nothing_left(hold.order)),
    }
}

/// Days after their delivery within which goods may be sent back, where an order does not say otherwise.
pub const USUAL_DAYS_TO_RETURN: u16 = 7;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{OfferId, OfferNumber, OrderId, PaymentId, UserId};
    use crate::ledger::{Event, Facts, Granted, Line};
    use crate::money::{Currency, Money};
    use crate::time::Time;

    fn sold(others: u32) -> Hold {
        let person = UserId([3; 16]);
        let order = OrderId::of_request(person, "key", 0, OfferNumber(1));
        let unit_price = Money::new(100, Currency::KRW);
        let line = |number| Line {
            offer: OfferId::numbered(Time(1), OfferNumber(number), [0; 6]),
            quantity: 1,
            unit_price,
            seq: None,
        };
        let facts = Facts { other_lines: (2..2 + others).map(line).collect(), ..Facts::default() };
        let granted = Granted {
            order,
            person,
            quantity: 2,
            unit_price,
            discount: 0,
            digest: 0,
            expires_at: Time(9),
            terms_version: 1,
            facts: Some(Box::new(facts)),
        };
        let mut hold = Hold::created_by(&Event::Held(granted), 1, Time(1)).expect("it grants");
        hold.evolve(&Event::Committed { order, attempt: PaymentId([1; 16]) }, 2);
        hold
    }

    fn back(hold: &mut Hold, id: RefundId, quantity: u32) -> OrderState {
        hold.evolve(&Event::Returned { order: hold.order, return_id: id, quantity, restock: true }, hold.seq + 1);
        OrderState::of(hold)
    }

    #[test]
    fn every_line_counts() {
        use OrderState::{Canceled, Completed, PartiallyCanceled, Returned};
        let (one, two) = (RefundId([1; 16]), RefundId([2; 16]));
        let mut single = sold(0);
        assert_eq!(OrderState::of(&single), Completed);
        assert_eq!((back(&mut single, one, 1), back(&mut single, two, 1)), (PartiallyCanceled, Canceled));

        let mut several = sold(1);
        assert_eq!(back(&mut several, one.noted(), 0), PartiallyCanceled, "of another line only");
        assert_eq!(
            (back(&mut several, two, 2), back(&mut several, two.noted(), 0)),
            (PartiallyCanceled, PartiallyCanceled)
        );
        let nothing_left = RefundId::of_nothing_left(several.order);
        assert_eq!(back(&mut several, nothing_left, 0), Canceled);

        let mut goods = sold(1);
        let returned = RefundId::of_goods_returned(goods.order);
        assert_eq!(back(&mut goods, returned.noted(), 0), PartiallyCanceled);
        assert_eq!((back(&mut goods, one, 2), back(&mut goods, nothing_left, 0)), (PartiallyCanceled, Returned));

        let mut old = sold(1);
        assert_eq!(back(&mut old, one, 2), Canceled, "from before there were notes");
    }
}
