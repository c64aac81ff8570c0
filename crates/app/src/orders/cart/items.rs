//! `PUT` and `DELETE /me/cart/items/{offer_id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OfferId;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::CartItem;
use super::get::CartView;
use crate::http::{Body, Buyer, Outcome, Path, Problem};
use crate::orders::Orders;
use crate::orders::facts::OfferFacts;

/// Units that one line of a cart may have.
const MAX_QUANTITY: u32 = 10_000;

/// How many.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PutCartItem)]
pub(in crate::orders) struct Request {
    /// Units, in place of those that were there.
    #[garde(range(min = 1, max = MAX_QUANTITY))]
    #[schema(example = 1, minimum = 1)]
    quantity: u32,
}

/// Puts units of an offer into the own cart, in place of those that were there. Holds nothing.
#[utoipa::path(
    put, path = "/api/v1/me/cart/items/{offer_id}", tag = "cart", request_body = Request,
    params(("offer_id" = String, Path, description = "The offer's id")),
    responses(
        (status = 200, body = CartView),
        (status = 404, description = "unknown_offer"),
        (status = 409, description = "too_many: the cart takes max_lines different offers"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::orders) async fn put(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    Path(offer): Path<String>,
    body: Body<Request>,
) -> Outcome<Json<CartView>> {
    let offer = offer.parse().map_err(|_| Problem::new(ErrorCode::UnknownOffer))?;
    let OfferFacts { offer, number, .. } = orders.known_offer(offer).await?;
    if orders.ports.ledger.snapshot(number).await?.is_none() {
        // A draft.
        return Err(Problem::new(ErrorCode::UnknownOffer).with("offer_id", offer));
    }
    let quantity = body.value.quantity;
    let change = |items: &mut Vec<CartItem>| {
        match items.iter_mut().find(|item| item.offer == offer) {
            Some(item) => item.quantity = quantity,
            None => items.push(CartItem { offer, quantity }),
        }
        Ok(())
    };
    orders.change_cart(buyer.user, change).await?;
    orders.cart_view(buyer.user).await.map(Json)
}

/// Takes an offer out of the own cart. What is not in it is out of it already.
#[utoipa::path(
    delete, path = "/api/v1/me/cart/items/{offer_id}", tag = "cart",
    params(("offer_id" = String, Path, description = "The offer's id")),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(in crate::orders) async fn delete(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    Path(offer): Path<String>,
) -> Outcome<StatusCode> {
    let offer: OfferId = offer.parse().map_err(|_| Problem::not_found())?;
    let change = |items: &mut Vec<CartItem>| {
        items.retain(|item| item.offer != offer);
        Ok(())
    };
    orders.change_cart(buyer.user, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
