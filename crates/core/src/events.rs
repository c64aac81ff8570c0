//! What roles tell each other. No personal data: people are named by their id, addresses by a reference.

use serde::{Deserialize, Serialize};

use crate::ids::{
    AddressId, EventId, OfferId, OfferNumber, OrderId, PaymentId, ProductId, RefundId, SessionId, UserId, VoucherId,
    digest_parts,
};
use crate::money::Money;
use crate::product::{Discount, OfferInfo, Product, RefundPolicy};
use crate::records::NewEvent;
use crate::step::Step;
use crate::time::Time;

/// The topics, each named after the role that writes it.
pub mod topics {
    /// Users and their sessions.
    pub const ACCOUNTS: &str = "accounts";
    /// Products and offers.
    pub const CATALOG: &str = "catalog";
    /// Decisions about completed orders; what happens to holds is in the ledger's journal.
    pub const ORDERS: &str = "orders";
    /// Money.
    pub const PAYMENTS: &str = "payments";
    /// Vouchers.
    pub const VOUCHERS: &str = "vouchers";
    /// Every one of them.
    pub const ALL: [&str; 5] = [ACCOUNTS, CATALOG, ORDERS, PAYMENTS, VOUCHERS];
}

/// Units of one line of an order that are taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TakenLine {
    /// The offer.
    pub offer: OfferNumber,
    /// Units that are taken back.
    pub quantity: u32,
    /// Units that the line had when it was sold.
    pub of: u32,
}

