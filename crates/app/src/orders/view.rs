//! An order as people see it.

use firstcome_core::discount::spread;
use firstcome_core::ids::{OfferId, OfferNumber, OrderId};
use firstcome_core::ledger::{Hold, HoldState, ReleaseReason};
use firstcome_core::money::Money;
use firstcome_core::order::OrderState;
use firstcome_core::tax::{free_to_pay, of_order};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::fee::fee_of;
use super::shipping::ShippingView;
use super::tax::TaxView;
use crate::http::MoneySchema;

/// One line of an order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineView {
    /// The offer.
    #[schema(value_type = String, example = "ofr_01h455vb4pex5vsknk084sn02q")]
    pub offer_id: OfferId,
    /// Units.
    pub quantity: u32,
    /// Price of one unit.
    #[schema(value_type = MoneySchema)]
    pub unit_price: Money,
    /// What of the order's discount is taken off this line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub discount: Option<Money>,
    /// The order's place in the offer's journal: who has a lower number came first.
    pub seq: u64,
}

/// Where an order stands.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderState)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes the texts of `OrderState`, which knows nothing of schemas")]
pub(super) enum OrderStateSchema {
    /// Its units are set aside and wait for money.
    Pending,
    /// A payment is under way.
    Paying,
    /// Paid, and delivered or being delivered.
    Completed,
    /// Its time ran out.
    Expired,
    /// Taken back.
    Canceled,
    /// Taken back in part.
    PartiallyCanceled,
    /// Delivered goods came back.
    Returned,
    /// Its payment failed for good.
    Failed,
}

/// An order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderView {
    /// Names it.
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    pub order_id: OrderId,
    /// Where it stands.
    #[schema(value_type = OrderStateSchema)]
    pub state: OrderState,
    /// Why it ended, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What it costs.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// What was taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub discount: Option<Money>,
    /// What sending its goods costs of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub shipping_fee: Option<Money>,
    /// What a gift card pays of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub gift_card: Option<Money>,
    /// What is left to pay at the provider; only beside `gift_card`, else it is `amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub to_pay: Option<Money>,
    /// What of it is supplied, what is VAT, and what is free of it.
    pub tax: TaxView,
    /// What of `to_pay` is free of VAT: what the provider is told of the charge. Only beside `gift_card`, else it is
    /// `tax.tax_free`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    pub to_pay_tax_free: Option<Money>,
    /// What it is for.
    pub lines: Vec<LineView>,
    /// When the units go back unless it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub hold_expires_at: Option<Time>,
    /// When it was granted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// Where its goods are, when it is paid and has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<ShippingView>,
}

impl OrderView {
    /// The order that a hold on its home offer is. `untaxed` tells of which offers nothing is ever taxed.
    pub fn of(hold: &Hold, offer: OfferId, untaxed: impl Fn(OfferNumber) -> bool) -> Self {
        let money = |amount| Money::new(amount, hold.unit_price.currency);
        let tax = of_order(hold, untaxed);
        let own = (offer, hold.quantity, hold.unit_price, hold.granted_seq);
        let elsewhere = hold
            .lines_elsewhere()
            .map(|line| (line.offer, line.quantity, line.unit_price, line.seq.unwrap_or(hold.granted_seq)));
        let lines: Vec<_> = std::iter::once(own).chain(elsewhere).collect();
        let amounts: Vec<i64> = lines.iter().map(|line| line.2.amount.saturating_mul(i64::from(line.1))).collect();
        let lines = lines.into_iter().zip(spread(hold.discount, &amounts)).map(|(line, discount)| LineView {
            offer_id: line.0,
            quantity: line.1,
            unit_price: line.2,
            discount: (discount > 0).then(|| money(discount)),
            seq: line.3,
        });
        Self {
            order_id: hold.order,
            state: OrderState::of(hold),
            reason: (hold.state == HoldState::Released).then(|| reason(hold.reason)),
            amount: hold.total(),
            discount: (hold.discount > 0).then(|| money(hold.discount)),
            shipping_fee: fee_of(hold),
            gift_card: hold.by_card().map(|part| money(part.amount)),
            to_pay: hold.by_card().map(|_| hold.due()),
            tax: TaxView::of(tax, hold.unit_price.currency),
            to_pay_tax_free: hold.by_card().map(|_| money(free_to_pay(hold, tax))),
            lines: lines.collect(),
            hold_expires_at: hold.state.is_open().then_some(hold.expires_at),
            created_at: hold.created_at,
            shipping: ShippingView::of(hold, None),
        }
    }
}

fn reason(reason: ReleaseReason) -> &'static str {
    match reason {
        ReleaseReason::Expired => "expired",
        ReleaseReason::Canceled => "canceled",
        ReleaseReason::Failed => "payment_failed",
        ReleaseReason::Aborted => "not_all_lines_available",
    }
}
