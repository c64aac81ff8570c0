//! `GET /me/vouchers`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt, Stored};

use super::Vouchers;
use super::store::Voucher;
use super::view::VoucherView;
use crate::http::{Buyer, Items, Outcome, PageParameters};

/// Own vouchers, newest first.
#[utoipa::path(
    get, path = "/api/v1/me/vouchers", tag = "vouchers",
    params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Items<VoucherView>)),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(vouchers): State<Arc<Vouchers>>,
    Buyer(buyer): Buyer,
    page: PageParameters,
) -> Outcome<Json<Items<VoucherView>>> {
    let query = page.within(
        Query::all(Voucher::TABLE, page.limit + 1).is("user", buyer.user).order_by("issued_at", Direction::Descending),
    )?;
    let rows = vouchers.ports.records.list::<Voucher>(query).await?;
    let now = vouchers.ports.clock.now();
    let place = |row: &Stored<Voucher>| (row.record.issued_at.to_value(), row.record.key());
    Ok(Json(page.page(rows, place, |row| VoucherView::new(row.record, now))))
}
