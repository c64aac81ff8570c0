//! `GET /admin/books/payments.csv` and `/admin/books/refunds.csv`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{Field as _, Record as _};

use super::Payments;
use super::rows::{Payment, Refund};
use crate::http::{Operator, Outcome, QueryString};
use crate::sheet::{AskedDays, Pages, RecordRows, download, guarded, maybe};

impl Payment {
    /// What is written of it in books.
    pub const COLUMNS: [&str; 10] = [
        "payment_id",
        "order_id",
        "offer_id",
        "amount",
        "currency",
        "state",
        "refunded",
        "provider_key",
        "created_at",
        "updated_at",
    ];

    /// Its row; `offer` is the id of its order's home. What the provider calls it came by the buyer, as words.
    pub fn row(&self, offer: String) -> Vec<String> {
        vec![
            self.payment_id.to_string(),
            self.order_id.to_string(),
            offer,
            self.amount.to_string(),
            self.currency.to_string(),
            self.state.as_str().to_owned(),
            self.refunded.to_string(),
            guarded(self.named().unwrap_or_default()),
            self.created_at.to_string(),
            self.updated_at.to_string(),
        ]
    }
}

impl Refund {
    /// What is written of it in books.
    pub const COLUMNS: [&str; 12] = [
        "refund_id",
        "payment_id",
        "order_id",
        "offer_id",
        "amount",
        "currency",
        "state",
        "origin",
        "policy",
        "provider_transaction",
        "created_at",
        "to_gift_card",
    ];

    /// Its row; `offer` is the id of its order's home.
    pub fn row(&self, offer: String) -> Vec<String> {
        vec![
            self.refund_id.to_string(),
            self.payment_id.to_string(),
            self.order_id.to_string(),
            offer,
            self.amount.to_string(),
            self.currency.to_string(),
            self.state.as_str().to_owned(),
            self.origin.as_str().to_owned(),
            maybe(self.policy.map(RefundPolicy::as_str)),
            guarded(self.transaction.as_deref().unwrap_or_default()),
            self.created_at.to_string(),
            self.to_card.unwrap_or(0).to_string(),
        ]
    }
}

/// Attempts to pay that began on these days, as CSV, the oldest first. `firstcome export` adds the day of the sale.
#[utoipa::path(
    get, path = "/api/v1/admin/books/payments.csv", tag = "admin",
    params(AskedDays),
    responses(
        (status = 200, description = "The file", content_type = "text/csv", body = String),
        (status = 400, description = "malformed_request: no days, or too many"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn payments(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    QueryString(asked): QueryString<AskedDays>,
) -> Outcome<Response> {
    let days = asked.within(&payments.options.settlement.time_zone)?;
    let pages = Pages::<Payment>::new(Arc::clone(&payments.ports.records), "created_at", &days);
    let pages = pages.ordered_by("created_at", |payment| (payment.created_at.to_value(), payment.key()));
    let home = |payment: &Payment| payment.order_id.home();
    let rows = RecordRows::new(pages, Arc::clone(&payments.ports.ledger), home, Payment::row);
    download("payments", &days, &Payment::COLUMNS, rows).await
}

/// Refunds that were decided on these days, as CSV. `firstcome export` adds the day on which units came back, and what of
/// the order's tax did.
#[utoipa::path(
    get, path = "/api/v1/admin/books/refunds.csv", tag = "admin",
    params(AskedDays),
    responses(
        (status = 200, description = "The file", content_type = "text/csv", body = String),
        (status = 400, description = "malformed_request: no days, or too many"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn refunds(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    QueryString(asked): QueryString<AskedDays>,
) -> Outcome<Response> {
    let days = asked.within(&payments.options.settlement.time_zone)?;
    let pages = Pages::<Refund>::new(Arc::clone(&payments.ports.records), "created_at", &days);
    let home = |refund: &Refund| refund.order_id.home();
    let rows = RecordRows::new(pages, Arc::clone(&payments.ports.ledger), home, Refund::row);
    download("refunds", &days, &Refund::COLUMNS, rows).await
}
