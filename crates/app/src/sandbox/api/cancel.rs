//! `POST /v1/payments/{paymentKey}/cancel`: money goes back.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::time::Time;
use serde::Deserialize;

use super::Shown;
use super::authorization::Authorized;
use super::idempotency::Key;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::faults::{Fault, Kind, On};
use crate::sandbox::object::View;
use crate::sandbox::rows::{Cancel, RefundedTo, SandboxPayment, Status};
use crate::sandbox::{Sandbox, masked};

/// Characters that a reason may have.
const MAX_REASON: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    cancel_reason: String,
    /// All that is left when it is missing.
    cancel_amount: Option<i64>,
    /// What of it is free of VAT.
    tax_free_amount: Option<i64>,
    /// Where money of a deposit goes back to.
    refund_receive_account: Option<RefundReceiveAccount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefundReceiveAccount {
    bank: String,
    account_number: String,
    holder_name: String,
}

/// Cancels a payment, whole or in part.
pub(in crate::sandbox) async fn cancel(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    key: Key,
    Path(payment_key): Path<String>,
    body: Bytes,
) -> Response {
    match parse::<Request>(&body) {
        Ok(request) => {
            let work =
                async move |sandbox: Arc<Sandbox>, fault| sandbox.send_back(payment_key, request, key, fault).await;
            sandbox.answer(On::Cancel, work).await
        }
        Err(error) => error.into_response(),
    }
}

impl Sandbox {
    async fn send_back(
        &self,
        payment_key: String,
        request: Request,
        key: Key,
        fault: Fault,
    ) -> Result<Shown, ApiError> {
        let claim = self.store.claim(&payment_key).ok_or_else(ApiError::in_progress)?;
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        let known = self.store.find(&payment_key).await?.ok_or_else(ApiError::no_payment)?;
        let (payment, now) = (&known.record, self.now());
        if let Some(place) =
            payment.cancels.0.iter().position(|cancel| key.repeats(cancel.key.as_ref(), cancel.at, now))
        {
            return Ok((Arc::clone(&known), View::After(place + 1)));
        }
        if fault.kind == Some(Kind::Decline) {
            return Err(ApiError::declined(&fault.code));
        }
        let amount = cancelable(payment, &request, now)?;
        let tax_free = free_of_tax(payment, &request, amount)?;
        let mut changed = payment.clone();
        if let Some(account) = changed.account.as_mut().filter(|_| payment.status != Status::WaitingForDeposit) {
            account.0.refunded_to = Some(refunded_to(request.refund_receive_account.as_ref())?);
        }
        changed.cancels.0.push(Cancel {
            transaction_key: self.transaction_key(),
            amount,
            reason: request.cancel_reason,
            at: now,
            key: key.0,
            tax_free,
        });
        changed.status = if changed.balance() == 0 { Status::Canceled } else { Status::PartialCanceled };
        let changed = self.store.change(&claim, &known, changed).await?;
        self.announce(&changed).await;
        let count = changed.record.cancels.0.len();
        Ok((changed, View::After(count)))
    }
}

/// Where money of a deposit goes back to; it must be said, since the provider does not know where it came from.
fn refunded_to(account: Option<&RefundReceiveAccount>) -> Result<RefundedTo, ApiError> {
    let bad = |code, message| Err(ApiError::new(StatusCode::BAD_REQUEST, code, message));
    let Some(account) = account else {
        return bad("INVALID_REFUND_ACCOUNT_INFO", "가상계좌 결제 취소에는 환불 계좌 정보가 필요합니다.");
    };
    let number = &account.account_number;
    if !(6..=20).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return bad("INVALID_REFUND_ACCOUNT_NUMBER", "잘못된 환불 계좌번호입니다.");
    }
    if account.bank.is_empty() || account.holder_name.is_empty() {
        return bad("INVALID_BANK", "유효하지 않은 은행입니다.");
    }
    let (number, holder) = (masked::number(number), masked::name(&account.holder_name));
    Ok(RefundedTo { bank: account.bank.clone(), number, holder })
}

/// What of an amount that goes back is free of VAT, if the rest of the payment has as much of both.
fn free_of_tax(payment: &SandboxPayment, request: &Request, amount: i64) -> Result<i64, ApiError> {
    let left = payment.tax_free_left();
    let all = if amount == payment.balance() && request.cancel_amount.is_none() { left } else { 0 };
    let tax_free = request.tax_free_amount.unwrap_or(all);
    let least = (amount - (payment.balance() - left)).max(0);
    if (least..=left.min(amount)).contains(&tax_free) {
        return Ok(tax_free);
    }
    Err(ApiError::invalid("taxFreeAmount는 취소 가능한 과세 및 면세 금액에 맞아야 합니다."))
}

/// How much is to go back, if it may.
fn cancelable(payment: &SandboxPayment, request: &Request, now: Time) -> Result<i64, ApiError> {
    if request.cancel_reason.is_empty() || request.cancel_reason.chars().count() > MAX_REASON {
        return Err(ApiError::invalid("cancelReason은 1자 이상 200자 이하여야 합니다."));
    }
    match payment.status_at(now) {
        Status::Done | Status::PartialCanceled => {}
        Status::WaitingForDeposit if request.cancel_amount.is_none_or(|amount| amount == payment.amount) => {}
        Status::Canceled => {
            let message = "이미 취소된 결제 입니다.";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "ALREADY_CANCELED_PAYMENT", message));
        }
        Status::InProgress | Status::WaitingForDeposit | Status::Aborted | Status::Expired => {
            let message = "취소 할 수 없는 결제 입니다.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "NOT_CANCELABLE_PAYMENT", message));
        }
    }
    let balance = payment.balance();
    let amount = request.cancel_amount.unwrap_or(balance);
    if (1..=balance).contains(&amount) {
        return Ok(amount);
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, "NOT_CANCELABLE_AMOUNT", "취소 할 수 없는 금액 입니다."))
}
