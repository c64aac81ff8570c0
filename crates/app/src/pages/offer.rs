//! One offer: its stock as it changes, the countdown to its opening, and the form to buy it.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::api::{Call, segment};
use super::conditions;
use super::contract::Offer;
use super::failure::Failure;
use super::problem::Problem;
use super::respond::html;
use super::shipping::{Shipping, Typed};
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "offer.html")]
struct Page<'a> {
    page: &'a Visitor,
    offer: Offer,
    /// What a buyer must be or have, in words.
    conditions: Vec<String>,
    quantity: u32,
    shipping: Option<Shipping>,
    refusal: Option<String>,
    key: String,
}

impl Page<'_> {
    fn can_buy(&self) -> bool {
        self.offer.state == "open" && self.offer.available > 0
    }
}

/// `GET /offers/{id}`
pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    render(&visitor, &id, 1, Typed::default(), None).await
}

/// The offer as it is now, with the form as it was filled in and the reason for which it was refused.
pub(super) async fn render(
    visitor: &Visitor,
    id: &str,
    quantity: u32,
    typed: Typed,
    refusal: Option<Problem>,
) -> Result<Response, Failure> {
    let offer: Offer = visitor.ask(Call::get(&format!("/offers/{}", segment(id)?))).await?;
    let conditions = conditions::told(visitor, &offer).await;
    let shipping = Shipping::of(visitor, &offer, typed, refusal.as_ref()).await;
    let status = refusal.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let refusal = refusal.map(|problem| problem.message(visitor));
    let key = visitor.new_key();
    Ok(html(visitor, status, &Page { page: visitor, offer, conditions, quantity, shipping, refusal, key }))
}
