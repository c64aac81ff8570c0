//! `GET /vouchers/{code}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Vouchers;
use super::view::VoucherView;
use crate::http::{Buyer, Outcome, Path};

/// A voucher by its code: its owner's, or any for a merchant.
#[utoipa::path(
    get, path = "/api/v1/vouchers/{code}", tag = "vouchers", params(("code" = String, Path)),
    responses((status = 200, body = VoucherView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(vouchers): State<Arc<Vouchers>>,
    Buyer(caller): Buyer,
    Path(code): Path<String>,
) -> Outcome<Json<VoucherView>> {
    let stored = vouchers.visible(caller, &code).await?;
    Ok(Json(VoucherView::new(stored.record, vouchers.ports.clock.now())))
}
