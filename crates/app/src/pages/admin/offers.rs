//! The seller's offers.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::pages::api::{Call, query};
use crate::pages::contract::{Items, Offer};
use crate::pages::failure::Failure;
use crate::pages::fields::Parameters;
use crate::pages::orders::Place;
use crate::pages::respond::html;
use crate::pages::visitor::Visitor;

#[derive(Template)]
#[template(path = "admin/offers.html")]
struct Page<'a> {
    page: &'a Visitor,
    offers: Vec<Offer>,
    more: Option<String>,
}

/// `GET /admin`
pub(super) async fn list(visitor: Visitor, Parameters(place): Parameters<Place>) -> Result<Response, Failure> {
    let path = format!("/admin/offers{}", query(&[("limit", "50"), ("cursor", &place.cursor)]));
    let list: Items<Offer> = visitor.ask(Call::get(&path)).await?;
    let more = list.next_cursor.map(|cursor| format!("/admin{}", query(&[("cursor", &cursor)])));
    Ok(html(&visitor, StatusCode::OK, &Page { page: &visitor, offers: list.items, more }))
}
