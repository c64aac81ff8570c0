//! `GET /v1/transactions?startDate&endDate&startingAfter&limit`: what moved, oldest first.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as QueryString, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _};
use serde::{Deserialize, Serialize};

use super::authorization::Authorized;
use crate::sandbox::Sandbox;
use crate::sandbox::error::ApiError;
use crate::sandbox::faults::{Kind, On, broken_connection};
use crate::sandbox::object::{from_korean_time, korean_time};
use crate::sandbox::rows::{SandboxTransaction, Status};

/// Movements of an answer when the caller does not say.
const DEFAULT_LIMIT: u32 = 100;
/// Movements that an answer may have.
const MAX_LIMIT: u32 = 5_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct Parameters {
    start_date: String,
    end_date: String,
    starting_after: Option<String>,
    limit: Option<u32>,
}

/// A movement, as the provider documents it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransactionObject {
    m_id: &'static str,
    transaction_key: String,
    payment_key: String,
    order_id: String,
    method: &'static str,
    customer_key: Option<()>,
    use_escrow: bool,
    receipt_url: String,
    status: Status,
    transaction_at: String,
    currency: String,
    amount: i64,
}

impl From<SandboxTransaction> for TransactionObject {
    fn from(row: SandboxTransaction) -> Self {
        Self {
            m_id: "firstcome_sandbox",
            receipt_url: format!("https://sandbox.invalid/payments/{}/receipt", row.payment_key),
            transaction_key: row.transaction_key,
            payment_key: row.payment_key,
            order_id: row.order_id,
            method: "카드",
            customer_key: None,
            use_escrow: false,
            status: row.status,
            transaction_at: korean_time(row.at),
            currency: row.currency.to_string(),
            amount: row.amount,
        }
    }
}

/// What moved in a time.
pub(in crate::sandbox) async fn list(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    parameters: Result<QueryString<Parameters>, QueryRejection>,
) -> Response {
    let fault = sandbox.faults.strike(On::Transactions);
    tokio::time::sleep(fault.delay).await;
    match fault.kind {
        Some(Kind::Error500) => return ApiError::internal().into_response(),
        Some(Kind::Decline) => return ApiError::declined(&fault.code).into_response(),
        Some(Kind::AnswerLost) => return broken_connection(),
        _ => {}
    }
    let listed = match parameters {
        Ok(QueryString(parameters)) => sandbox.transactions(parameters).await,
        Err(_) => Err(malformed()),
    };
    listed.map(Json).into_response()
}

impl Sandbox {
    async fn transactions(&self, parameters: Parameters) -> Result<Vec<TransactionObject>, ApiError> {
        let Parameters { start_date, end_date, starting_after, limit } = parameters;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::invalid("limit은 1 이상 5000 이하여야 합니다."));
        }
        let from = from_korean_time(&start_date).ok_or_else(malformed)?;
        let until = from_korean_time(&end_date).ok_or_else(malformed)? + Duration::from_secs(1);
        let mut query = Query::all(SandboxTransaction::TABLE, limit)
            .filter("at", Comparison::AtLeast(from.to_value()))
            .filter("at", Comparison::Less(until.to_value()))
            .order_by("at", Direction::Ascending);
        if let Some(key) = starting_after {
            let last = self.store.transaction(key).await?.ok_or_else(|| {
                ApiError::new(StatusCode::BAD_REQUEST, "INVALID_TRANSACTION_KEY", "잘못된 페이징 키 입니다.")
            })?;
            query = query.after(Some((last.at.to_value(), last.transaction_key.to_value())));
        }
        let rows = self.store.transactions(query).await?;
        Ok(rows.into_iter().map(TransactionObject::from).collect())
    }
}

fn malformed() -> ApiError {
    ApiError::invalid("startDate, endDate는 yyyy-MM-dd'T'hh:mm:ss 형식이어야 합니다.")
}
