//! The list of offers: open now, opening soon, ended; of one kind, in one category, with some words.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::api::{Call, query};
use super::contract::{Category, Items, Offer};
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
    category: String,
    #[serde(default)]
    q: String,
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
    filter: &'a Filter,
    sections: Vec<Section>,
    categories: Vec<Category>,
    kinds: [&'static str; 4],
}

impl Page<'_> {
    fn is_empty(&self) -> bool {
        self.sections.iter().all(|section| section.offers.is_empty())
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.filter.kind == kind
    }

    fn is_searched(&self) -> bool {
        !self.filter.q.trim().is_empty()
    }

    fn is_filtered(&self) -> bool {
        let Filter { state, kind, category, .. } = self.filter;
        self.is_searched() || [state, kind, category].into_iter().any(|filter| !filter.is_empty())
    }

    fn kind_link(&self, kind: &str) -> String {
        let Filter { state, category, q, .. } = self.filter;
        format!("/{}", query(&[("state", state), ("kind", kind), ("category", category), ("q", q)]))
    }

    fn category_link(&self, category: &str) -> String {
        let Filter { state, kind, q, .. } = self.filter;
        format!("/{}", query(&[("state", state), ("kind", kind), ("category", category), ("q", q)]))
    }

    fn label<'a>(&self, category: &'a Category) -> &'a str {
        category.name(self.page.language)
    }

    /// The category at the top that is chosen, or that the chosen one is in.
    fn chosen_top(&self) -> &str {
        let chosen = self.categories.iter().find(|category| category.category_id == self.filter.category);
        chosen.map_or("", |category| category.parent.as_deref().unwrap_or(&category.category_id))
    }

    /// Those at the top, with whether they are chosen; each row of links is one level.
    fn tops(&self) -> Vec<(&Category, bool)> {
        let tops = self.categories.iter().filter(|category| category.parent.is_none());
        tops.map(|category| (category, category.category_id == self.chosen_top())).collect()
    }

    /// Those in the chosen one.
    fn inner(&self) -> Vec<(&Category, bool)> {
        let top = Some(self.chosen_top()).filter(|top| !top.is_empty());
        let inner = self.categories.iter().filter(|category| top.is_some() && category.parent.as_deref() == top);
        inner.map(|category| (category, category.category_id == self.filter.category)).collect()
    }

    /// What the script asks for when it looks how the stock is.
    fn asked(&self) -> String {
        let Filter { kind, category, q, .. } = self.filter;
        query(&[("state", "open"), ("limit", STATES[0].1), ("kind", kind), ("category", category), ("q", q)])
    }
}

/// `GET /`
pub(super) async fn show(visitor: Visitor, Parameters(mut filter): Parameters<Filter>) -> Result<Response, Failure> {
    if !KINDS.contains(&filter.kind.as_str()) {
        filter.kind.clear();
    }
    let chosen = STATES.iter().find(|(state, _)| *state == filter.state);
    filter.state = chosen.map_or_else(String::new, |(state, _)| (*state).to_owned());
    let categories = visitor.ask::<Items<Category>>(Call::get("/categories"));
    let (sections, categories) = if let Some((state, _)) = chosen {
        let (section, categories) = tokio::join!(section(&visitor, state, "24", &filter), categories);
        (vec![section?], categories?)
    } else {
        filter.cursor.clear();
        let [open, upcoming, ended] = STATES.map(|(state, limit)| section(&visitor, state, limit, &filter));
        let (open, upcoming, ended, categories) = tokio::join!(open, upcoming, ended, categories);
        (vec![open?, upcoming?, ended?], categories?)
    };
    let categories = categories.items;
    let page = Page { page: &visitor, filter: &filter, sections, categories, kinds: KINDS };
    Ok(html(&visitor, StatusCode::OK, &page))
}

async fn section(visitor: &Visitor, state: &'static str, limit: &str, filter: &Filter) -> Result<Section, Problem> {
    let Filter { kind, category, q, cursor, .. } = filter;
    let query_of = |cursor: &str, limit: &str| {
        query(&[
            ("state", state),
            ("kind", kind),
            ("category", category),
            ("q", q),
            ("limit", limit),
            ("cursor", cursor),
        ])
    };
    let list: Items<Offer> = visitor.ask(Call::get(&format!("/offers{}", query_of(cursor, limit)))).await?;
    let more = list.next_cursor.map(|cursor| format!("/{}", query_of(&cursor, "")));
    Ok(Section { state, offers: list.items, more })
}
