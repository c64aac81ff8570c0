//! `POST /auth/signup`: makes an account for someone who reads the e-mail address.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::ports::Committed;
use firstcome_core::records::{Stored, Unit};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::consents::ConsentsGiven;
use super::people::{NewPerson, Password, find, optional_text, password_length, text};
use super::records::EmailCode;
use super::{Accounts, EmailAddress};
use crate::http::{AccountRole, Body, Outcome, Problem, Roles, one_line};

/// Who signs up.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct SignUp {
    /// The verified e-mail address.
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
    /// 8 to 128 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, example = "correct horse battery")]
    #[garde(custom(password_length))]
    password: Password,
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "김하나")]
    #[garde(custom(text::<100>), custom(one_line))]
    name: String,
    /// For parcels.
    #[schema(max_length = 32, example = "010-1234-5678")]
    #[garde(custom(optional_text::<32>), inner(custom(one_line)))]
    phone: Option<String>,
    /// Where parcels go.
    #[schema(max_length = 500, example = "서울특별시 중구 세종대로 110")]
    #[garde(custom(optional_text::<500>))]
    address: Option<String>,
    /// From `POST /auth/email-codes/verify`.
    #[schema(example = "vrf_mZ2y...")]
    verification_token: String,
    /// What they agree to; `GET /auth/consents` says what is asked for.
    consents: Option<ConsentsGiven>,
}

/// The new account.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedUp {
    /// Names the account.
    #[schema(value_type = String, example = "usr_01h455vb4pex5vsknk084sn02q")]
    user_id: UserId,
}

