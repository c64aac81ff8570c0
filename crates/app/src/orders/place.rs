//! `POST /orders`: the opening second. No database, no log line, one command through the lane.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OfferId, OrderId, UserId};
use firstcome_core::ledger::{Command, Facts, HoldRequest, Outcome as LedgerOutcome, Refusal};
use firstcome_core::ports::PortError;
use firstcome_core::product::ProductKind;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Orders;
use super::addresses::ShipTo;
use super::facts::OfferFacts;
use super::keys::{Claim, End, Keys};
use super::view::OrderView;
use crate::http::{Body, Buyer, IdempotencyKey, Outcome, Problem};

/// What a buyer wants.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaceOrder)]
pub(super) struct Request {
    /// The offer.
    #[garde(skip)]
    #[schema(value_type = String, example = "ofr_01kadz5b3r0000000000000001")]
    offer_id: OfferId,
    /// Units.
    #[garde(range(min = 1))]
    #[schema(example = 1, minimum = 1)]
    quantity: u32,
    /// Goods: where they are sent; the account's address if left out.
    #[serde(default)]
    #[garde(dive)]
    ship_to: Option<ShipTo>,
}

/// Places an order: sets units aside, first come, first served. A free order is completed at once.
#[utoipa::path(
    post, path = "/api/v1/orders", tag = "orders", request_body = Request,
    params(("Idempotency-Key" = String, Header, description = "A new one for each new request; the same for a repeat")),
    responses(
        (status = 201, description = "The order; for a repeat in its state of now", body = OrderView),
        (status = 409, description = "sold_out, over_limit, too_many, not_open_yet, closed or frozen"),
        (status = 422, description = "idempotency_key_reused, address_missing or invalid_body"),
        (status = 503, description = "overloaded: try again after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<(StatusCode, Json<OrderView>)> {
    let Some(offer) = orders.facts.offer(body.value.offer_id).await? else {
        return Err(Problem::new(ErrorCode::UnknownOffer));
    };
    let order = OrderId::of_request(buyer.user, &key, body.digest, offer.number);
    let request = HoldRequest {
        order,
        person: buyer.user,
        quantity: body.value.quantity,
        digest: body.digest,
        discount: 0,
        facts: orders.facts_of(&offer, order, buyer.user, body.value.ship_to.as_ref()).await?,
    };
    let mut view = orders.hold(&offer, request).await?;
    if offer.kind == ProductKind::Goods && !view.state.is_open() {
        // A repeat, as a rule: its goods may be on their way.
        if let Some(hold) = orders.ports.ledger.find(order).await? {
            view = orders.view_now(&hold).await?;
        }
    }
    Ok((StatusCode::CREATED, Json(view)))
}

impl Orders {
    /// What only goods need: where they are sent.
    async fn facts_of(
        &self,
        offer: &OfferFacts,
        order: OrderId,
        buyer: UserId,
        ship_to: Option<&ShipTo>,
    ) -> Outcome<Option<Box<Facts>>> {
        if offer.kind != ProductKind::Goods {
            return Ok(None);
        }
        let address = match ship_to {
            Some(ship_to) => Some(self.keep_address(order, buyer, ship_to).await?),
            None => self.facts.address(buyer).await?,
        };
        if address.is_none() {
            return Err(Problem::new(ErrorCode::AddressMissing)
                .detail("Goods are shipped: give ship_to, or sign up with an address"));
        }
        Ok(Some(Box::new(Facts { address, ..Facts::default() })))
    }

    async fn hold(&self, offer: &OfferFacts, request: HoldRequest) -> Outcome<OrderView> {
        let order = request.order;
        if self.keys.too_much_is_unknown() {
            return Err(Problem::new(ErrorCode::Overloaded));
        }
        let claim = self.keys.begin(order);
        if claim == Claim::Reused || claim == Claim::Contested && !self.keys.is_written(order)? {
            return Err(reused());
        }
        if claim == Claim::Contested {
            // A repeat of what was granted: there is nothing to claim.
            return answered(self.ports.ledger.decide(offer.number, Command::Hold(request)).await?, offer);
        }
        // Finishes the claim also when the client goes away in the meantime.
        let mut finish = Finish { keys: &self.keys, order, end: End::Refused };
        if claim == Claim::Unchecked && self.keys.check(order)? == Claim::Reused {
            return Err(reused());
        }
        // Until the lane has answered nobody knows whether the order exists.
        finish.end = End::Unknown;
        let outcome = self.ports.ledger.decide(offer.number, Command::Hold(request)).await;
        finish.end = match &outcome {
            Ok(LedgerOutcome::Held(_) | LedgerOutcome::Granted(_) | LedgerOutcome::AlreadyHeld(_)) => End::Granted,
            Ok(_) | Err(PortError::Overloaded) => End::Refused,
            Err(_) => End::Unknown,
        };
        drop(finish);
        answered(outcome?, offer)
    }
}

fn answered(outcome: LedgerOutcome, offer: &OfferFacts) -> Outcome<OrderView> {
    match outcome {
        LedgerOutcome::Held(hold) | LedgerOutcome::Granted(hold) | LedgerOutcome::AlreadyHeld(hold) => {
            Ok(OrderView::of(&hold, offer.offer))
        }
        LedgerOutcome::KeyReused => Err(reused()),
        LedgerOutcome::Refused(refusal) => Err(refused(refusal)),
        _ => Err(Problem::new(ErrorCode::WrongState)),
    }
}

fn reused() -> Problem {
    Problem::new(ErrorCode::IdempotencyKeyReused)
}

struct Finish<'a> {
    keys: &'a Keys,
    order: OrderId,
    end: End,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.keys.finish(self.order, self.end);
    }
}

/// The problem that a refusal is.
fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::UnknownOffer => Problem::new(ErrorCode::UnknownOffer),
        Refusal::Frozen => Problem::new(ErrorCode::Frozen),
        Refusal::Closed => Problem::new(ErrorCode::Closed),
        Refusal::NotOpenYet { opens_at } => Problem::new(ErrorCode::NotOpenYet).with("opens_at", opens_at),
        Refusal::TooMany { max_per_order } => Problem::new(ErrorCode::TooMany).with("max_per_order", max_per_order),
        Refusal::OverLimit { limit, owned } => {
            Problem::new(ErrorCode::OverLimit).with("limit", limit).with("owned", owned)
        }
        Refusal::SoldOut { held, next_release_at } => {
            Problem::new(ErrorCode::SoldOut).with("held", held).with("next_release_at", next_release_at)
        }
    }
}
