//! HTTP Basic with the secret key as the user and an empty password.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use crate::sandbox::Sandbox;
use crate::sandbox::error::ApiError;

/// Proof that the caller knows the secret key.
pub(in crate::sandbox) struct Authorized;

impl FromRequestParts<Arc<Sandbox>> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sandbox: &Arc<Sandbox>) -> Result<Self, ApiError> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = header.and_then(|value| value.strip_prefix("Basic ")).and_then(|text| STANDARD.decode(text).ok());
        let expected = format!("{}:", sandbox.secret_key.expose_secret());
        if sent.is_some_and(|sent| sent.ct_eq(expected.as_bytes()).into()) {
            return Ok(Self);
        }
        let message = "인증되지 않은 시크릿 키 혹은 클라이언트 키 입니다.";
        Err(ApiError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED_KEY", message))
    }
}
