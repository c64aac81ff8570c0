//! `POST /orders`: the opening second. No database, no log line, one command through the lane. Orders over several offers
//! go through several lanes ([`super::basket`]).

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{AddressId, OfferId, OrderId};
use firstcome_core::ledger::{Command, HoldRequest, Outcome as LedgerOutcome};
use firstcome_core::ports::PortError;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Orders;
use super::addresses::ShipTo;
use super::basket::Basket;
use super::facts::OfferFacts;
use super::keys::{Claim, End, Keys};
use super::quote;
use super::view::OrderView;
use crate::http::{Body, Buyer, IdempotencyKey, Outcome, Problem};

/// Lines that an order may have.
pub(super) const MAX_LINES: usize = 50;

/// What a buyer wants: units of one offer, or `lines` of several.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaceOrder)]
pub(super) struct Request {
    /// The offer, when it is one.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<String>, example = "ofr_01h455vb4pex5vsknk084sn02q")]
    offer_id: Option<OfferId>,
    /// Units of it.
    #[serde(default)]
    #[garde(inner(range(min = 1)))]
    #[schema(example = 1, minimum = 1)]
    quantity: Option<u32>,
    /// Several offers, each once, held together or not at all; instead of `offer_id` and `quantity`.
    #[serde(default)]
    #[garde(length(max = MAX_LINES), dive)]
    lines: Vec<WantedLine>,
    /// The code of an own coupon.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = 100)))]
    #[schema(example = "7Q4M-2K9D-XW3T-P0RV")]
    coupon: Option<String>,
    /// The code of an own gift card: it pays what it has left; what it does not is paid at the provider.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = 100)))]
    #[schema(example = "7Q4M-2K9D-XW3T-P0RV")]
    gift_card: Option<String>,
    /// Goods: where they are sent; the account's address if left out.
    #[serde(default)]
    #[garde(dive)]
    ship_to: Option<ShipTo>,
}

/// Units of an offer.
#[derive(Debug, Clone, Copy, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedLine {
    /// The offer.
    #[garde(skip)]
    #[schema(value_type = String, example = "ofr_01h455vb4pex5vsknk084sn02q")]
    pub(super) offer_id: OfferId,
    /// Units.
    #[garde(range(min = 1))]
    #[schema(example = 1, minimum = 1)]
    pub(super) quantity: u32,
}

impl Request {
    fn lines(&self) -> Outcome<Vec<WantedLine>> {
        match (self.offer_id, self.quantity, &self.lines[..]) {
            (Some(offer_id), Some(quantity), []) => Ok(vec![WantedLine { offer_id, quantity }]),
            (Some(_), None, []) => Err(Problem::field("quantity", "is missing")),
            (None, _, []) => Err(Problem::field("offer_id", "is missing, and there are no lines")),
            (None, None, lines) => {
                let mut seen = HashSet::new();
                if lines.iter().all(|line| seen.insert(line.offer_id)) {
                    return Ok(lines.to_vec());
                }
                Err(Problem::field("lines", "each offer may stand in one line only"))
            }
            _ => Err(Problem::field("lines", "give either offer_id and quantity, or lines")),
        }
    }
}

/// Places an order: sets units aside, first come, first served, all lines or none. A free order, and one that a gift card
/// pays whole, is completed at once.
#[utoipa::path(
    post, path = "/api/v1/orders", tag = "orders", request_body = Request,
    params(("Idempotency-Key" = String, Header, description = "A new one for each new request; the same for a repeat")),
    responses(
        (status = 201, description = "The order; for a repeat in its state of now", body = OrderView),
        (status = 409, description = "sold_out, over_limit, too_many, not_open_yet, closed or frozen; offer_id names the line"),
        (status = 403, description = "not_eligible: a condition of the offer is not met"),
        (status = 422, description = "idempotency_key_reused, address_missing, coupon_not_applicable, gift_card_not_applicable or invalid_body"),
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
    let mut lines = Vec::new();
    for WantedLine { offer_id, quantity } in body.value.lines()? {
        lines.push((orders.known_offer(offer_id).await?, quantity));
    }
    let Request { coupon, gift_card, ship_to, .. } = body.value;
    let basket = Basket { coupon, gift_card, ship_to, ..Basket::new(buyer.user, key, body.digest, lines) };
    orders.place(basket).await.map(|view| (StatusCode::CREATED, Json(view)))
}

impl Orders {
    pub(super) async fn known_offer(&self, offer: OfferId) -> Outcome<OfferFacts> {
        let known = self.facts.offer(offer).await?;
        known.ok_or_else(|| Problem::new(ErrorCode::UnknownOffer).with("offer_id", offer))
    }

