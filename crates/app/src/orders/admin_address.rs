//! `GET /admin/orders/{id}/address`: where the goods of an order go, whoever keeps the address.
//!
//! What an order itself said is kept here. Else it is the address that the buyer's account had when the order was placed:
//! addresses never change, a changed one is another, and the order keeps which it was. The accounts role has it, and no role
//! asks another: the answer says where.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::ids::AddressId;

use super::Orders;
use super::addresses::ShipTo;
use crate::http::{Operator, Outcome, Path, Problem};

/// Where the goods of an order go.
#[utoipa::path(
    get, path = "/api/v1/admin/orders/{id}/address", tag = "admin",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = ShipTo),
        (status = 307, description = "The buyer's account has it: follow Location, /api/v1/admin/addresses/{id}"),
        (status = 404, description = "not_found: no such order, nothing of it is sent, or its address is erased"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(State(orders): State<Arc<Orders>>, _: Operator, Path(id): Path<String>) -> Outcome<Response> {
    let hold = orders.any(&id).await?;
    let address = hold.facts.as_ref().and_then(|facts| facts.address).ok_or_else(Problem::not_found)?;
    if address != AddressId::derived(&[&hold.order.0]) {
        let place = format!("/api/v1/admin/addresses/{address}");
        return Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, place)]).into_response());
    }
    let own = orders.own_address(address).await?;
    own.map(|ship_to| Json(ship_to).into_response()).ok_or_else(Problem::not_found)
}
