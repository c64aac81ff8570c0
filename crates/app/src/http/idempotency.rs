//! The header `Idempotency-Key`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use firstcome_core::codes::ErrorCode;

use super::Problem;

/// Characters that a key may have.
const MAX_KEY: usize = 255;

/// The client's name for a request that it may repeat: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut sent = parts.headers.get_all("idempotency-key").iter();
        let key = sent.next().map(axum::http::HeaderValue::as_bytes).filter(|_| sent.next().is_none());
        match key {
            Some(key) if !key.is_empty() && key.len() <= MAX_KEY && key.iter().all(u8::is_ascii_graphic) => {
                Ok(Self(String::from_utf8_lossy(key).into_owned()))
            }
            _ => Err(Problem::new(ErrorCode::IdempotencyKeyMissing).detail(
                "Send one Idempotency-Key header of 1 to 255 visible ASCII characters, a new one for each new request",
            )),
        }
    }
}