/// Signs up.
#[utoipa::path(
    post, path = "/api/v1/auth/signup", tag = "accounts",
    request_body = SignUp,
    responses(
        (status = 201, description = "The account is there; log in", body = SignedUp),
        (status = 400, description = "`invalid_code`: the verification token is wrong, used or expired"),
        (status = 409, description = "`account_exists`"),
        (status = 422, description = "`invalid_body`; `consent_missing`: the versions that are `required`"),
        (status = 503, description = "`overloaded`: too many sign-ups and log-ins at the moment"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Body { value, .. }: Body<SignUp>,
) -> Outcome<(StatusCode, Json<SignedUp>)> {
    let ports = &accounts.ports;
    accounts.require_consents(value.consents.as_ref())?;
    // Looked at first, so that nobody without a code makes us hash; and again when it is used up.
    accounts.may_sign_up(&value).await?;
    let password = accounts.passwords.hash(value.password.0.clone()).await?;
    loop {
        let mut proof = accounts.may_sign_up(&value).await?;
        proof.record.verification = None;
        let person = NewPerson {
            email: &value.email,
            name: value.name.trim(),
            phone: value.phone.as_deref().map(str::trim),
            address: value.address.as_deref().map(str::trim),
            password: Some(password.clone()),
            roles: Roles::default().with(AccountRole::Buyer),
        };
        let now = ports.clock.now();
        let (user_id, account) = person.unit(&ports.keys, ports.random.as_ref(), now);
        let mut unit = Unit::new().update(&proof);
        unit.append(account);
        unit.append(accounts.consents_of_new(user_id, value.email.as_str(), value.consents.as_ref(), now));
        if ports.records.commit(unit).await? == Committed::Done {
            accounts.mails.wake();
            return Ok((StatusCode::CREATED, Json(SignedUp { user_id })));
        }
    }
}

impl Accounts {
    /// The proof that the e-mail address was verified by this token and has no account.
    async fn may_sign_up(&self, wanted: &SignUp) -> Outcome<Stored<EmailCode>> {
        let index = wanted.email.index(&self.ports.keys.index);
        let proof = self.verified(&index, &wanted.verification_token).await?;
        match find(self.ports.records.as_ref(), index).await? {
            Some(_) => Err(Problem::new(ErrorCode::AccountExists)),
            None => Ok(proof),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::accounts::testing::{PASSWORD, TestApp};

    const PATH: &str = "/api/v1/auth/signup";
    const KIM: &str = "kim@example.com";

    fn body(token: &str) -> Value {
        json!({ "email": KIM, "password": PASSWORD, "name": "김하나", "phone": "010-1234-5678",
            "address": "서울특별시 중구 세종대로 110", "verification_token": token })
    }

    fn with(token: &str, name: &str, value: Value) -> Value {
        let mut body = body(token);
        body[name] = value;
        body
    }

    #[tokio::test]
    async fn makes_an_account_and_tells_without_personal_data() {
        let app = TestApp::new().await;
        let token = app.verify(KIM).await;
        let made = app.post(PATH, None, &body(&token)).await;
        assert_eq!(made.status, 201);
        let events = app.records.events();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].kind.as_str(), &json!(events[0].subject)), ("user.registered", &made.body["user_id"]));
        for secret in [KIM, "김하나", "010-1234", "세종대로"] {
            assert!(!events[0].data.contains(secret));
        }
        assert!(events[0].data.contains("adr_"));
    }

    #[tokio::test]
    async fn rows_hold_no_readable_personal_data() {
        let app = TestApp::new().await;
        let token = app.verify(KIM).await;
        app.post(PATH, None, &body(&token)).await;
        let rows = app.all_bytes().await;
        for secret in [KIM, "김하나", "010-1234", "세종대로", PASSWORD, &token] {
            assert!(!rows.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is readable");
        }
    }

    #[tokio::test]
    async fn a_token_works_once_and_an_address_has_one_account() {
        let app = TestApp::new().await;
        let token = app.verify(KIM).await;
        assert_eq!(app.post(PATH, None, &body(&token)).await.status, 201);
        app.post(PATH, None, &body(&token)).await.is_problem(400, "invalid_code");
        let token = app.verify(KIM).await;
        app.post(PATH, None, &body(&token)).await.is_problem(409, "account_exists");
    }

    #[tokio::test]
    async fn twins_make_one_account() {
        let app = TestApp::new().await;
        let token = app.verify(KIM).await;
        let body = body(&token);
        let (one, two) = tokio::join!(app.post(PATH, None, &body), app.post(PATH, None, &body));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert!(statuses[0] == 201 && statuses[1] >= 400, "{statuses:?}");
    }

    #[tokio::test]
    async fn a_token_is_for_its_address_and_half_an_hour() {
        let app = TestApp::new().await;
        let token = app.verify(KIM).await;
        let other = with(&token, "email", json!("lee@example.com"));
        app.post(PATH, None, &other).await.is_problem(400, "invalid_code");
        app.post(PATH, None, &body("vrf_invented")).await.is_problem(400, "invalid_code");
        app.clock.advance(Duration::from_mins(30));
        app.post(PATH, None, &body(&token)).await.is_problem(400, "invalid_code");
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        let token = app.verify(KIM).await;
        for (name, value) in [
            ("email", json!("kim")),
            ("password", json!("1234567")),
            ("password", json!("x".repeat(129))),
            ("password", json!(12_345_678)),
            ("password", json!(null)),
            ("name", json!("")),
            ("name", json!("   ")),
            ("name", json!("가".repeat(101))),
            ("name", json!("Kim\u{0}")),
            ("phone", json!("0".repeat(33))),
            ("phone", json!(1_012_345_678)),
            ("address", json!("x".repeat(501))),
            ("address", json!({ "street": "x" })),
            ("verification_token", json!(null)),
            ("roles", json!(["seller"])),
            ("user_id", json!("usr_01h455vb4pex5vsknk084sn02q")),
        ] {
            let refused = app.post(PATH, None, &with(&token, name, value)).await;
            refused.is_problem(422, "invalid_body");
            assert!(refused.text.contains(name), "{name}: {}", refused.text);
        }
        let least = json!({ "email": KIM, "password": "가나다라마바사아", "name": "K", "phone": null, "verification_token": token });
        assert_eq!(app.post(PATH, None, &least).await.status, 201);
    }
}
