//! `POST /me/cart/checkout`: what is in the cart becomes an order, whole or not at all.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, UserId};
use firstcome_core::ports::Committed;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Cart, Checkout, TRIES, UNDER_WAY, busy, put, without};
use crate::http::{Body, Buyer, IdempotencyKey, Outcome, Problem};
use crate::orders::Orders;
use crate::orders::addresses::ShipTo;
use crate::orders::basket::Basket;
use crate::orders::place::reused;
use crate::orders::view::OrderView;

/// How to order what is in the cart.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CheckOut)]
pub(in crate::orders) struct Request {
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

/// Orders everything in the own cart, all lines or none. What was ordered leaves the cart.
#[utoipa::path(
    post, path = "/api/v1/me/cart/checkout", tag = "cart", request_body = Request,
    params(("Idempotency-Key" = String, Header, description = "A new one for each new request; the same for a repeat")),
    responses(
        (status = 201, description = "The order; for a repeat in its state of now", body = OrderView),
        (status = 409, description = "as POST /orders, with the offer_id of the line; wrong_state when the cart is empty, or is being ordered under another key"),
        (status = 403, description = "not_eligible: a condition of an offer is not met"),
        (status = 422, description = "idempotency_key_reused, address_missing, coupon_not_applicable, gift_card_not_applicable or invalid_body"),
        (status = 503, description = "overloaded: try again after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::orders) async fn post(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<(StatusCode, Json<OrderView>)> {
    let Frozen { checkout, cart } = orders.freeze(buyer.user, &key, body.digest).await?;
    let is_first = cart.is_some();
    let basket = orders.basket_of(&checkout.record).await;
    let placed = match basket {
        Ok(basket) => {
            let Request { coupon, gift_card, ship_to } = body.value;
            orders.place(Basket { coupon, gift_card, ship_to, ..basket }).await
        }
        Err(problem) => Err(problem),
    };
    match placed {
        Ok(view) => {
            orders.finish_frozen(checkout, cart).await?;
            Ok((StatusCode::CREATED, Json(view)))
        }
        Err(problem) => {
            orders.thaw(checkout, &problem, is_first).await?;
            Err(problem)
        }
    }
}

/// A checkout that has begun.
pub(in crate::orders) struct Frozen {
    pub(in crate::orders) checkout: Stored<Checkout>,
    /// The cart that it orders; none of a request that came before.
    pub(in crate::orders) cart: Option<Stored<Cart>>,
}

/// Why the cart cannot be ordered now.
fn taken(is_under_way: bool) -> Problem {
    let detail = if is_under_way {
        "The cart is being ordered under another key: look at the orders, or repeat that request"
    } else {
        "The cart is empty"
    };
    Problem::new(ErrorCode::WrongState).detail(detail)
}

impl Orders {
    /// What the key stands for: the lines of the first request under it, or the cart as it is now. Of several keys at once
    /// one gets the cart: it writes the cart's row, on the version that it has read before it looked for others.
    pub(in crate::orders) async fn freeze(&self, user: UserId, key: &str, body: BodyDigest) -> Outcome<Frozen> {
        let id = Checkout::id_of(user, key);
        for _ in 0..TRIES {
            let cart = self.ports.records.load::<Cart>(user).await?;
            let others = self.finish_checkouts(user).await?;
            let now = self.ports.clock.now();
            let is_under_way = others.iter().any(|other| now.since(other.record.at) < UNDER_WAY);
            let cart = cart.filter(|cart| !is_under_way && !cart.record.items.0.is_empty());
            let is_free = cart.is_some();
            if let Some(mut cart) = cart {
                let checkout = Checkout::new(user, key, body, cart.record.items.0.clone(), now);
                let unit = Unit::new().insert(&checkout).update(&cart);
                // Those whose process died: under their keys nothing is ordered any more but what is in the cart then. This key's own
                // makes the insert conflict.
                let others = others.iter().filter(|other| other.record.id != id);
                let unit = others.fold(unit, |unit, other| unit.update(other).delete(&other.record));
                if self.ports.records.commit(unit).await? == Committed::Done {
                    cart.version += 1;
                    return Ok(Frozen { checkout: Stored { record: checkout, version: 1 }, cart: Some(cart) });
                }
            }
            // Taken, or changed in this moment: perhaps under this very key, by a twin or by a request that came before.
            if let Some(checkout) = self.ports.records.load::<Checkout>(id).await? {
                let is_same = checkout.record.body == body.to_be_bytes();
                return if is_same { Ok(Frozen { checkout, cart: None }) } else { Err(reused()) };
            }
            if !is_free {
                return Err(taken(is_under_way));
            }
        }
        Err(busy())
    }

    /// Takes what was ordered out of the cart. As a rule nothing has changed since the checkout began, so that nothing is
    /// read again for it.
    pub(in crate::orders) async fn finish_frozen(
        &self,
        checkout: Stored<Checkout>,
        cart: Option<Stored<Cart>>,
    ) -> Outcome<()> {
        if let Some(cart) = cart {
            let (user, left) = (cart.record.user, without(&cart.record.items.0, &checkout.record.items.0));
            let done = Stored { record: Checkout { done: true, ..checkout.record.clone() }, ..checkout };
            let mut unit = Unit::new().update(&done);
            unit.append(put(Some(cart), user, left));
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(());
            }
        }
        self.finish_checkout(&checkout.record).await
    }

    /// After a refusal the key is free again: the next request under it orders what is in the cart then. While nobody
    /// knows whether the order exists it stays. Of the first request under a key a busy shop has placed nothing; of another
    /// it may not have looked.
    pub(in crate::orders) async fn thaw(
        &self,
        checkout: Stored<Checkout>,
        problem: &Problem,
        is_first: bool,
    ) -> Outcome<()> {
        let is_refused = problem.code().status() < 500 || is_first && problem.code() == ErrorCode::Overloaded;
        if !checkout.record.done && is_refused {
            // A conflict is a twin that has placed the order.
            self.ports.records.commit(Unit::new().update(&checkout).delete(&checkout.record)).await?;
        }
        Ok(())
    }
}
