//! The buyer's vouchers: gift cards, tickets and coupons, and what was done with each.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::money::Money;
use firstcome_core::time::Time;
use serde::Deserialize;

use super::api::{Call, query, segment};
use super::contract::{Items, Voucher};
use super::failure::Failure;
use super::fields::Parameters;
use super::orders::Place;
use super::respond::html;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "vouchers.html")]
struct ListPage<'a> {
    page: &'a Visitor,
    usable: Vec<Voucher>,
    past: Vec<Voucher>,
    more: Option<String>,
}

/// `GET /vouchers`
pub(super) async fn list(visitor: Visitor, Parameters(place): Parameters<Place>) -> Result<Response, Failure> {
    let path = format!("/me/vouchers{}", query(&[("limit", "50"), ("cursor", &place.cursor)]));
    let list: Items<Voucher> = visitor.ask(Call::get(&path)).await?;
    let (usable, past) = list.items.into_iter().partition(Voucher::is_usable);
    let more = list.next_cursor.map(|cursor| format!("/vouchers{}", query(&[("cursor", &cursor)])));
    Ok(html(&visitor, StatusCode::OK, &ListPage { page: &visitor, usable, past, more }))
}

/// Something that was done with a voucher.
#[derive(Deserialize)]
struct Use {
    at: Time,
    kind: String,
    amount: Option<Money>,
}

#[derive(Template)]
#[template(path = "voucher.html")]
struct VoucherPage<'a> {
    page: &'a Visitor,
    voucher: Voucher,
    uses: Vec<Use>,
}

impl VoucherPage<'_> {
    fn title(&self, entry: &Use) -> String {
        self.page.name("voucher-use", &entry.kind)
    }
}

/// `GET /vouchers/{code}`
pub(super) async fn show(visitor: Visitor, Path(code): Path<String>) -> Result<Response, Failure> {
    let code = segment(&code)?;
    let voucher: Voucher = visitor.ask(Call::get(&format!("/vouchers/{code}"))).await?;
    let uses: Items<Use> = visitor.ask(Call::get(&format!("/vouchers/{code}/history"))).await?;
    Ok(html(&visitor, StatusCode::OK, &VoucherPage { page: &visitor, voucher, uses: uses.items }))
}
