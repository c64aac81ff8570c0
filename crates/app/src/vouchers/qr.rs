//! `GET /vouchers/{code}/qr.svg`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::Vouchers;
use crate::http::{Buyer, Outcome, Path};

/// The code of a voucher as a QR code, for those who see the voucher.
#[utoipa::path(
    get, path = "/api/v1/vouchers/{code}/qr.svg", tag = "vouchers", params(("code" = String, Path)),
    responses(
        (status = 200, description = "The picture", content_type = "image/svg+xml", body = String),
        (status = 404, description = "not_found"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(vouchers): State<Arc<Vouchers>>,
    Buyer(caller): Buyer,
    Path(code): Path<String>,
) -> Outcome<Response> {
    let stored = vouchers.visible(caller, &code).await?;
    let picture = crate::qr::svg(&stored.record.code).expect("a code is short");
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "private, no-store")];
    Ok((headers, picture).into_response())
}
