//! `POST /v1/cash-receipts` and `POST /v1/cash-receipts/{receiptKey}/cancel`: the tax office hears of a payment.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::records::{Json, Query, Record as _, RecordsExt as _, Stored, Unit};
use serde::{Deserialize, Serialize};

use super::authorization::Authorized;
use super::idempotency::Key;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::faults::{Fault, Kind, On};
use crate::sandbox::object::korean_time;
use crate::sandbox::rows::{ReceiptCancel, SandboxReceipt};
use crate::sandbox::{Sandbox, masked};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    amount: i64,
    order_id: String,
    order_name: String,
    customer_identity_number: String,
    r#type: String,
    /// What of the amount is free of VAT.
    #[serde(default)]
    tax_free_amount: i64,
}

#[derive(Deserialize)]
struct CancelRequest {
    /// All that is left when it is missing.
    amount: Option<i64>,
}

/// A receipt, as it was after so many cancels.
type Shown = (SandboxReceipt, usize);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptObject<'a> {
    receipt_key: &'a str,
    order_id: &'a str,
    order_name: &'a str,
    r#type: &'a str,
    issue_number: &'a str,
    receipt_url: String,
    business_number: &'static str,
    transaction_type: &'static str,
    amount: i64,
    tax_free_amount: i64,
    issue_status: &'static str,
    failure: Option<()>,
    customer_identity_number: &'a str,
    requested_at: String,
}

/// Issues a receipt.
pub(in crate::sandbox) async fn issue(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    key: Key,
    body: Bytes,
) -> Response {
    match parse::<Request>(&body) {
        Ok(request) => {
            let work = async move |sandbox: Arc<Sandbox>, fault| sandbox.issue(request, key, fault).await;
            sandbox.answer_with(On::CashReceipt, work, |shown| show(&shown)).await
        }
        Err(error) => error.into_response(),
    }
}

/// Cancels a receipt, whole or in part.
pub(in crate::sandbox) async fn cancel(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    key: Key,
    Path(receipt_key): Path<String>,
    body: Bytes,
) -> Response {
    match parse::<CancelRequest>(&body) {
        Ok(request) => {
            let work = async move |sandbox: Arc<Sandbox>, fault| sandbox.lower(receipt_key, request, key, fault).await;
            sandbox.answer_with(On::CashReceipt, work, |shown| show(&shown)).await
        }
        Err(error) => error.into_response(),
    }
}

fn show((receipt, cancels): &Shown) -> Response {
    let canceled = cancels.checked_sub(1).and_then(|place| receipt.cancels.0.get(place));
    let object = ReceiptObject {
        receipt_key: &receipt.receipt_key,
        order_id: &receipt.order_id,
        order_name: &receipt.order_name,
        r#type: &receipt.kind,
        issue_number: &receipt.issue_number,
        receipt_url: format!("https://sandbox.invalid/cash-receipts/{}", receipt.receipt_key),
        business_number: "1234567890",
        transaction_type: if canceled.is_some() { "CANCEL" } else { "CONFIRM" },
        amount: canceled.map_or(receipt.amount, |canceled| canceled.amount),
        tax_free_amount: if canceled.is_some() { 0 } else { receipt.tax_free.unwrap_or(0) },
        issue_status: "COMPLETED",
        failure: None,
        customer_identity_number: &receipt.customer,
        requested_at: korean_time(canceled.map_or(receipt.requested_at, |canceled| canceled.at)),
    };
    axum::Json(object).into_response()
}

impl Sandbox {
    async fn issue(&self, request: Request, key: Key, fault: Fault) -> Result<Shown, ApiError> {
        let claimed = key.0.clone().unwrap_or_else(|| self.new_key("rcp"));
        let _claim = self.store.claim(&claimed).ok_or_else(ApiError::in_progress)?;
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        let now = self.now();
        let query = Query::all(SandboxReceipt::TABLE, 1).is("issue_key", Some(claimed));
        if let Some(known) = self.store.records().list::<SandboxReceipt>(query).await?.pop()
            && key.repeats(known.record.issue_key.as_ref(), known.record.requested_at, now)
        {
            return Ok((known.record, 0));
        }
        if fault.kind == Some(Kind::Decline) {
            return Err(ApiError::declined(&fault.code));
        }
        if !matches!(request.r#type.as_str(), "소득공제" | "지출증빙") || request.amount < 1 {
            return Err(ApiError::invalid("type 또는 amount가 올바르지 않습니다."));
        }
        if !(0..=request.amount).contains(&request.tax_free_amount) {
            return Err(ApiError::invalid("taxFreeAmount는 amount 이하여야 합니다."));
        }
        let number = &request.customer_identity_number;
        if !(10..=30).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = "유효하지 않은 현금영수증 발급 번호입니다.";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "INVALID_REGISTRATION_NUMBER", message));
        }
        let receipt_key = self.new_key("cr");
        let receipt = SandboxReceipt {
            issue_number: receipt_key.bytes().rev().take(9).map(|byte| char::from(b'0' + byte % 10)).collect(),
            receipt_key,
            order_id: request.order_id,
            order_name: request.order_name,
            kind: request.r#type,
            amount: request.amount,
            customer: masked::number(number),
            requested_at: now,
            issue_key: key.0,
            cancels: Json(Vec::new()),
            tax_free: (request.tax_free_amount > 0).then_some(request.tax_free_amount),
        };
        self.store.records().commit(Unit::new().insert(&receipt)).await?;
        Ok((receipt, 0))
    }

    async fn lower(
        &self,
        receipt_key: String,
        request: CancelRequest,
        key: Key,
        fault: Fault,
    ) -> Result<Shown, ApiError> {
        let _claim = self.store.claim(&receipt_key).ok_or_else(ApiError::in_progress)?;
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        let now = self.now();
        let known = self.store.records().load::<SandboxReceipt>(receipt_key).await?;
        let Some(Stored { mut record, version }) = known else {
            let message = "존재하지 않는 현금영수증 입니다.";
            return Err(ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND_CASH_RECEIPT", message));
        };
        let repeats = |cancel: &ReceiptCancel| key.repeats(cancel.key.as_ref(), cancel.at, now);
        if let Some(place) = record.cancels.0.iter().position(repeats) {
            return Ok((record, place + 1));
        }
        if fault.kind == Some(Kind::Decline) {
            return Err(ApiError::declined(&fault.code));
        }
        let amount = request.amount.unwrap_or(record.left());
        if !(1..=record.left()).contains(&amount) {
            let message = "취소 할 수 없는 금액 입니다.";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "NOT_CANCELABLE_AMOUNT", message));
        }
        record.cancels.0.push(ReceiptCancel { amount, at: now, key: key.0 });
        let count = record.cancels.0.len();
        self.store.records().commit(Unit::new().update(&Stored { record: record.clone(), version })).await?;
        Ok((record, count))
    }
}
