//! `POST /orders/{id}/cancel`: an unpaid order is taken back at once; a completed one through a refund.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, OrderId, RefundId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldState, Outcome as LedgerOutcome, ReleaseReason};
use firstcome_core::money::Money;
use firstcome_core::order::OrderState;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::product::RefundPolicy;
use firstcome_core::record;
use firstcome_core::records::{RecordsExt, Stored, Unit};
use firstcome_core::time::Time;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Orders;
use super::decide::{Decision, LineRequest, some_lines};
use super::refund::{CANCELED, Refund};
use super::tax::TaxView;
use super::view::OrderStateSchema;
use crate::actions::aside;
use crate::http::{Body, Buyer, IdempotencyKey, MoneySchema, Outcome, Path, Problem, one_line};

record! {
    /// A request to cancel, return or refund, so that its key means the same when it comes again.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct CancelRequest in "cancel_requests" {
        /// Person and key.
        pub key: EventId,
        /// Order and body.
        pub digest: Vec<u8>,
        /// When it came first.
        pub at: Time,
        /// Whether it was answered with a refund. Then it is answered so for good, also when the refund is refused later;
        /// only a refusal is decided anew.
        pub answered: bool,
    }
    indexes []
}

/// Why a buyer cancels.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelOrder)]
pub(super) struct Request {
    /// For people; kept with the refund.
    #[serde(default)]
    #[garde(inner(length(chars, max = 200), custom(one_line)))]
    #[schema(example = "changed my mind")]
    reason: Option<String>,
    /// Units of some lines; all of the order if left out. Only of a completed order.
    #[serde(default)]
    #[garde(dive, custom(some_lines))]
    lines: Option<Vec<LineRequest>>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CanceledOrder)]
pub(super) struct Response {
    #[schema(value_type = String)]
    pub(super) order_id: OrderId,
    #[schema(value_type = OrderStateSchema)]
    pub(super) state: OrderState,
    /// Null when no money goes back.
    pub(super) refund: Option<RefundView>,
}

/// Money on its way back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub(super) struct RefundView {
    #[schema(value_type = String)]
    refund_id: RefundId,
    #[schema(value_type = String)]
    order_id: OrderId,
    /// All that goes back.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What of it goes back to the gift card that had paid a part; the rest was charged, and goes back there first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    to_gift_card: Option<Money>,
    /// PENDING, DONE, REFUSED or QUARANTINED.
    #[schema(value_type = String, example = "PENDING")]
    state: RefundState,
    #[schema(value_type = String, example = "withdrawal")]
    policy: RefundPolicy,
    reason: String,
    /// What of the order's tax goes back with it; from when nothing can refuse it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TaxView>,
}

impl From<&Refund> for RefundView {
    fn from(refund: &Refund) -> Self {
        Self {
            refund_id: refund.refund,
            order_id: refund.order,
            amount: refund.money(),
            to_gift_card: refund.to_card.map(|amount| Money::new(amount, refund.currency)),
            state: refund.state,
            policy: refund.policy,
            reason: refund.reason.clone(),
            tax: refund.tax().map(|tax| TaxView::of(tax, refund.currency)),
        }
    }
}

/// Cancels an order, or with `lines` some units of it. An unpaid one is released at once. For a completed one a refund begins,
/// of as much as the policy says that it was sold under: it is PENDING until what was delivered is taken back and the
/// provider has confirmed that the money went back. Goods that have been shipped are returned instead.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/cancel", tag = "orders", request_body = Request,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = Response),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: being paid, ended, shipped, used, or not refundable any more"),
        (status = 422, description = "idempotency_key_reused, invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<Json<Response>> {
    let hold = orders.own(buyer, &id).await?;
    let request = orders.remember("cancel", buyer.user, &key, hold.order, body.digest).await?;
    let Request { reason, lines } = body.value;
    let reason = reason.unwrap_or_else(|| CANCELED.to_owned());
    let answer = match (hold.state, lines) {
        (HoldState::Sold | HoldState::Returned, None) => orders.cancel_all(&hold, reason, request).await,
        (HoldState::Sold | HoldState::Returned, Some(lines)) => {
            orders.cancel_lines(&hold, &lines, reason, request).await
        }
        (_, Some(_)) => {
            Err(wrong_state(&hold, "Units of an order can be canceled when it is paid; cancel all of it now"))
        }
        (_, None) => orders.release(&hold).await,
    };
    answer.map(Json)
}

/// The order is in a state that does not allow it.
pub(super) fn wrong_state(hold: &Hold, detail: &str) -> Problem {
    Problem::new(ErrorCode::WrongState).detail(detail).with("state", OrderState::of(hold))
}