/// A message between roles. The tag is the event's kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum RoleEvent {
    /// accounts: someone signed up with a verified e-mail.
    #[serde(rename = "user.registered")]
    UserRegistered {
        /// Who.
        user: UserId,
        /// Their address, if they gave one.
        address: Option<AddressId>,
    },
    /// accounts: a person's address is another, or none.
    #[serde(rename = "user.changed")]
    UserChanged {
        /// Who.
        user: UserId,
        /// Their address, if they have one.
        address: Option<AddressId>,
    },
    /// accounts: it is verified who somebody is. Who, is not told.
    #[serde(rename = "user.identified")]
    UserIdentified {
        /// The one account of that person.
        user: UserId,
    },
    /// accounts: an account is gone. Whoever knows more of the person than this id forgets it.
    #[serde(rename = "user.erased")]
    UserErased {
        /// Who.
        user: UserId,
    },
    /// accounts: a session ended before its tokens did.
    #[serde(rename = "session.revoked")]
    SessionRevoked {
        /// Which.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// When the last access token of it expires by itself.
        tokens_until: Time,
    },
    /// catalog: a product is new or changed.
    #[serde(rename = "product.saved")]
    ProductSaved {
        /// As it is now.
        product: Product,
    },
    /// catalog: an offer is new or changed.
    #[serde(rename = "offer.saved")]
    OfferSaved {
        /// As it is now.
        offer: Box<OfferInfo>,
    },
    /// catalog: what people wish for can be had; they are to be told. One of several that name all of them.
    #[serde(rename = "wishes.granted")]
    WishesGranted {
        /// What they wish for.
        product: ProductId,
        /// What it is called.
        name: String,
        /// Where it is to be had.
        offer: OfferId,
        /// Who, each in one event only.
        users: Vec<UserId>,
    },
    /// payments: the money of an order is there; the ledger is to commit it.
    #[serde(rename = "payment.done")]
    PaymentDone {
        /// The order.
        order: OrderId,
        /// The attempt that paid.
        attempt: PaymentId,
        /// What was paid.
        amount: Money,
    },
    /// payments: the provider said no for good; the ledger is to end the payment.
    #[serde(rename = "payment.failed")]
    PaymentFailed {
        /// The order.
        order: OrderId,
        /// The attempt that failed.
        attempt: PaymentId,
    },
    /// orders: something became of an order that its buyer is told.
    #[serde(rename = "order.step")]
    OrderStep {
        /// The order.
        order: OrderId,
        /// Whose.
        user: UserId,
        /// What.
        step: Step,
    },
    /// orders: money is to go back for a completed order; what was delivered must be taken back first.
    #[serde(rename = "refund.requested")]
    RefundRequested {
        /// The refund.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// What goes back; amount 0 for a free order.
        amount: Money,
        /// Nobody asks whether it was used: what was delivered is voided even if it was, in part or wholly.
        forced: bool,
        /// What is taken back; all of the order when it is empty, as in events from before there were parts.
        #[serde(default)]
        lines: Vec<TakenLine>,
    },
    /// vouchers: nothing that was delivered can be used any more.
    #[serde(rename = "vouchers.voided")]
    VouchersVoided {
        /// The refund that asked.
        refund: RefundId,
        /// The order.
        order: OrderId,
    },
    /// vouchers: something was used in the meantime; the refund is refused.
    #[serde(rename = "vouchers.in_use")]
    VouchersInUse {
        /// The refund that asked.
        refund: RefundId,
        /// The order.
        order: OrderId,
    },
    /// vouchers: somebody has a coupon, or it was canceled. Whether it is used the ledger knows.
    #[serde(rename = "coupon.issued")]
    CouponIssued {
        /// The voucher that it is.
        voucher: VoucherId,
        /// A hash of its code, from which nobody can tell the code.
        code: EventId,
        /// Whose it is.
        user: UserId,
        /// The offer that sold it.
        offer: OfferNumber,
        /// What it takes off.
        discount: Discount,
        /// The least that an order must cost, in minor units.
        minimum_amount: Option<i64>,
        /// When it expires.
        valid_until: Time,
        /// Whether it was canceled; events from before that was told are of coupons that were not.
        #[serde(default)]
        voided: bool,
    },
    /// orders: units of a completed order are back in the ledger; what was delivered for them is void.
    #[serde(rename = "order.canceled")]
    OrderCanceled {
        /// The refund that took them back.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// What was taken back.
        lines: Vec<TakenLine>,
        /// Whether nothing of the order is left.
        whole: bool,
    },
    /// vouchers: somebody has a gift card, or it was canceled. What is left on it the ledger knows.
    #[serde(rename = "gift_card.saved")]
    GiftCardSaved {
        /// The voucher that it is.
        voucher: VoucherId,
        /// A hash of its code, from which nobody can tell the code.
        code: EventId,
        /// Whose it is.
        user: UserId,
        /// The offer that sold it.
        offer: OfferNumber,
        /// What was put on it.
        face: Money,
        /// When it expires.
        valid_until: Time,
        /// Whether it was canceled.
        voided: bool,
    },
    /// vouchers: an owner gave up what was left of a gift card; money is to go back for it.
    #[serde(rename = "gift_card.given_up")]
    GiftCardGivenUp {
        /// The refund that it becomes.
        refund: RefundId,
        /// The order that bought the card.
        order: OrderId,
        /// The offer that sold it.
        offer: OfferNumber,
        /// Minor units that were left.
        units: i64,
        /// Minor units that were put on it.
        face: i64,
        /// Percent of what they had cost that go back.
        percent: u8,
    },
    /// orders: the units are back in the ledger; the money is to be sent back.
    #[serde(rename = "refund.approved")]
    RefundApproved {
        /// The refund.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// What the provider sends back.
        amount: Money,
        /// What goes back to the order's gift card, in minor units.
        #[serde(default)]
        to_card: i64,
        /// For people and for the provider, in words that say nothing about a person.
        reason: String,
        /// The rule that the amount follows; it is missing in events from before it was told.
        #[serde(default)]
        policy: Option<RefundPolicy>,
        /// What of the amount is free of VAT, in minor units.
        #[serde(default)]
        tax_free: i64,
    },
    /// orders: what was delivered had been used; no money goes back.
    #[serde(rename = "refund.refused")]
    RefundRefused {
        /// The refund.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// What would have gone back.
        amount: Money,
        /// For people, in words that say nothing about a person.
        reason: String,
        /// The rule that the amount followed.
        policy: RefundPolicy,
    },
    /// payments: the money went back.
    #[serde(rename = "refund.done")]
    RefundDone {
        /// The refund.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// What the provider sent back.
        amount: Money,
        /// Minor units that went back beside it to the gift card that had paid a part.
        #[serde(default)]
        to_card: Option<i64>,
    },
    /// payments: the provider refuses to send money back; a person must look.
    #[serde(rename = "refund.quarantined")]
    RefundQuarantined {
        /// The refund.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// The provider's words.
        reason: String,
    },
    /// payments: money of a delivered order, or a part of it, went back at the provider's side, without us.
    #[serde(rename = "payment.canceled_by_provider")]
    CanceledByProvider {
        /// A refund of this id stands for it in the books.
        refund: RefundId,
        /// The order.
        order: OrderId,
        /// What went back.
        amount: Money,
        /// Whether nothing of the payment is left with it. Of several movements that were found together only the last.
        whole: bool,
        /// The attempt whose money it was; only what that one paid for is taken back. Events of old versions have none.
        #[serde(default)]
        attempt: Option<PaymentId>,
    },
}

