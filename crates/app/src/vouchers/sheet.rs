//! `GET /admin/books/vouchers.csv`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use firstcome_core::time::Time;

use super::Vouchers;
use super::store::Voucher;
use crate::http::{Operator, Outcome, QueryString};
use crate::sheet::{AskedDays, Pages, RecordRows, download, guarded, maybe};

impl Voucher {
    /// What is written of it in books.
    pub const COLUMNS: [&str; 11] = [
        "voucher_id",
        "order_id",
        "offer_id",
        "owner",
        "kind",
        "product_name",
        "face",
        "balance",
        "currency",
        "state",
        "valid_until",
    ];

    /// Its row; `offer` is the id of the offer that sold it. Its code is money in the hand of whoever reads it, and stands
    /// nowhere.
    pub fn row(&self, offer: String, now: Time) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.order.to_string(),
            offer,
            self.user.to_string(),
            self.kind.as_str().to_owned(),
            guarded(&self.product_name),
            self.face.to_string(),
            self.balance.to_string(),
            maybe(self.money(self.face).map(|money| money.currency)),
            self.account().state(now).as_str().to_owned(),
            self.valid_until.to_string(),
        ]
    }
}

/// Vouchers that were issued on these days, as CSV, with what is left on them now. `firstcome export` adds the day of the
/// sale.
#[utoipa::path(
    get, path = "/api/v1/admin/books/vouchers.csv", tag = "admin",
    params(AskedDays),
    responses(
        (status = 200, description = "The file", content_type = "text/csv", body = String),
        (status = 400, description = "malformed_request: no days, or too many"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(vouchers): State<Arc<Vouchers>>,
    _: Operator,
    QueryString(asked): QueryString<AskedDays>,
) -> Outcome<Response> {
    let days = asked.within(&vouchers.time_zone)?;
    let pages = Pages::new(vouchers.ports.records.clone(), "issued_at", &days);
    let now = vouchers.ports.clock.now();
    let row = move |voucher: &Voucher, offer| voucher.row(offer, now);
    let rows = RecordRows::new(pages, vouchers.ports.ledger.clone(), Voucher::sold_by, row);
    download("vouchers", &days, &Voucher::COLUMNS, rows).await
}
