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
use super::visitor::Visitor;

#[derive(Deserialize)]
pub(super) struct Form {
    key: String,
    quantity: u32,
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
    let request = json!({ "offer_id": id, "quantity": form.quantity });
    let answer = visitor.ask::<Order>(Call::post("/orders", &request).key(&form.key)).await;
    match answer {
        Ok(order) => Ok(redirect(&format!("/orders/{}", order.order_id))),
        Err(problem) if problem.status == 401 || problem.status == 404 => Err(problem.into()),
        Err(problem) => offer::render(&visitor, &id, form.quantity, Some(problem)).await,
    }
}