impl RoleEvent {
    /// What the event is about, as text: the key that order is kept by.
    pub fn subject(&self) -> String {
        match self {
            Self::UserRegistered { user, .. }
            | Self::UserChanged { user, .. }
            | Self::UserIdentified { user }
            | Self::UserErased { user }
            | Self::SessionRevoked { user, .. } => user.to_string(),
            Self::ProductSaved { product } => product.product_id.to_string(),
            Self::OfferSaved { offer } => offer.offer_id.to_string(),
            Self::WishesGranted { product, .. } => product.to_string(),
            Self::CouponIssued { voucher, .. } | Self::GiftCardSaved { voucher, .. } => voucher.to_string(),
            Self::PaymentDone { order, .. }
            | Self::PaymentFailed { order, .. }
            | Self::OrderStep { order, .. }
            | Self::RefundRequested { order, .. }
            | Self::VouchersVoided { order, .. }
            | Self::VouchersInUse { order, .. }
            | Self::OrderCanceled { order, .. }
            | Self::GiftCardGivenUp { order, .. }
            | Self::RefundApproved { order, .. }
            | Self::RefundRefused { order, .. }
            | Self::RefundDone { order, .. }
            | Self::RefundQuarantined { order, .. }
            | Self::CanceledByProvider { order, .. } => order.to_string(),
        }
    }

    /// The event as a row of an outbox. Its id follows from its contents and time, so the same event is the same row.
    pub fn to_new(&self, at: Time) -> NewEvent {
        let tagged = serde_json::to_value(self).unwrap_or_default();
        let kind = tagged.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
        let data = tagged.get("data").map(ToString::to_string).unwrap_or_default();
        let digest = digest_parts(&kind, &[data.as_bytes(), &at.0.to_be_bytes()]);
        NewEvent { id: EventId::derived(&[&digest]), kind, subject: self.subject(), at, data }
    }

    /// Reads an event back from its kind and data.
    pub fn parse(kind: &str, data: &str) -> Result<Self, serde_json::Error> {
        let data: serde_json::Value = serde_json::from_str(data)?;
        serde_json::from_value(serde_json::json!({ "kind": kind, "data": data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn round_trip() {
        let event = RoleEvent::PaymentDone {
            order: OrderId([1; 16]),
            attempt: PaymentId([2; 16]),
            amount: Money::new(5, Currency::KRW),
        };
        let new = event.to_new(Time(1));
        assert_eq!(new.kind, "payment.done");
        assert_eq!(RoleEvent::parse(&new.kind, &new.data).expect("readable"), event);
    }
}
