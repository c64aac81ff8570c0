//! `POST /auth/login`: a password gives a device its tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::agent::Agent;
use super::people::{Password, find, optional_text};
use super::records::User;
use super::tokens::Tokens;
use super::{Accounts, EmailAddress};
use crate::http::{Body, ClientAddress, Outcome, Problem, one_line};

/// Who logs in, where.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct LogIn {
    /// The account's e-mail address.
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    password: Password,
    /// What the person calls the device; shown in the list of devices. If left out, its browser and system as far as its
    /// `User-Agent` tells, such as `Chrome on Windows`.
    #[schema(max_length = 100, example = "my phone")]
    #[garde(custom(optional_text::<100>), inner(custom(one_line)))]
    device: Option<String>,
    /// With a second factor: six digits of the app, or a recovery code.
    #[schema(max_length = 32, example = "287082")]
    #[garde(inner(length(chars, max = 32)))]
    code: Option<String>,
}

/// Logs in.
///
/// An account with a second factor is asked for a code: the same once more, with `code`. Each code works once.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "accounts",
    request_body = LogIn,
    responses(
        (status = 200, description = "Logged in", body = Tokens),
        (status = 401, description = "`invalid_credentials`: no such account, or another password; \
            `second_factor_required`: send a `code` too; `second_factor_wrong`: not a code of about now, or used already"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong passwords or codes; `retry_after` seconds"),
        (status = 503, description = "`overloaded`: too many log-ins at the moment"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    Agent(agent): Agent,
    Body { value, .. }: Body<LogIn>,
) -> Outcome<Json<Tokens>> {
    let index = value.email.index(&accounts.ports.keys.index);
    let attempt = accounts.attempts.begin(&index, address, accounts.ports.clock.now())?;
    let user = match accounts.check(index, value.password).await {
        Ok(Some(user)) => user,
        Ok(None) => return Err(Problem::new(ErrorCode::InvalidCredentials)),
        Err(problem) => {
            accounts.attempts.unchecked(attempt);
            return Err(problem);
        }
    };
    let has_proved = match accounts.prove_log_in(&user, value.code.as_deref(), address).await {
        Ok(has_proved) => has_proved,
        Err(problem) => {
            // The password was right, which forgives nothing yet.
            accounts.attempts.unchecked(attempt);
            return Err(problem);
        }
    };
    accounts.attempts.succeeded(attempt, accounts.ports.clock.now());
    let device = value.device.unwrap_or(agent);
    Ok(Json(accounts.start_session(&user, &device, address, has_proved).await?))
}

impl Accounts {
    /// Whose e-mail address and password these are.
    async fn check(&self, index: Vec<u8>, password: Password) -> Outcome<Option<User>> {
        let user = find(self.ports.records.as_ref(), index).await?.map(|user| user.record);
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let right = self.passwords.verify(password.0, hash).await?;
        Ok(user.filter(|_| right))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::{PASSWORD, TestApp};

    const PATH: &str = "/api/v1/auth/login";
    const KIM: &str = "kim@example.com";

    #[tokio::test]
    async fn gives_tokens_that_work() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let tokens = app.post(PATH, None, &json!({ "email": "KIM@example.com", "password": PASSWORD })).await;
        assert_eq!(tokens.status, 200);
        assert_eq!((&tokens.body["token_type"], &tokens.body["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!(tokens.headers["cache-control"], "no-store");
        let me = app.get("/api/v1/me", Some(tokens.body["access_token"].as_str().unwrap())).await;
        assert_eq!((me.status, &me.body["email"], &me.body["roles"]), (200, &json!(KIM), &json!(["buyer"])));
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_address_look_the_same() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let wrong = app.post(PATH, None, &json!({ "email": KIM, "password": "wrong" })).await;
        let unknown = app.post(PATH, None, &json!({ "email": "lee@example.com", "password": "wrong" })).await;
        wrong.is_problem(401, "invalid_credentials");
        assert_eq!((wrong.status, wrong.body), (unknown.status, unknown.body));
    }

    #[tokio::test]
    async fn guessing_is_slowed_down() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        for _ in 0..6 {
            app.post(PATH, None, &json!({ "email": KIM, "password": "wrong" }))
                .await
                .is_problem(401, "invalid_credentials");
        }
        let right = json!({ "email": KIM, "password": PASSWORD });
        let refused = app.post(PATH, None, &right).await;
        refused.is_problem(429, "rate_limited");
        let wait = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        app.clock.advance(Duration::from_secs(wait));
        assert_eq!(app.post(PATH, None, &right).await.status, 200);
    }

    #[tokio::test]
    async fn guesses_in_parallel_are_no_more_than_in_turn() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let wrong = json!({ "email": KIM, "password": "wrong" });
        let guesses = futures_util::future::join_all((0..60).map(|_| app.post(PATH, None, &wrong))).await;
        assert_eq!(guesses.iter().filter(|guess| guess.status == 401).count(), 6);
        assert_eq!(guesses.iter().filter(|guess| guess.status == 429).count(), 54);
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        for body in [
            json!({ "email": KIM }),
            json!({ "email": KIM, "password": null }),
            json!({ "email": KIM, "password": ["x"] }),
            json!({ "email": KIM, "password": "x", "device": "d".repeat(101) }),
            json!({ "email": KIM, "password": "x", "device": 7 }),
            json!({ "email": KIM, "password": "x", "otp": "1" }),
        ] {
            app.post(PATH, None, &body).await.is_problem(422, "invalid_body");
        }
        let huge = json!({ "email": KIM, "password": "x".repeat(60_000) });
        app.post(PATH, None, &huge).await.is_problem(401, "invalid_credentials");
    }
}