    /// Places an order, or shows the one that the request was.
    pub(super) async fn place(self: &Arc<Self>, basket: Basket) -> Outcome<OrderView> {
        let has_goods = basket.has_goods();
        let view = self.place_now(basket).await?;
        if has_goods && !view.state.is_open() {
            // A repeat, as a rule: its goods may be on their way. What was decided just now is known here.
            if let Some(hold) = self.ports.ledger.known(view.order_id).await? {
                return self.view_now(&hold).await;
            }
        }
        Ok(view)
    }

    /// One that is decided in one lane goes there at once.
    async fn place_now(self: &Arc<Self>, basket: Basket) -> Outcome<OrderView> {
        let ([(offer, quantity)], None, None, false) =
            (&basket.lines[..], &basket.coupon, &basket.gift_card, self.may_cost_shipping(&basket))
        else {
            return self.place_basket(basket).await;
        };
        let order = OrderId::of_request(basket.buyer, &basket.key, basket.digest, offer.number);
        self.check_conditions_of_new(basket.buyer, offer, order).await?;
        let address = self.address_for(&basket, order).await?;
        let request = HoldRequest {
            order,
            person: basket.buyer,
            quantity: *quantity,
            unit_price: None,
            digest: basket.digest,
            discount: 0,
            facts: self.facts_of(&basket.lines, address),
        };
        self.hold(offer, request).await
    }

    /// What only goods need: where they are sent.
    pub(super) async fn address_for(&self, basket: &Basket, order: OrderId) -> Outcome<Option<AddressId>> {
        if !basket.has_goods() {
            return Ok(None);
        }
        let address = match &basket.ship_to {
            Some(ship_to) => Some(self.keep_address(order, basket.buyer, ship_to).await?),
            None => self.facts.address(basket.buyer).await?,
        };
        address.map(Some).ok_or_else(|| {
            Problem::new(ErrorCode::AddressMissing)
                .detail("Goods are shipped: give ship_to, or sign up with an address")
        })
    }

    /// Claims the key of an order. None when it is a repeat of what was granted: there is nothing to claim.
    pub(super) fn claim(&self, order: OrderId) -> Outcome<Option<Finish<'_>>> {
        if self.keys.too_much_is_unknown() {
            return Err(Problem::new(ErrorCode::Overloaded));
        }
        let claim = self.keys.begin(order);
        if claim == Claim::Reused || claim == Claim::Contested && !self.keys.is_written(order)? {
            return Err(reused());
        }
        if claim == Claim::Contested {
            return Ok(None);
        }
        // Finishes the claim also when the client goes away in the meantime.
        let mut finish = Finish { keys: &self.keys, order, end: End::Refused };
        if claim == Claim::Unchecked && self.keys.check(order)? == Claim::Reused {
            return Err(reused());
        }
        // Until the lane has answered nobody knows whether the order exists.
        finish.end = End::Unknown;
        Ok(Some(finish))
    }

    async fn hold(&self, offer: &OfferFacts, request: HoldRequest) -> Outcome<OrderView> {
        let finish = self.claim(request.order)?;
        let outcome = self.ports.ledger.decide(offer.number, Command::Hold(request)).await;
        if let Some(mut finish) = finish {
            finish.end = match &outcome {
                Ok(LedgerOutcome::Held(_) | LedgerOutcome::Granted(_) | LedgerOutcome::AlreadyHeld(_)) => End::Granted,
                Ok(_) | Err(PortError::Overloaded) => End::Refused,
                Err(_) => End::Unknown,
            };
        }
        answered(outcome?, offer)
    }
}

fn answered(outcome: LedgerOutcome, offer: &OfferFacts) -> Outcome<OrderView> {
    match outcome {
        LedgerOutcome::Held(hold) | LedgerOutcome::Granted(hold) | LedgerOutcome::AlreadyHeld(hold) => {
            Ok(OrderView::of(&hold, offer.offer, |_| offer.kind.is_untaxed()))
        }
        LedgerOutcome::KeyReused => Err(reused()),
        LedgerOutcome::Refused(refusal) => Err(quote::problem(refusal)),
        _ => Err(Problem::new(ErrorCode::WrongState)),
    }
}

/// The key belongs to another request.
pub(super) fn reused() -> Problem {
    Problem::new(ErrorCode::IdempotencyKeyReused)
}

/// Ends a claim when it is dropped.
pub(super) struct Finish<'a> {
    keys: &'a Keys,
    order: OrderId,
    pub(super) end: End,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.keys.finish(self.order, self.end);
    }
}