impl Orders {
    /// Keeps what the key was used for; another body under it is refused.
    pub(super) async fn remember(
        &self,
        what: &str,
        person: UserId,
        key: &str,
        order: OrderId,
        body: u64,
    ) -> Outcome<Stored<CancelRequest>> {
        let digest = [&order.0[..], &body.to_be_bytes()].concat();
        let id = EventId::derived(&[what.as_bytes(), &person.0, key.as_bytes()]);
        let request = CancelRequest { key: id, digest: digest.clone(), at: self.ports.clock.now(), answered: false };
        if aside(self.ports.records.commit(Unit::new().insert(&request))).await? == Committed::Done {
            return Ok(Stored { record: request, version: 1 });
        }
        let first = self.ports.records.load::<CancelRequest>(id).await?;
        first.filter(|first| first.record.digest == digest).ok_or_else(|| Problem::new(ErrorCode::IdempotencyKeyReused))
    }

    /// Keeps that the request was answered with a refund. A conflict is a twin that has done the same.
    pub(super) async fn answered(&self, mut request: Stored<CancelRequest>) -> Outcome<()> {
        if !request.record.answered {
            request.record.answered = true;
            // The refund has begun: that the disk is full now does not mean that nothing was done.
            self.ports.records.commit(Unit::new().update(&request)).await.map_err(|error| match error {
                PortError::StorageFull(reason) => PortError::Unavailable(reason),
                other => other,
            })?;
        }
        Ok(())
    }

    async fn was_canceled(&self, order: OrderId) -> Outcome<bool> {
        let now = self.ports.ledger.find(order).await?;
        Ok(now.is_some_and(|hold| hold.reason == ReleaseReason::Canceled))
    }

    pub(super) async fn release(&self, hold: &Hold) -> Outcome<Response> {
        let command = Command::Release { order: hold.order, reason: ReleaseReason::Canceled };
        match self.ports.ledger.decide(hold.order.home(), command).await? {
            LedgerOutcome::Released { .. } => {}
            // Asked now: a twin may have canceled it since the hold was read.
            LedgerOutcome::AlreadyReleased { .. } if self.was_canceled(hold.order).await? => {}
            LedgerOutcome::InPayment { .. } => {
                return Err(wrong_state(hold, "It is being paid at this moment; cancel it when that is decided"));
            }
            LedgerOutcome::AlreadySold { .. } => {
                return Err(wrong_state(hold, "It was paid in this moment; try again"));
            }
            _ => return Err(wrong_state(hold, "It has ended already")),
        }
        self.lines.release_others(hold, ReleaseReason::Canceled).await;
        Ok(Response { order_id: hold.order, state: OrderState::Canceled, refund: None })
    }

    /// Begins the refund of an order, or shows the one that began before: one refund takes all of it.
    async fn cancel_all(&self, hold: &Hold, reason: String, request: Stored<CancelRequest>) -> Outcome<Response> {
        let terms = self.terms_of(hold).await?;
        let own = RefundId::derived(&[&hold.order.0]);
        let refund = self
            .decide(hold, |books, now| {
                if let Some(begun) = books.whole().or(books.made(own)) {
                    return Ok(Decision::Made(begun.clone()));
                }
                books.has_not_left(&books.lines_left(), &self.facts)?;
                self.by_policy(books, &terms, own, books.lines_left(), reason.clone(), now)
            })
            .await?;
        self.answer(hold, refund, request).await
    }

    /// Begins the refund of some units of an order; the same request again shows the same.
    async fn cancel_lines(
        &self,
        hold: &Hold,
        lines: &[LineRequest],
        reason: String,
        request: Stored<CancelRequest>,
    ) -> Outcome<Response> {
        let terms = self.terms_of(hold).await?;
        let own = RefundId::derived(&[&hold.order.0, b"lines", &request.record.key.0]);
        let refund = self
            .decide(hold, |books, now| {
                if let Some(begun) = books.made(own) {
                    return Ok(Decision::Made(begun.clone()));
                }
                let taken = self.lines_of(books, lines)?;
                books.has_not_left(&taken, &self.facts)?;
                self.by_policy(books, &terms, own, taken, reason.clone(), now)
            })
            .await?;
        self.answer(hold, refund, request).await
    }

    /// What a refund is answered with. One that was refused meanwhile is no answer to a request that never got another.
    pub(super) async fn answer(
        &self,
        hold: &Hold,
        refund: Refund,
        request: Stored<CancelRequest>,
    ) -> Outcome<Response> {
        if refund.state == RefundState::Refused && !request.record.answered {
            return Err(wrong_state(hold, "What was delivered has been used, so it cannot be canceled"));
        }
        self.answered(request).await?;
        let now = self.ports.ledger.find(hold.order).await?;
        Ok(Response {
            order_id: hold.order,
            state: now.as_ref().map_or(OrderState::of(hold), OrderState::of),
            refund: (refund.amount > 0).then(|| RefundView::from(&refund)),
        })
    }
}
