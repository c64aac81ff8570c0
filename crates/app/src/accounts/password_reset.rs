//! `POST /auth/password-reset`: sends a code to choose a new password with. The answer is the same for addresses that have
//! an account and for those that have none, and so is what is done before it, but for the e-mail.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::codes::RESET_DIGITS;
use super::people::find;
use super::{Accounts, EmailAddress, wording};
use crate::http::{Body, ClientAddress, Outcome};

/// Whose password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct ForgottenPassword {
    /// The account's e-mail address.
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
}

/// Sends a code by e-mail to choose a new password with, if the address has an account.
///
/// Eight digits that hold for five minutes and five tries; a new code replaces the one before. Until it is entered the
/// password stays.
#[utoipa::path(
    post, path = "/api/v1/auth/password-reset", tag = "accounts",
    request_body = ForgottenPassword,
    responses(
        (status = 202, description = "A code is on its way if there is such an account; the same answer if not"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many codes; `retry_after` seconds"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    Body { value, .. }: Body<ForgottenPassword>,
) -> Outcome<StatusCode> {
    accounts.attempts.check_codes(address)?;
    let keys = &accounts.ports.keys;
    let known = find(accounts.ports.records.as_ref(), value.email.index(&keys.index)).await?.is_some();
    let lifetime = accounts.options.code_lifetime;
    let mail = |code: &str| known.then(|| wording::reset(&value.email, code, lifetime));
    accounts.send_code(&value.email.reset_index(&keys.index), RESET_DIGITS, mail).await?;
    Ok(StatusCode::ACCEPTED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::TestApp;

    const PATH: &str = "/api/v1/auth/password-reset";
    const KIM: &str = "kim@example.com";

    #[tokio::test]
    async fn known_and_unknown_get_the_same_answer_and_only_the_known_an_email() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let known = app.post(PATH, None, &json!({ "email": "Kim@Example.com" })).await;
        let unknown = app.post(PATH, None, &json!({ "email": "lee@example.com" })).await;
        assert_eq!((known.status, &known.text), (202, &unknown.text));
        assert_eq!((known.status, known.headers), (unknown.status, unknown.headers));
        assert!(app.mailbox.newest(KIM).unwrap().contains("new password"));
        assert_eq!(app.code(KIM).len(), 8);
        assert!(app.mailbox.newest("lee@example.com").is_none());
    }

    #[tokio::test]
    async fn limited_per_address_alike_and_apart_from_other_codes() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        for email in [KIM, "lee@example.com"] {
            let body = json!({ "email": email });
            for _ in 0..5 {
                assert_eq!(app.post(PATH, None, &body).await.status, 202);
            }
            app.post(PATH, None, &body).await.is_problem(429, "rate_limited");
            assert_eq!(app.post("/api/v1/auth/email-codes", None, &body).await.status, 202);
        }
        app.clock.advance(Duration::from_mins(10));
        assert_eq!(app.post(PATH, None, &json!({ "email": KIM })).await.status, 202);
    }

    #[tokio::test]
    async fn a_code_for_one_thing_is_none_for_another() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        app.post(PATH, None, &json!({ "email": KIM })).await;
        let body = json!({ "email": KIM, "code": app.code(KIM) });
        app.post("/api/v1/auth/email-codes/verify", None, &body).await.is_problem(400, "invalid_code");
        let code = app.ask_for_code(KIM).await;
        let body = json!({ "email": KIM, "code": code, "password": "another long one" });
        app.post("/api/v1/auth/password-reset/confirm", None, &body).await.is_problem(400, "invalid_code");
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        for body in [json!({}), json!({ "email": "kim" }), json!({ "email": KIM, "code": "1" }), json!([KIM])] {
            app.post(PATH, None, &body).await.is_problem(422, "invalid_body");
        }
    }
}
