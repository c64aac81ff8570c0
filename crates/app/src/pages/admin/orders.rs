//! All orders, for the seller to search.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::pages::api::{Call, query};
use crate::pages::contract::{Items, Order};
use crate::pages::failure::Failure;
use crate::pages::fields::Parameters;
use crate::pages::orders::Offers;
use crate::pages::respond::html;
use crate::pages::visitor::Visitor;

/// The states to search for.
const STATES: [&str; 6] = ["PENDING", "PAYING", "COMPLETED", "CANCELED", "EXPIRED", "FAILED"];

#[derive(Deserialize, Default)]
pub(super) struct Search {
    #[serde(default)]
    state: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    offer: String,
    #[serde(default)]
    stuck: String,
    #[serde(default)]
    cursor: String,
}

impl Search {
    fn query(&self, cursor: &str) -> String {
        query(&[
            ("state", self.state.trim()),
            ("user", self.user.trim()),
            ("offer", self.offer.trim()),
            ("stuck", self.stuck.trim()),
            ("cursor", cursor),
        ])
    }
}

#[derive(Template)]
#[template(path = "admin/orders.html")]
struct Page<'a> {
    page: &'a Visitor,
    search: Search,
    states: [&'static str; 6],
    orders: Vec<Order>,
    offers: Offers,
    more: Option<String>,
    refusal: Option<String>,
}

/// `GET /admin/orders`
pub(super) async fn list(visitor: Visitor, Parameters(search): Parameters<Search>) -> Result<Response, Failure> {
    let answer =
        visitor.ask::<Items<Order>>(Call::get(&format!("/admin/orders{}", search.query(&search.cursor)))).await;
    // What was typed into the search may be no id at all: that is said above an empty list.
    let (list, refusal) = match answer {
        Ok(list) => (list, None),
        Err(problem) if matches!(problem.status.as_u16(), 400 | 422) => (Items::default(), Some(problem)),
        Err(problem) => return Err(problem.into()),
    };
    let status = refusal.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let offers = Offers::of(&visitor, &list.items).await;
    let more = list.next_cursor.map(|cursor| format!("/admin/orders{}", search.query(&cursor)));
    let refusal = refusal.map(|problem| problem.message(&visitor));
    let page = Page { page: &visitor, search, states: STATES, orders: list.items, offers, more, refusal };
    Ok(html(&visitor, status, &page))
}
