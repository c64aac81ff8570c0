//! What is told: the body of a notice has a `type`, a `timestamp` (when it happened) and `data`: ids and amounts.

use std::fmt::Display;

use firstcome_core::ids::{NoticeId, OfferId, OrderId, RefundId, WebhookId};
use firstcome_core::ledger::{Hold, Stock};
use firstcome_core::money::Money;
use firstcome_core::text_enum;
use firstcome_core::time::Time;
use serde::Serialize;
use serde_json::{Value, json};

text_enum! {
    /// What a notice tells.
    #[derive(utoipa::ToSchema)]
    pub(super) enum NoticeKind {
        /// An order is paid, or was free.
        OrderCompleted = "order.completed",
        /// An order was withdrawn before it was paid, or units of it were taken back afterwards.
        OrderCanceled = "order.canceled",
        /// Money of an order went back.
        OrderRefunded = "order.refunded",
        /// The last unit of an offer is sold.
        OfferSoldOut = "offer.sold_out",
        /// Somebody tries whether it arrives.
        Test = "webhook.test",
    }
}

/// One thing to be told.
pub(super) struct Notice {
    /// The same for the same thing, for ever.
    pub(super) id: NoticeId,
    /// What it tells.
    pub(super) kind: NoticeKind,
    /// What it is about.
    pub(super) subject: String,
    /// When it happened.
    pub(super) at: Time,
    /// What is sent.
    pub(super) body: String,
}

/// Units of one line of an order.
#[derive(Serialize)]
pub(super) struct Units {
    pub(super) offer_id: OfferId,
    pub(super) quantity: u32,
    /// What each cost; left out where nothing was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit_price: Option<Money>,
}

impl Notice {
    /// `names` tell it from every other of its kind.
    fn new(kind: NoticeKind, names: &[&[u8]], subject: impl Display, at: Time, data: Value) -> Self {
        let id = NoticeId::derived(&[&[kind.as_str().as_bytes()], names].concat());
        let body = json!({ "type": kind, "timestamp": at, "data": data }).to_string();
        Self { id, kind, subject: subject.to_string(), at, body }
    }

    /// An order is paid, or was free.
    pub(super) fn order_completed(hold: &Hold, home: OfferId, at: Time) -> Self {
        let order = hold.order;
        let mut data = json!({ "order_id": order, "amount": hold.total(), "lines": lines(hold, home, true) });
        if hold.discount > 0 {
            data["discount"] = json!(Money::new(hold.discount, hold.unit_price.currency));
        }
        if let Some(part) = hold.by_card() {
            data["gift_card"] = json!(Money::new(part.amount, hold.unit_price.currency));
        }
        Self::new(NoticeKind::OrderCompleted, &[&order.0], order, at, data)
    }

    /// An order was withdrawn before it was paid.
    pub(super) fn order_withdrawn(hold: &Hold, home: OfferId, at: Time) -> Self {
        let order = hold.order;
        let data = json!({
            "order_id": order, "refund_id": null, "whole": true, "lines": lines(hold, home, false),
        });
        Self::new(NoticeKind::OrderCanceled, &[&order.0, &RefundId::NIL.0], order, at, data)
    }

    /// Units of a completed order were taken back.
    pub(super) fn order_canceled(order: OrderId, refund: RefundId, lines: &[Units], whole: bool, at: Time) -> Self {
        let data = json!({ "order_id": order, "refund_id": refund, "whole": whole, "lines": lines });
        Self::new(NoticeKind::OrderCanceled, &[&order.0, &refund.0], order, at, data)
    }

    /// Money of an order went back: by the provider, and minor units of it to the gift card that had paid a part.
    pub(super) fn order_refunded(
        order: OrderId,
        refund: RefundId,
        amount: Money,
        to_card: Option<i64>,
        at: Time,
    ) -> Self {
        let mut data = json!({ "order_id": order, "refund_id": refund, "amount": amount });
        if let Some(to_card) = to_card {
            data["to_gift_card"] = json!(Money::new(to_card, amount.currency));
        }
        Self::new(NoticeKind::OrderRefunded, &[&order.0, &refund.0], order, at, data)
    }

    /// The last unit of an offer is sold. `seq` tells it from the time before, if units came back in between.
    pub(super) fn offer_sold_out(offer: OfferId, stock: &Stock, seq: u64, at: Time) -> Self {
        let data = json!({ "offer_id": offer, "stock": stock.stock, "sold": stock.sold });
        Self::new(NoticeKind::OfferSoldOut, &[&offer.0, &seq.to_be_bytes()], offer, at, data)
    }

    /// Somebody tries whether a notice arrives. `chance` tells it from other tries.
    pub(super) fn test(webhook: WebhookId, chance: [u8; 16], at: Time) -> Self {
        Self::new(NoticeKind::Test, &[&webhook.0, &chance], webhook, at, json!({ "webhook_id": webhook }))
    }
}

/// The lines of an order, its home first.
fn lines(hold: &Hold, home: OfferId, priced: bool) -> Vec<Units> {
    let own = (home, hold.quantity, hold.unit_price);
    let others = hold.lines_elsewhere().map(|line| (line.offer, line.quantity, line.unit_price));
    let units = |(offer_id, quantity, price)| Units { offer_id, quantity, unit_price: priced.then_some(price) };
    std::iter::once(own).chain(others).map(units).collect()
}
