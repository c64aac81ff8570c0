//! Goods that come back: `POST /orders/{id}/return` by the buyer, then `/admin/orders/{id}/return/approve`, `/refuse` and
//! `/receive` by the shop. The money goes back when the goods are here.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{EventId, OfferNumber, RefundId};
use firstcome_core::ledger::Hold;
use firstcome_core::order::{OrderState, ShippingState};
use firstcome_core::product::RefundPolicy;
use firstcome_core::step::Step;
use firstcome_core::time::Time;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Orders;
use super::admin::SoldOrder;
use super::books::{AfterSale, Books};
use super::cancel::{CancelRequest, Response as Canceled, wrong_state};
use super::decide::{LineRequest, policy_of, some_lines};
use super::policy;
use super::refund::{SENT_BACK, Taken};
use super::shipping::{Returning, ShippingView, return_until};
use super::terms::RefundTerms;
use crate::http::{Body, Buyer, IdempotencyKey, NoBody, Operator, Outcome, Path, one_line};

/// What a buyer sends back.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReturnOrder)]
pub(super) struct Request {
    /// For people.
    #[serde(default)]
    #[garde(inner(length(chars, max = 200), custom(one_line)))]
    #[schema(example = "too small")]
    reason: Option<String>,
    /// Units of some lines; all goods of the order if left out.
    #[serde(default)]
    #[garde(dive, custom(some_lines))]
    lines: Option<Vec<LineRequest>>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReturnedOrder)]
pub(super) struct Response {
    #[serde(flatten)]
    order: Canceled,
    /// Where the goods are.
    shipping: Option<ShippingView>,
}

/// Asks to send delivered goods back, until `shipping.return_until`. `refund` is null until they are received.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/return", tag = "orders", request_body = Request,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = Response),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: not delivered, asked for already, or too late"),
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
    let asked = orders.remember("return", buyer.user, &key, hold.order, body.digest).await?.record;
    let after = orders.ask_once(&hold, &asked, &body.value).await?;
    let shipping = ShippingView::of(&hold, Some(&after));
    let order = Canceled { order_id: hold.order, state: OrderState::of(&hold), refund: None };
    Ok(Json(Response { order, shipping }))
}

impl Orders {
    /// Asks to send goods back. The same request again finds its key in what it has left, and shows where the goods are.
    pub(super) async fn ask_once(&self, hold: &Hold, asked: &CancelRequest, request: &Request) -> Outcome<AfterSale> {
        let terms = self.terms_of(hold).await?;
        self.change(hold, |books, now| {
            let returning = books.after.parcel.0.returning.as_ref();
            if !returning.is_some_and(|returning| returning.is_of(asked)) {
                self.ask_to_return(books, &terms, asked.key, request, now)?;
            }
            Ok(books.after.clone())
        })
        .await
    }

    fn ask_to_return(
        &self,
        books: &mut Books,
        terms: &HashMap<OfferNumber, RefundTerms>,
        key: EventId,
        request: &Request,
        now: Time,
    ) -> Outcome<()> {
        books.moves(ShippingState::Delivered, ShippingState::ReturnRequested)?;
        let delivered_at = books.after.parcel.0.delivered_at.unwrap_or(now);
        let until = return_until(&books.hold, delivered_at);
        if now >= until {
            let problem = wrong_state(&books.hold, "The time to send it back is over");
            return Err(problem.with("delivered_at", delivered_at).with("return_until", until));
        }
        let lines = match &request.lines {
            Some(lines) => self.lines_of(books, lines)?,
            None => books.lines_left(),
        };
        let is_back = |offer| policy_of(terms, offer) != RefundPolicy::None && self.facts.is_goods(offer);
        let lines: Vec<_> = lines.into_iter().filter(|line| is_back(line.offer)).collect();
        if lines.is_empty() {
            return Err(wrong_state(&books.hold, "There is nothing of it that could be sent back"));
        }
        books.after.parcel.0.returning = Some(Returning {
            request: Some(key),
            lines,
            reason: request.reason.clone(),
            requested_at: now,
            approved_at: None,
            ended_at: None,
            refusal: None,
        });
        books.told = Some(Step::ReturnRequested);
        Ok(())
    }

