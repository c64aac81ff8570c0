//! `POST /auth/password-reset/confirm`: a right code sets the password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::records::Unit;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::people::{Password, find, password_length};
use super::{Accounts, EmailAddress};
use crate::http::{Body, ClientAddress, Outcome, Problem};

/// The code that came by e-mail, and the password that is to be.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct NewPassword {
    /// The account's e-mail address.
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
    /// The eight digits.
    #[schema(example = "04213758")]
    code: String,
    /// 8 to 128 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, example = "correct horse battery")]
    #[garde(custom(password_length))]
    password: Password,
}

/// Sets a new password with an e-mailed code, and logs every device out.
#[utoipa::path(
    post, path = "/api/v1/auth/password-reset/confirm", tag = "accounts",
    request_body = NewPassword,
    responses(
        (status = 204, description = "The password is set, every session has ended; log in"),
        (status = 400, description = "`invalid_code`: wrong, used, expired, or tried too often"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong codes; `retry_after` seconds"),
        (status = 503, description = "`overloaded`: too many log-ins at the moment"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    Body { value, .. }: Body<NewPassword>,
) -> Outcome<StatusCode> {
    let keys = &accounts.ports.keys;
    let (index, code) = (value.email.reset_index(&keys.index), value.code.as_str());
    // Looked at first, so that nobody without a code makes us hash; and again when it is used up.
    accounts.enter(&value.email, &index, code, address).await?;
    let hash = accounts.passwords.hash(value.password.0.clone()).await?;
    loop {
        let mut proof = accounts.entered(&index, code).await?;
        proof.record.code = None;
        let user = find(accounts.ports.records.as_ref(), value.email.index(&keys.index)).await?;
        let user = user.ok_or_else(|| Problem::new(ErrorCode::InvalidCode))?;
        if accounts.replace_password(user, hash.clone(), Unit::new().update(&proof)).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::accounts::testing::{PASSWORD, TestApp};

    const PATH: &str = "/api/v1/auth/password-reset/confirm";
    const KIM: &str = "kim@example.com";
    const NEW: &str = "a new long password";

    async fn code(app: &TestApp) -> String {
        app.post("/api/v1/auth/password-reset", None, &json!({ "email": KIM })).await;
        app.code(KIM)
    }

    fn body(code: &str) -> Value {
        json!({ "email": KIM, "code": code, "password": NEW })
    }

    async fn log_in(app: &TestApp, password: &str) -> u16 {
        app.post("/api/v1/auth/login", None, &json!({ "email": KIM, "password": password })).await.status
    }

    #[tokio::test]
    async fn sets_the_password_once_ends_every_session_and_says_so() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let devices = [app.log_in(KIM).await, app.log_in(KIM).await];
        let code = code(&app).await;
        assert_eq!(app.post(PATH, None, &body(&code)).await.status, 204);
        for device in devices {
            app.get("/api/v1/me", Some(&device.access)).await.is_problem(401, "unauthenticated");
            assert!(app.refresh(&device.refresh).await.is_none());
        }
        assert_eq!((log_in(&app, PASSWORD).await, log_in(&app, NEW).await), (401, 200));
        assert!(app.mailbox.newest(KIM).unwrap().contains("was changed"));
        app.post(PATH, None, &body(&code)).await.is_problem(400, "invalid_code");
    }

    #[tokio::test]
    async fn wrong_codes_are_counted_and_change_nothing() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let right = code(&app).await;
        let wrong = format!("{:08}", (right.parse::<u32>().unwrap() + 1) % 100_000_000);
        for left in (0..5).rev() {
            let refused = app.post(PATH, None, &body(&wrong)).await;
            refused.is_problem(400, "invalid_code");
            assert_eq!(refused.body["tries_left"], left);
        }
        app.post(PATH, None, &body(&right)).await.is_problem(400, "invalid_code");
        assert_eq!(app.get("/api/v1/me", Some(&device.access)).await.status, 200);
        assert_eq!(log_in(&app, PASSWORD).await, 200);
        let late = code(&app).await;
        app.clock.advance(Duration::from_mins(5));
        app.post(PATH, None, &body(&late)).await.is_problem(400, "invalid_code");
    }

    #[tokio::test]
    async fn of_twins_one_sets_it() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let body = body(&code(&app).await);
        let (one, two) = tokio::join!(app.post(PATH, None, &body), app.post(PATH, None, &body));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 400]);
    }

    #[tokio::test]
    async fn another_process_takes_the_code_and_ends_the_sessions() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let code = code(&app).await;
        let other = app.another_process().await;
        assert_eq!(other.post(PATH, None, &body(&code)).await.status, 204);
        app.gateway.load().await.unwrap();
        app.get("/api/v1/me", Some(&device.access)).await.is_problem(401, "unauthenticated");
    }

    #[tokio::test]
    async fn whoever_guesses_at_many_accounts_is_slowed_down() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let right = code(&app).await;
        let guess = async |number: u32| {
            let guess = json!({ "email": format!("{number}@example.com"), "code": "12345678", "password": NEW });
            app.post(PATH, None, &guess).await.status
        };
        for number in 0..101 {
            assert_eq!(guess(number).await, 400);
        }
        assert_eq!(guess(101).await, 429);
        let refused = app.post(PATH, None, &body(&right)).await;
        refused.is_problem(429, "rate_limited");
        let wait = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        app.clock.advance(Duration::from_secs(wait));
        assert_eq!(app.post(PATH, None, &body(&right)).await.status, 204);
    }

    #[tokio::test]
    async fn whoever_mistyped_the_password_before_can_log_in_at_once() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        for _ in 0..6 {
            assert_eq!(log_in(&app, "forgotten").await, 401);
        }
        assert_eq!(log_in(&app, "forgotten").await, 429);
        let code = code(&app).await;
        assert_eq!(app.post(PATH, None, &body(&code)).await.status, 204);
        assert_eq!(log_in(&app, NEW).await, 200);
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        for body in [
            json!({ "email": KIM, "code": "123456" }),
            json!({ "email": KIM, "code": "123456", "password": "short" }),
            json!({ "email": KIM, "code": 123_456, "password": NEW }),
            json!({ "email": KIM, "code": "123456", "password": NEW, "role": "seller" }),
        ] {
            app.post(PATH, None, &body).await.is_problem(422, "invalid_body");
        }
        app.post(PATH, None, &body("123456")).await.is_problem(400, "invalid_code");
    }
}
