//! The parcel of an order of goods: `POST /admin/orders/{id}/ship` and `/deliver`. What comes back is in [`super::returns`].
//!
//! `PREPARING -> SHIPPING -> DELIVERED -> RETURN_REQUESTED -> RETURNED | RETURN_REFUSED`. Nothing is written while goods are
//! being prepared. From the moment they leave the order is no more canceled but returned.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::events::TakenLine;
use firstcome_core::ids::{EventId, OrderId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::order::{OrderState, ShippingState};
use firstcome_core::records::{Field as _, Record as _, Value};
use firstcome_core::step::Step;
use firstcome_core::time::Time;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Orders;
use super::admin::SoldOrder;
use super::books::{AfterSale, Books};
use super::cancel::{CancelRequest, wrong_state};
use crate::http::{Body, NoBody, Operator, Outcome, Path, Problem, one_line};

/// What is known of a parcel.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parcel {
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's number for it.
    pub tracking: Option<String>,
    /// When it left.
    pub shipped_at: Option<Time>,
    /// When the buyer got it.
    pub delivered_at: Option<Time>,
    /// What the buyer wants to send back.
    pub returning: Option<Returning>,
}

/// Goods that the buyer wants to send back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Returning {
    /// The request that asked for it; missing in rows of old versions.
    #[serde(default)]
    pub request: Option<EventId>,
    /// Units of lines.
    pub lines: Vec<TakenLine>,
    /// Why, for people.
    pub reason: Option<String>,
    /// When the buyer asked.
    pub requested_at: Time,
    /// When the shop agreed.
    pub approved_at: Option<Time>,
    /// When they came back, or were refused.
    pub ended_at: Option<Time>,
    /// Why they were refused.
    pub refusal: Option<String>,
}

impl Returning {
    /// Whether this request asked for it.
    pub(super) fn is_of(&self, asked: &CancelRequest) -> bool {
        self.request.map_or(asked.answered, |request| request == asked.key)
    }
}

/// Where the goods of an order are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShippingView {
    /// `PREPARING`, `SHIPPING`, `DELIVERED`, `RETURN_REQUESTED`, `RETURNED` or `RETURN_REFUSED`.
    #[schema(value_type = String, example = "SHIPPING")]
    state: ShippingState,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CJ Logistics")]
    carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "123456789012")]
    tracking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    shipped_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<Time>,
    /// Until when the buyer may ask to send it back; only while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    return_until: Option<Time>,
    /// What the buyer wants to send back, or has.
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    returning: Option<ReturnView>,
}

/// Goods that are sent back.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ReturnView {
    /// Units that are sent back.
    quantity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    requested_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    approved_at: Option<Time>,
    /// When they came back, or were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    /// Why they were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

/// Whether goods are, or were, to be sent for this order.
pub(super) fn has_goods(hold: &Hold) -> bool {
    let is_sold = matches!(hold.state, HoldState::Sold | HoldState::Returned);
    is_sold && hold.facts.as_ref().is_some_and(|facts| facts.address.is_some())
}

/// Until when goods of an order may be sent back that were delivered at this time: as it was promised when it was placed.
pub(super) fn return_until(hold: &Hold, delivered_at: Time) -> Time {
    delivered_at + Duration::from_hours(24) * u32::from(hold.days_to_return())
}

/// Whether nothing is left of an order that was sold, on any of its lines.
fn is_over(hold: &Hold) -> bool {
    matches!(OrderState::of(hold), OrderState::Canceled | OrderState::Returned)
}

impl ShippingView {
    /// Where the goods of an order are, by its row; none when there are none, or when they never left.
    pub(super) fn of(hold: &Hold, after: Option<&AfterSale>) -> Option<Self> {
        let shipping = after.and_then(|after| after.shipping);
        if !has_goods(hold) || is_over(hold) && shipping.is_none() {
            return None;
        }
        let parcel = after.map(|after| after.parcel.0.clone()).unwrap_or_default();
        let Parcel { carrier, tracking, shipped_at, delivered_at, returning } = parcel;
        let returning = returning.map(|returning| ReturnView {
            quantity: returning.lines.iter().map(|line| line.quantity).sum(),
            reason: returning.reason,
            requested_at: returning.requested_at,
            approved_at: returning.approved_at,
            ended_at: returning.ended_at,
            refusal: returning.refusal,
        });
        let state = shipping.unwrap_or(ShippingState::Preparing);
        let arrived = delivered_at.filter(|_| state == ShippingState::Delivered);
        let return_until = arrived.map(|delivered_at| return_until(hold, delivered_at));
        Some(Self { state, carrier, tracking, shipped_at, delivered_at, return_until, returning })
    }
}

