//! `POST /admin/orders/{id}/resend`: the e-mail of a step is written to the buyer again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::money::Money;
use firstcome_core::order::OrderState;
use firstcome_core::payment::RefundState;
use firstcome_core::records::Unit;
use firstcome_core::step::{Step, StepKind};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::books::{Books, sold_lines};
use super::cancel::wrong_state;
use super::{Orders, steps};
use crate::http::{Body, Operator, Outcome, Path};

/// Which e-mail.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResendStep)]
pub(super) struct Request {
    /// `completed`, `vouchers`, `unpaid`, `canceled`, `refunded`, `refund_refused`, `shipped`, `delivered`,
    /// `return_requested`, `return_approved`, `return_refused` or `return_received`.
    #[garde(skip)]
    #[schema(value_type = String, example = "vouchers")]
    step: StepKind,
}

/// What is on its way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResentStep)]
pub(super) struct Response {
    #[schema(value_type = String)]
    order_id: OrderId,
    #[schema(value_type = String, example = "vouchers")]
    step: StepKind,
}

/// Writes to the buyer again what became of an order. Nobody is written to whose account was deleted.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/resend", tag = "admin", request_body = Request,
    params(("id" = String, Path)),
    responses(
        (status = 202, body = Response),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: that has not become of it, or buyers are not written about it"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    Path(id): Path<String>,
    body: Body<Request>,
) -> Outcome<(StatusCode, Json<Response>)> {
    let hold = orders.any(&id).await?;
    let kind = body.value.step;
    if orders.ports.unwritten.has(kind) {
        return Err(wrong_state(&hold, "Buyers are not written about that: mails.off says so"));
    }
    let books = Books::read(&*orders.ports.records, &hold).await?;
    let step = orders.step_of(&books, kind);
    let step = step.ok_or_else(|| wrong_state(&hold, "That has not become of this order"))?;
    let now = orders.ports.clock.now();
    orders.ports.records.commit(Unit::new().event(&steps::told(&hold, step), now)).await?;
    Ok((StatusCode::ACCEPTED, Json(Response { order_id: hold.order, step: kind })))
}

impl Orders {
    /// The step of this kind that an order has been through, the latest of several.
    fn step_of(&self, books: &Books, kind: StepKind) -> Option<Step> {
        let hold = &books.hold;
        let is_sold = matches!(hold.state, HoldState::Sold | HoldState::Returned);
        let is_digital = || sold_lines(hold).iter().any(|line| !self.facts.is_goods(line.offer));
        let parcel = &books.after.parcel.0;
        let returning = parcel.returning.as_ref();
        match kind {
            StepKind::Completed => is_sold.then(|| Step::completed(hold)),
            StepKind::Vouchers => (is_sold && is_digital()).then_some(Step::Vouchers),
            StepKind::Unpaid => {
                matches!(OrderState::of(hold), OrderState::Expired | OrderState::Failed).then_some(Step::Unpaid)
            }
            StepKind::Canceled if is_sold => taken_back(books),
            StepKind::Canceled => (OrderState::of(hold) == OrderState::Canceled).then_some(Step::Withdrawn),
            StepKind::Refunded => refunded(books),
            StepKind::RefundRefused => books.any_refused().then_some(Step::RefundRefused),
            StepKind::Shipped => parcel.shipped_at.map(|_| Step::Shipped {
                carrier: parcel.carrier.clone().unwrap_or_default(),
                tracking: parcel.tracking.clone().unwrap_or_default(),
            }),
            StepKind::Delivered => {
                parcel.delivered_at.map(|_| Step::Delivered { days_to_return: hold.days_to_return() })
            }
            StepKind::ReturnRequested => returning.map(|_| Step::ReturnRequested),
            StepKind::ReturnApproved => returning?.approved_at.map(|_| Step::ReturnApproved),
            StepKind::ReturnRefused => returning?.refusal.as_ref().map(|_| Step::ReturnRefused),
            StepKind::ReturnReceived => {
                returning.filter(|it| it.ended_at.is_some() && it.refusal.is_none()).map(|_| Step::ReturnReceived)
            }
        }
    }
}

/// What of a sold order was taken back, all together.
fn taken_back(books: &Books) -> Option<Step> {
    let taken = |hold: &Hold| {
        let left = books.lines_left();
        let left = move |offer| left.iter().find(|line| line.offer == offer).map_or(0, |line| line.quantity);
        let lines = sold_lines(hold).into_iter().map(|line| firstcome_core::events::TakenLine {
            offer: line.offer,
            quantity: line.quantity.saturating_sub(left(line.offer)),
            of: line.quantity,
        });
        lines.filter(|line| line.quantity > 0).collect::<Vec<_>>()
    };
    let lines = taken(&books.hold);
    let whole = matches!(OrderState::of(&books.hold), OrderState::Canceled | OrderState::Returned);
    (OrderState::of(&books.hold) != OrderState::Completed && !lines.is_empty())
        .then_some(Step::TakenBack { lines, whole })
}

/// The money of the last refund that is done.
fn refunded(books: &Books) -> Option<Step> {
    let done = books.standing().filter(|refund| refund.state == RefundState::Done && refund.amount > 0);
    let last = done.max_by_key(|refund| refund.created_at)?;
    let amount: Money = last.from_charge();
    Some(Step::Refunded { amount, to_card: last.to_card() })
}
