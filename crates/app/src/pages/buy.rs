//! Buying. The form carries a key that was made with it: sent twice, it is one order.

use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::api::{Call, segment};
use super::contract::Order;
use super::failure::{Failure, login_first};
use super::fields::Fields;
use super::offer;
use super::respond::redirect;
use super::shipping::Typed;
use super::visitor::Visitor;

// `ship_to` is not flattened into this: a flattened form cannot hold numbers.
#[derive(Deserialize)]
pub(super) struct Form {
    key: String,
    quantity: u32,
    #[serde(default)]
    ship_name: String,
    #[serde(default)]
    ship_phone: String,
    #[serde(default)]
    ship_address: String,
}

/// `POST /offers/{id}/buy`
pub(super) async fn submit(
    visitor: Visitor,
    Path(id): Path<String>,
    Fields(form): Fields<Form>,
) -> Result<Response, Failure> {
    if !visitor.is_signed_in() {
        return Ok(login_first(&format!("/offers/{}", segment(&id)?)));
    }
    let Form { key, quantity, ship_name, ship_phone, ship_address } = form;
    let typed = Typed { name: ship_name, phone: ship_phone, address: ship_address };
    let mut request = json!({ "offer_id": id, "quantity": quantity });
    if let Some(ship_to) = typed.ship_to() {
        request["ship_to"] = ship_to;
    }
    let answer = visitor.ask::<Order>(Call::post("/orders", &request).key(&key)).await;
    match answer {
        Ok(order) => Ok(redirect(&format!("/orders/{}", order.order_id))),
        Err(problem) if problem.status == 401 || problem.status == 404 => Err(problem.into()),
        Err(problem) => offer::render(&visitor, &id, quantity, typed, Some(problem)).await,
    }
}
