//! `POST /v1/test/payments`: as if a buyer had just paid in the widget.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::ids::EventId;
use firstcome_core::money::{Currency, MAX_AMOUNT};
use firstcome_core::ports::random_bytes;
use firstcome_core::records;
use serde::Deserialize;
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::rows::{SandboxPayment, Status};

/// What the buyer pays for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::sandbox) struct Purchase {
    pub(in crate::sandbox) order_id: String,
    pub(in crate::sandbox) amount: i64,
    #[serde(default)]
    pub(in crate::sandbox) order_name: String,
    #[serde(default)]
    pub(in crate::sandbox) currency: Option<Currency>,
    /// What of the amount is free of VAT.
    #[serde(default)]
    pub(in crate::sandbox) tax_free_amount: i64,
}

/// Makes a payment that waits for its confirmation.
pub(in crate::sandbox) async fn pay(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let created = match parse::<Purchase>(&body) {
        Ok(purchase) => sandbox.pay(purchase).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(payment_key) => Json(json!({ "paymentKey": payment_key })).into_response(),
        Err(error) => error.into_response(),
    }
}

impl Purchase {
    /// What the provider's widget would not open with.
    pub(in crate::sandbox) fn check(&self) -> Result<(), ApiError> {
        let order = &self.order_id;
        let is_id = order.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
        if !(6..=64).contains(&order.len()) || !is_id {
            return Err(ApiError::invalid(
                "orderId는 영문 대소문자, 숫자, 특수문자(-, _, =) 6자 이상 64자 이하여야 합니다.",
            ));
        }
        if !(1..=MAX_AMOUNT).contains(&self.amount) {
            return Err(ApiError::invalid("amount는 1 이상이어야 합니다."));
        }
        if !(0..=self.amount).contains(&self.tax_free_amount) {
            return Err(ApiError::invalid("taxFreeAmount는 amount 이하여야 합니다."));
        }
        if self.order_name.chars().count() > 100 {
            return Err(ApiError::invalid("orderName은 100자 이하여야 합니다."));
        }
        Ok(())
    }
}

impl Sandbox {
    /// The buyer pays in the widget; returns the key.
    pub(in crate::sandbox) async fn pay(&self, purchase: Purchase) -> Result<String, ApiError> {
        purchase.check()?;
        let now = self.clock.now();
        let payment = SandboxPayment {
            payment_key: self.new_key("sbx"),
            order_id: purchase.order_id,
            order_name: purchase.order_name,
            amount: purchase.amount,
            currency: purchase.currency.unwrap_or(Currency::KRW),
            status: Status::InProgress,
            requested_at: now,
            expires_at: now + self.confirm_within,
            approved_at: None,
            approval_key: None,
            confirm_key: None,
            failure: records::Json(None),
            cancels: records::Json(Vec::new()),
            tax_free: (purchase.tax_free_amount > 0).then_some(purchase.tax_free_amount),
        };
        let created = self.store.create(payment).await?;
        Ok(created.record.payment_key.clone())
    }

    /// A key that sorts by time and that nobody can guess.
    fn new_key(&self, prefix: &str) -> String {
        let id = EventId::at(self.clock.now(), random_bytes(&*self.random)).to_string();
        format!("{prefix}{}", id.trim_start_matches(EventId::PREFIX))
    }

    /// The name of a movement of money.
    pub(in crate::sandbox) fn transaction_key(&self) -> String {
        self.new_key("txn")
    }
}
