//! `GET /v1/test/cash-receipts?orderId=`: the cash receipts of an order.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Parameters, State};
use axum::response::{IntoResponse as _, Response};
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use serde::Deserialize;
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::sandbox::error::ApiError;
use crate::sandbox::rows::SandboxReceipt;

/// Receipts that are shown together.
const PAGE: u32 = 100;

/// Whose receipts are shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct OfOrder {
    order_id: String,
}

/// The receipts of an order, each with what it was issued over and what is left of that.
pub(in crate::sandbox) async fn list(
    State(sandbox): State<Arc<Sandbox>>,
    Parameters(of): Parameters<OfOrder>,
) -> Result<Response, ApiError> {
    let query = Query::all(SandboxReceipt::TABLE, PAGE).is("order_id", of.order_id);
    let receipts = sandbox.store.records().list::<SandboxReceipt>(query).await?;
    let items = receipts.iter().map(|receipt| {
        let receipt = &receipt.record;
        json!({"receiptKey": receipt.receipt_key, "type": receipt.kind, "amount": receipt.amount, "left": receipt.left()})
    });
    Ok(Json(json!({"items": items.collect::<Vec<_>>()})).into_response())
}