/// A parcel that leaves.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShipOrder)]
pub(super) struct Request {
    /// Who carries it.
    #[garde(length(chars, min = 1, max = 100), custom(one_line))]
    #[schema(example = "CJ Logistics")]
    carrier: String,
    /// The carrier's number for it.
    #[garde(length(chars, min = 1, max = 100), custom(one_line))]
    #[schema(example = "123456789012")]
    tracking: String,
}

/// The goods of a paid order have left. From here on it is no more canceled, but returned.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/ship", tag = "admin", request_body = Request,
    params(("id" = String, Path)),
    responses(
        (status = 200, body = SoldOrder),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: nothing to ship, shipped already, or canceled"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn ship(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    Path(id): Path<String>,
    body: Body<Request>,
) -> Outcome<Json<SoldOrder>> {
    let hold = orders.any(&id).await?;
    orders
        .step(&hold, |books, now| {
            let is_goods = |line: &TakenLine| orders.facts.is_goods(line.offer);
            if !has_goods(&hold) || !books.lines_left().iter().any(is_goods) {
                return Err(wrong_state(&hold, "There is nothing to ship for it"));
            }
            books.moves(ShippingState::Preparing, ShippingState::Shipping)?;
            let parcel = &mut books.after.parcel.0;
            parcel.carrier = Some(body.value.carrier.clone());
            parcel.tracking = Some(body.value.tracking.clone());
            parcel.shipped_at = Some(now);
            let Request { carrier, tracking } = &body.value;
            books.told = Some(Step::Shipped { carrier: carrier.clone(), tracking: tracking.clone() });
            Ok(())
        })
        .await
}

/// The buyer has the goods. The time to send them back begins.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/deliver", tag = "admin",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = SoldOrder),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: not under way"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn deliver(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<Json<SoldOrder>> {
    let hold = orders.any(&id).await?;
    orders
        .step(&hold, |books, now| {
            books.moves(ShippingState::Shipping, ShippingState::Delivered)?;
            books.after.parcel.0.delivered_at = Some(now);
            books.told = Some(Step::Delivered { days_to_return: books.hold.days_to_return() });
            Ok(())
        })
        .await
}

impl Books {
    /// Moves the goods on, if they are where that begins.
    pub(super) fn moves(&mut self, from: ShippingState, to: ShippingState) -> Outcome<()> {
        let is = self.after.shipping.unwrap_or(ShippingState::Preparing);
        if is != from || !has_goods(&self.hold) {
            return Err(self.not_there());
        }
        self.after.shipping = Some(to);
        Ok(())
    }

    /// The goods are not where that would be possible.
    pub(super) fn not_there(&self) -> Problem {
        let is = has_goods(&self.hold).then(|| self.after.shipping.unwrap_or(ShippingState::Preparing));
        wrong_state(&self.hold, "Not possible where the goods are now").with("shipping", is)
    }
}

impl Orders {
    /// Changes where the goods of an order are, and shows the seller what has become of it.
    pub(super) async fn step(
        &self,
        hold: &Hold,
        change: impl Fn(&mut Books, Time) -> Outcome<()>,
    ) -> Outcome<Json<SoldOrder>> {
        let changed = self.change(hold, |books, now| change(books, now).map(|()| books.after.clone())).await?;
        self.sold_order(hold, &changed).await.map(Json)
    }

    /// The rows of those orders of goods that have one.
    pub(super) async fn parcels(&self, holds: impl Iterator<Item = &Hold>) -> Outcome<HashMap<OrderId, AfterSale>> {
        let keys: Vec<Value> = holds.filter(|hold| has_goods(hold)).map(|hold| hold.order.to_value()).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = self.ports.records.get_many(AfterSale::TABLE, keys).await?;
        let read = rows.into_iter().filter_map(|row| AfterSale::from_values(row.values).ok());
        Ok(read.map(|after| (after.order, after)).collect())
    }
}
