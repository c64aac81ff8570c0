//! `POST /auth/email-codes`: sends six digits to an e-mail address. Whether it has an account is never looked at, so
//! the answer cannot tell.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::codes::VERIFICATION_DIGITS;
use super::{Accounts, EmailAddress, wording};
use crate::http::{Body, ClientAddress, Outcome};

/// Where the code goes.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct AskForCode {
    /// An e-mail address that the caller can read.
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
}

/// Sends a code by e-mail.
///
/// Six digits that hold for five minutes and five tries; a new code replaces the one before.
#[utoipa::path(
    post, path = "/api/v1/auth/email-codes", tag = "accounts",
    request_body = AskForCode,
    responses(
        (status = 202, description = "The code is on its way; the same for known and unknown addresses"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many codes; `retry_after` seconds"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    Body { value, .. }: Body<AskForCode>,
) -> Outcome<StatusCode> {
    accounts.attempts.check_codes(address)?;
    let index = value.email.index(&accounts.ports.keys.index);
    let lifetime = accounts.options.code_lifetime;
    let mail = |code: &str| Some(wording::code(&value.email, code, lifetime));
    accounts.send_code(&index, VERIFICATION_DIGITS, mail).await?;
    Ok(StatusCode::ACCEPTED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::TestApp;

    #[tokio::test]
    async fn sends_six_digits_on_a_line_of_their_own() {
        let app = TestApp::new().await;
        let sent = app.post("/api/v1/auth/email-codes", None, &json!({ "email": "Kim@Example.com" })).await;
        assert_eq!(sent.status, 202);
        assert_eq!(app.code("kim@example.com").len(), 6);
    }

    #[tokio::test]
    async fn resend_is_limited_per_address() {
        let app = TestApp::new().await;
        let body = json!({ "email": "kim@example.com" });
        for _ in 0..5 {
            assert_eq!(app.post("/api/v1/auth/email-codes", None, &body).await.status, 202);
        }
        let refused = app.post("/api/v1/auth/email-codes", None, &body).await;
        refused.is_problem(429, "rate_limited");
        assert!(refused.body["retry_after"].as_u64().unwrap() > 0);
        let other = app.post("/api/v1/auth/email-codes", None, &json!({ "email": "lee@example.com" })).await;
        assert_eq!(other.status, 202);
        app.clock.advance(Duration::from_mins(10));
        assert_eq!(app.post("/api/v1/auth/email-codes", None, &body).await.status, 202);
    }

    #[tokio::test]
    async fn a_known_address_gets_the_same_answer() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let known = app.post("/api/v1/auth/email-codes", None, &json!({ "email": "kim@example.com" })).await;
        let unknown = app.post("/api/v1/auth/email-codes", None, &json!({ "email": "lee@example.com" })).await;
        assert_eq!((known.status, known.body), (unknown.status, unknown.body));
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        let path = "/api/v1/auth/email-codes";
        for body in [
            json!({}),
            json!({ "email": null }),
            json!({ "email": 5 }),
            json!({ "email": ["kim@example.com"] }),
            json!({ "email": "kim" }),
            json!({ "email": "x".repeat(50_000) }),
            json!({ "email": "kim@example.com", "admin": true }),
            json!("kim@example.com"),
            json!(null),
        ] {
            app.post(path, None, &body).await.is_problem(422, "invalid_body");
        }
        app.post(path, None, &json!({ "email": "x".repeat(70_000) })).await.is_problem(413, "body_too_large");
        app.send("POST", path, None, "{\"email\": ").await.is_problem(400, "malformed_body");
        assert!(app.mailbox.newest("kim@example.com").is_none());
    }
}