    /// What a buyer asked for is answered by the shop.
    async fn on_return(
        &self,
        hold: &Hold,
        (to, told): (ShippingState, Step),
        change: impl Fn(&mut Books, Returning, Time) -> Outcome<Returning>,
    ) -> Outcome<Json<SoldOrder>> {
        self.step(hold, |books, now| {
            books.moves(ShippingState::ReturnRequested, to)?;
            let returning = books.after.parcel.0.returning.clone().ok_or_else(|| books.not_there())?;
            books.after.parcel.0.returning = Some(change(books, returning, now)?);
            books.told = Some(told.clone());
            Ok(())
        })
        .await
    }
}

/// The shop agrees that goods are sent back, and waits for them.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/return/approve", tag = "admin",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = SoldOrder),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: nobody asks to return it, or it was approved already"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn approve(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<Json<SoldOrder>> {
    let hold = orders.any(&id).await?;
    let agree = |books: &mut Books, returning: Returning, now| match returning.approved_at {
        None => Ok(Returning { approved_at: Some(now), ..returning }),
        Some(_) => Err(books.not_there()),
    };
    orders.on_return(&hold, (ShippingState::ReturnRequested, Step::ReturnApproved), agree).await
}

/// Why goods are not taken back.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefuseReturn)]
pub(super) struct Refusal {
    /// For the buyer.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "it was used")]
    reason: String,
}

/// The shop does not take goods back, before or after it has seen them.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/return/refuse", tag = "admin", request_body = Refusal,
    params(("id" = String, Path)),
    responses(
        (status = 200, body = SoldOrder),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: nobody asks to return it"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn refuse(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    Path(id): Path<String>,
    body: Body<Refusal>,
) -> Outcome<Json<SoldOrder>> {
    let hold = orders.any(&id).await?;
    let refuse = |_: &mut Books, returning: Returning, now| {
        let refusal = Some(body.value.reason.clone());
        Ok(Returning { ended_at: Some(now), refusal, ..returning })
    };
    orders.on_return(&hold, (ShippingState::ReturnRefused, Step::ReturnRefused), refuse).await
}

/// What is done with goods that came back.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReceiveReturn)]
pub(super) struct Receipt {
    /// Whether they can be sold again; if not, they leave the stock.
    #[serde(default = "yes")]
    #[garde(skip)]
    restock: bool,
}

fn yes() -> bool {
    true
}

/// The goods are back: the money goes back.
#[utoipa::path(
    post, path = "/api/v1/admin/orders/{id}/return/receive", tag = "admin", request_body = Receipt,
    params(("id" = String, Path)),
    responses(
        (status = 200, body = SoldOrder),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: nobody asks to return it"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn receive(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    Path(id): Path<String>,
    body: Body<Receipt>,
) -> Outcome<Json<SoldOrder>> {
    let hold = orders.any(&id).await?;
    let terms = orders.terms_of(&hold).await?;
    let receive = |books: &mut Books, returning: Returning, now| {
        // The operator may have sent all of the money back in the meantime.
        let left = books.lines_left();
        let back = returning.lines.iter().filter_map(|line| {
            let left = left.iter().find(|left| left.offer == line.offer)?.quantity;
            Some(firstcome_core::events::TakenLine { quantity: line.quantity.min(left), ..*line })
        });
        let back: Vec<_> = back.collect();
        if !back.is_empty() {
            let policy::Due { cost, amount, tax_free } = policy::due(books, &back, |_| 100);
            let policy = policy_of(&terms, back[0].offer);
            let reason = returning.reason.clone().unwrap_or_else(|| SENT_BACK.to_owned());
            let taken =
                Taken { lines: back, restock: body.value.restock, cost, tax_free: Some(tax_free), ..Taken::default() };
            let own = RefundId::of_goods_returned(hold.order);
            books.decided = Some(books.refund(own, taken, amount, policy, reason, now));
        }
        Ok(Returning { ended_at: Some(now), ..returning })
    };
    orders.on_return(&hold, (ShippingState::Returned, Step::ReturnReceived), receive).await
}
