//! The list of offers: open now, opening soon, ended.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::api::{Call, query};
use super::contract::{Items, Offer};
use super::failure::Failure;
use super::fields::Parameters;
use super::problem::Problem;
use super::respond::html;
use super::visitor::Visitor;

/// The states that a visitor can look at, in the order of the page, and how many of each the first look shows.
const STATES: [(&str, &str); 3] = [("open", "24"), ("upcoming", "24"), ("ended", "6")];
/// The kinds of products.
pub(super) const KINDS: [&str; 4] = ["gift_card", "ticket", "goods", "coupon"];

#[derive(Deserialize, Default)]
pub(super) struct Filter {
    #[serde(default)]
    state: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    cursor: String,
}

/// The offers of one state.
struct Section {
    state: &'static str,
    offers: Vec<Offer>,
    /// Where the rest of them is.
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Page<'a> {
    page: &'a Visitor,
    kind: &'a str,
    state: &'a str,
    sections: Vec<Section>,
    kinds: [&'static str; 4],
}

impl Page<'_> {
    fn is_empty(&self) -> bool {
        self.sections.iter().all(|section| section.offers.is_empty())
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.kind == kind
    }

    fn kind_link(&self, kind: &str) -> String {
        format!("/{}", query(&[("state", self.state), ("kind", kind)]))
    }
}

/// `GET /`
pub(super) async fn show(visitor: Visitor, Parameters(filter): Parameters<Filter>) -> Result<Response, Failure> {
    let kind = KINDS.into_iter().find(|kind| *kind == filter.kind).unwrap_or_default();
    let chosen = STATES.iter().find(|(state, _)| *state == filter.state);
    let sections = if let Some((state, _)) = chosen {
        vec![section(&visitor, state, "24", kind, &filter.cursor).await?]
    } else {
        let [open, upcoming, ended] = STATES.map(|(state, limit)| section(&visitor, state, limit, kind, ""));
        let (open, upcoming, ended) = tokio::join!(open, upcoming, ended);
        vec![open?, upcoming?, ended?]
    };
    let state = chosen.map_or("", |(state, _)| state);
    Ok(html(&visitor, StatusCode::OK, &Page { page: &visitor, kind, state, sections, kinds: KINDS }))
}

async fn section(
    visitor: &Visitor,
    state: &'static str,
    limit: &str,
    kind: &str,
    cursor: &str,
) -> Result<Section, Problem> {
    let query_of =
        |cursor: &str, limit: &str| query(&[("state", state), ("kind", kind), ("limit", limit), ("cursor", cursor)]);
    let list: Items<Offer> = visitor.ask(Call::get(&format!("/offers{}", query_of(cursor, limit)))).await?;
    let more = list.next_cursor.map(|cursor| format!("/{}", query_of(&cursor, "")));
    Ok(Section { state, offers: list.items, more })
}
