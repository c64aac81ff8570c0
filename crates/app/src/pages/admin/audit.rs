//! The last audit of every offer: stock = available + held + sold, from the journal alone, and what is sold is paid.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::time::Time;
use serde::Deserialize;

use crate::pages::api::Call;
use crate::pages::contract::{Items, Offer};
use crate::pages::failure::Failure;
use crate::pages::respond::html;
use crate::pages::visitor::Visitor;

/// What the journal alone says of an offer, and whether the ledger says the same.
#[derive(Deserialize)]
struct Finding {
    offer_id: String,
    ok: bool,
    seq: u64,
    stock: i64,
    available: i64,
    held: i64,
    sold: i64,
    unpaid: u64,
    checked_at: Time,
}

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct Page<'a> {
    page: &'a Visitor,
    findings: Vec<Finding>,
    names: BTreeMap<String, String>,
}

impl Page<'_> {
    fn disagreeing(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.ok).count()
    }

    fn name<'b>(&'b self, id: &'b str) -> &'b str {
        self.names.get(id).map_or(id, String::as_str)
    }
}

/// `GET /admin/audit`
pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    let findings: Items<Finding> = visitor.ask(Call::get("/admin/audit")).await?;
    let offers: Items<Offer> = visitor.ask(Call::get("/admin/offers?limit=100")).await.unwrap_or_default();
    let names = offers.items.into_iter().map(|offer| (offer.offer_id, offer.product.name)).collect();
    Ok(html(&visitor, StatusCode::OK, &Page { page: &visitor, findings: findings.items, names }))
}
