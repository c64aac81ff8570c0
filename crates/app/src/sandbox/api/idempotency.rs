//! The header `Idempotency-Key`: optional, at most 300 characters, remembered for 15 days.
//!
//! A key is kept with the payment that it changed, so nothing is stored for it beside the payment's own row.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use firstcome_core::time::Time;

use crate::sandbox::error::ApiError;

const MAX_LENGTH: usize = 300;
const REMEMBERED_FOR: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// The key, if there is one.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Key(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) if !key.is_empty() && key.len() <= MAX_LENGTH => Ok(Self(Some(key.to_owned()))),
            _ => {
                let message = "멱등키는 1자 이상 300자 이하여야 합니다.";
                Err(ApiError::new(StatusCode::BAD_REQUEST, "INVALID_IDEMPOTENCY_KEY", message))
            }
        }
    }
}

impl Key {
    /// Whether a change that was made with `other` at `at` was this request.
    pub(super) fn repeats(&self, other: Option<&String>, at: Time, now: Time) -> bool {
        self.0.is_some() && self.0.as_ref() == other && now < at + REMEMBERED_FOR
    }
}
