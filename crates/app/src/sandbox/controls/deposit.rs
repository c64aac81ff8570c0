//! `POST /v1/test/deposits`: as if somebody had just paid into the virtual account of an order.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::rows::{SandboxPayment, Status};

/// What is paid in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Deposit {
    order_id: String,
    /// What the account waits for when it is missing; another amount is refused, as banks do.
    amount: Option<i64>,
}

/// Pays into the account.
pub(in crate::sandbox) async fn deposit(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let paid = match parse::<Deposit>(&body) {
        Ok(deposit) => sandbox.deposit(&deposit.order_id, deposit.amount).await,
        Err(error) => Err(error),
    };
    match paid {
        Ok(payment_key) => Json(json!({ "paymentKey": payment_key })).into_response(),
        Err(error) => error.into_response(),
    }
}

impl Sandbox {
    /// Somebody pays; returns the payment's key. Also after the account's time: there are banks whose clocks are late.
    pub(in crate::sandbox) async fn deposit(&self, order_id: &str, amount: Option<i64>) -> Result<String, ApiError> {
        let key = self.store.find_account(order_id).await?.ok_or_else(ApiError::no_payment)?.record.payment_key.clone();
        let claim = self.store.claim(&key).ok_or_else(ApiError::in_progress)?;
        let known = self.store.find(&key).await?.ok_or_else(ApiError::no_payment)?;
        let payment = &known.record;
        let bad = |code, message| Err(ApiError::new(StatusCode::BAD_REQUEST, code, message));
        if payment.status != Status::WaitingForDeposit {
            return bad("ALREADY_PROCESSED_PAYMENT", "이미 처리된 결제 입니다.");
        }
        if amount.is_some_and(|amount| amount != payment.amount) {
            return bad("INVALID_REQUEST", "입금 금액이 결제 금액과 일치하지 않습니다.");
        }
        let changed = SandboxPayment {
            status: Status::Done,
            approved_at: Some(self.clock.now()),
            approval_key: Some(self.transaction_key()),
            ..payment.clone()
        };
        let changed = self.store.change(&claim, &known, changed).await?;
        self.announce(&changed).await;
        Ok(key)
    }
}
