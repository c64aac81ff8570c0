//! `POST /admin/orders/{id}/refund`: the operator sends money back, whatever the policy says, never more than is left.
//!
//! All that is left takes the delivery back, as a cancel does, whether it was used or not. A part is a matter of money: the
//! delivery stays.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::money::Money;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Orders;
use super::books::Books;
use super::cancel::{Response, wrong_state};
use super::decide::{Decision, policy_of};
use super::refund::{Refund, Taken};
use crate::http::{Body, IdempotencyKey, MoneySchema, Operator, Outcome, Path, Problem, one_line};

/// Money that the operator sends back.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefundOrder)]
pub(super) struct Request {
    /// All that is left if left out.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<MoneySchema>)]
    amount: Option<Money>,
    /// For people; kept with the refund, and told to nobody else.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "the shade was broken")]
    reason: String,
    /// When the delivery is taken back: whether its units can be sold again. If left out they can, unless goods have left.
    #[serde(default)]
    #[garde(skip)]
    restock: Option<bool>,
}

/// Sends money of a completed order back. All that is left takes the delivery back too, even when it was used; a part leaves it.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/refund", tag = "admin", request_body = Request,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = Response),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: not paid, or nothing is left"),
        (status = 422, description = "idempotency_key_reused, invalid_body: more than is left"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(orders): State<Arc<Orders>>,
    Operator(operator): Operator,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<Json<Response>> {
    let hold = orders.any(&id).await?;
    let request = orders.remember("refund", operator.user, &key, hold.order, body.digest).await?;
    if !matches!(hold.state, HoldState::Sold | HoldState::Returned) {
        return Err(wrong_state(&hold, "Nothing was paid for it"));
    }
    let terms = orders.terms_of(&hold).await?;
    let policy = policy_of(&terms, hold.order.home());
    let own = RefundId::derived(&[&hold.order.0, b"operator", &request.record.key.0]);
    let refund = orders
        .decide(&hold, |books, now| {
            if let Some(made) = books.made(own) {
                return Ok(Decision::Made(made.clone()));
            }
            let (taken, amount) = body.value.wanted(books)?;
            let refund = books.refund(own, taken, amount, policy, body.value.reason.clone(), now);
            Ok(Decision::New(Refund { forced: Some(true), by: Some(operator.user), ..refund }))
        })
        .await?;
    orders.answer(&hold, refund, request).await.map(Json)
}

impl Request {
    /// What is taken back, and how much goes back.
    fn wanted(&self, books: &Books) -> Outcome<(Taken, i64)> {
        let left = books.left();
        let currency = books.hold.unit_price.currency;
        let amount = self.amount.unwrap_or(Money::new(left, currency));
        if amount.currency != currency || amount.amount < i64::from(self.amount.is_some()) {
            return Err(Problem::field("amount", format!("must be money in {currency}, and more than nothing")));
        }
        if amount.amount > left {
            let why = format!("{left} {currency} are left of what was paid");
            return Err(Problem::field("amount", why).with("left", Money::new(left, currency)));
        }
        let lines = if amount.amount == left { books.lines_left() } else { Vec::new() };
        if amount.amount == 0 && lines.is_empty() {
            return Err(wrong_state(&books.hold, "All of it went back already"));
        }
        let restock = self.restock.unwrap_or(books.after.shipping.is_none());
        let cost = if lines.is_empty() { 0 } else { amount.amount };
        Ok((Taken { lines, restock, cost, ..Taken::default() }, amount.amount))
    }
}

impl Orders {
    /// The order of this id, whoever placed it.
    pub(super) async fn any(&self, id: &str) -> Outcome<Hold> {
        let order: OrderId = id.parse().map_err(|_| Problem::not_found())?;
        self.ports.ledger.find(order).await?.ok_or_else(Problem::not_found)
    }
}
