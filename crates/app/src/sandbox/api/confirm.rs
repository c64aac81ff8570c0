//! `POST /v1/payments/confirm`: the money moves.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::records::Json;
use firstcome_core::time::Time;
use serde::Deserialize;

use super::Shown;
use super::authorization::Authorized;
use super::idempotency::Key;
use crate::sandbox::Sandbox;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::faults::{Fault, Kind, On};
use crate::sandbox::object::View;
use crate::sandbox::rows::{Failure, SandboxPayment, Status};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    payment_key: String,
    order_id: String,
    amount: i64,
}

/// Confirms a payment.
pub(in crate::sandbox) async fn confirm(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    key: Key,
    body: Bytes,
) -> Response {
    match parse::<Request>(&body) {
        Ok(request) => {
            let work = async move |sandbox: Arc<Sandbox>, fault| sandbox.conclude(request, key, fault).await;
            sandbox.answer(On::Confirm, work).await
        }
        Err(error) => error.into_response(),
    }
}

/// Codes that leave the payment as it is: the same request can succeed later.
fn is_passing(code: &str) -> bool {
    let prefixes = ["PROVIDER_ERROR", "FAILED_", "UNKNOWN_", "IDEMPOTENT_"];
    prefixes.iter().any(|prefix| code.starts_with(prefix))
}

impl Sandbox {
    async fn conclude(&self, request: Request, key: Key, fault: Fault) -> Result<Shown, ApiError> {
        let claim = self.store.claim(&request.payment_key).ok_or_else(ApiError::in_progress)?;
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        let known = self.store.find(&request.payment_key).await?.ok_or_else(ApiError::no_payment)?;
        let (payment, now) = (&known.record, self.now());
        if key.repeats(payment.confirm_key.as_ref(), payment.approved_at.unwrap_or(payment.requested_at), now) {
            return match &payment.failure.0 {
                Some(failure) => Err(ApiError::declined(&failure.code)),
                None => Ok((Arc::clone(&known), View::After(0))),
            };
        }
        check(payment, &request, now)?;
        let declined = (fault.kind == Some(Kind::Decline)).then(|| ApiError::declined(&fault.code));
        if let Some(error) = declined.as_ref().filter(|error| is_passing(&error.code)) {
            return Err(error.clone());
        }
        let mut changed = SandboxPayment { confirm_key: key.0, ..payment.clone() };
        if let Some(ApiError { code, message, .. }) = declined.clone() {
            changed.status = Status::Aborted;
            changed.failure = Json(Some(Failure { code, message }));
        } else {
            changed.status = Status::Done;
            changed.approved_at = Some(now);
            changed.approval_key = Some(self.transaction_key());
        }
        let changed = self.store.change(&claim, &known, changed).await?;
        self.announce(&changed).await;
        declined.map_or(Ok((changed, View::After(0))), Err)
    }
}

fn check(payment: &SandboxPayment, request: &Request, now: Time) -> Result<(), ApiError> {
    if payment.order_id != request.order_id {
        return Err(ApiError::invalid("결제 요청의 orderId와 일치하지 않습니다."));
    }
    match payment.status_at(now) {
        Status::InProgress if payment.amount != request.amount => {
            Err(ApiError::invalid("결제 요청의 amount와 일치하지 않습니다."))
        }
        Status::InProgress => Ok(()),
        Status::Expired => {
            let message = "결제 시간이 만료되어 결제 진행 데이터가 존재하지 않습니다.";
            Err(ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND_PAYMENT_SESSION", message))
        }
        Status::WaitingForDeposit | Status::Done | Status::Canceled | Status::PartialCanceled | Status::Aborted => {
            Err(ApiError::new(StatusCode::BAD_REQUEST, "ALREADY_PROCESSED_PAYMENT", "이미 처리된 결제 입니다."))
        }
    }
}
