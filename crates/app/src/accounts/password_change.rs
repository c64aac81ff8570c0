//! `PUT /me/password`: a new password for the old one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::records::{Stored, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::people::{Password, password_length};
use super::records::User;
use super::{Accounts, wording};
use crate::http::{Body, Buyer, ClientAddress, Outcome, Problem};

/// The password that is, and the one that is to be.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct ChangePassword {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    current_password: Password,
    /// 8 to 128 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, example = "staple battery horse")]
    #[garde(custom(password_length))]
    new_password: Password,
}

/// Changes the caller's password, and logs every device out, this one too.
#[utoipa::path(
    put, path = "/api/v1/me/password", tag = "accounts", security(("bearer" = [])),
    request_body = ChangePassword,
    responses(
        (status = 204, description = "The password is changed, every session has ended; log in"),
        (status = 401, description = "`unauthenticated`; `invalid_credentials`: the current password is another"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong passwords; `retry_after` seconds"),
        (status = 503, description = "`overloaded`: too many log-ins at the moment"),
    )
)]
pub(super) async fn put(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    address: ClientAddress,
    Body { value, .. }: Body<ChangePassword>,
) -> Outcome<StatusCode> {
    let checked = accounts.user(caller.user).await?.record;
    accounts.require_password(&checked, value.current_password, address).await?;
    let hash = accounts.passwords.hash(value.new_password.0).await?;
    loop {
        let user = accounts.user(caller.user).await?;
        if user.record.password != checked.password {
            return Err(Problem::new(ErrorCode::InvalidCredentials));
        }
        if accounts.replace_password(user, hash.clone(), Unit::new()).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

impl Accounts {
    /// Refuses whoever does not know the password of the account; guesses are slowed down like those of a log-in.
    pub(super) async fn require_password(
        &self,
        user: &User,
        password: Password,
        address: ClientAddress,
    ) -> Outcome<()> {
        let attempt = self.attempts.begin(&user.email_index, address, self.ports.clock.now())?;
        match self.passwords.verify(password.0, user.password.clone()).await {
            Ok(true) => self.attempts.succeeded(attempt, self.ports.clock.now()),
            Ok(false) => return Err(Problem::new(ErrorCode::InvalidCredentials)),
            Err(problem) => {
                self.attempts.unchecked(attempt);
                return Err(problem);
            }
        }
        Ok(())
    }

    /// Gives an account another password, ends all its sessions and tells the person, all in the same commit as `unit`;
    /// false when something has changed since it was read.
    pub(super) async fn replace_password(&self, mut user: Stored<User>, hash: String, mut unit: Unit) -> Outcome<bool> {
        let email = user.record.email(&self.ports.keys.sealer())?;
        user.record.password = Some(hash);
        unit = unit.update(&user);
        unit.append(self.mails.queue_about(user.record.id, wording::password_changed(&email)));
        let done = self.end_sessions_with(user.record.id, None, unit).await?;
        self.mails.wake();
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::accounts::testing::{PASSWORD, TestApp};

    const PATH: &str = "/api/v1/me/password";
    const KIM: &str = "kim@example.com";
    const NEW: &str = "a new long password";

    async fn change(app: &TestApp, token: Option<&str>, current: &str, new: &str) -> crate::accounts::testing::Answer {
        let body: Value = json!({ "current_password": current, "new_password": new });
        app.send("PUT", PATH, token, &body.to_string()).await
    }

    #[tokio::test]
    async fn the_new_one_works_the_old_one_does_not_and_every_device_is_out() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let (phone, laptop) = (app.log_in(KIM).await, app.log_in(KIM).await);
        assert_eq!(change(&app, Some(&phone.access), PASSWORD, NEW).await.status, 204);
        for device in [phone, laptop] {
            app.get("/api/v1/me", Some(&device.access)).await.is_problem(401, "unauthenticated");
            assert!(app.refresh(&device.refresh).await.is_none());
        }
        let log_in = async |password| {
            app.post("/api/v1/auth/login", None, &json!({ "email": KIM, "password": password })).await.status
        };
        assert_eq!((log_in(PASSWORD).await, log_in(NEW).await), (401, 200));
        assert!(app.mailbox.newest(KIM).unwrap().contains("was changed"));
    }

    #[tokio::test]
    async fn a_hundred_devices_and_more() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let mut devices = Vec::new();
        for _ in 0..205 {
            devices.push(app.log_in(KIM).await);
        }
        assert_eq!(change(&app, Some(&devices[0].access), PASSWORD, NEW).await.status, 204);
        for device in &devices {
            app.get("/api/v1/me", Some(&device.access)).await.is_problem(401, "unauthenticated");
        }
    }

    #[tokio::test]
    async fn whoever_took_the_device_cannot_guess_the_password() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        for _ in 0..6 {
            let refused = change(&app, Some(&device.access), "a guess", NEW).await;
            refused.is_problem(401, "invalid_credentials");
        }
        change(&app, Some(&device.access), PASSWORD, NEW).await.is_problem(429, "rate_limited");
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        change(&app, None, PASSWORD, NEW).await.is_problem(401, "unauthenticated");
        change(&app, Some(&device.access), PASSWORD, "short").await.is_problem(422, "invalid_body");
        for body in ["{}", r#"{"current_password": "x"}"#, r#"{"new_password": "long enough"}"#] {
            app.send("PUT", PATH, Some(&device.access), body).await.is_problem(422, "invalid_body");
        }
        assert_eq!(app.get("/api/v1/me", Some(&device.access)).await.status, 200);
    }
}
