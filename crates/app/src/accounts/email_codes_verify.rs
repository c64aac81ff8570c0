//! `POST /auth/email-codes/verify`: a right code gives a token to sign up with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::digest_parts;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::records::EmailCode;
use super::tokens::same;
use super::{Accounts, EmailAddress};
use crate::http::{Body, ClientAddress, Outcome, Problem};

/// The code that came by e-mail.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct EnterCode {
    /// Where it was sent.
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
    /// The six digits.
    #[schema(example = "042137")]
    code: String,
}

/// Proof that the caller reads the e-mail address.
#[derive(Serialize, ToSchema)]
pub(super) struct EmailVerified {
    /// For `POST /auth/signup` or a change of the e-mail address, once, within half an hour.
    #[schema(example = "vrf_mZ2y...")]
    verification_token: String,
}

/// Checks an e-mailed code.
#[utoipa::path(
    post, path = "/api/v1/auth/email-codes/verify", tag = "accounts",
    request_body = EnterCode,
    responses(
        (status = 200, description = "The code was right", body = EmailVerified),
        (status = 400, description = "`invalid_code`: wrong, used, expired, or tried too often"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong codes; `retry_after` seconds"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    Body { value, .. }: Body<EnterCode>,
) -> Outcome<Json<EmailVerified>> {
    let index = value.email.index(&accounts.ports.keys.index);
    let secret = random_bytes::<32>(accounts.ports.random.as_ref());
    let verification_token = format!("vrf_{}", URL_SAFE_NO_PAD.encode(secret));
    let mut entered = accounts.enter(&value.email, &index, &value.code, address).await;
    loop {
        let mut stored = entered?;
        let row = &mut stored.record;
        row.code = None;
        row.verification = Some(verification_hash(&verification_token));
        row.verification_until = accounts.ports.clock.now() + accounts.options.verification_lifetime;
        row.expires_at = row.expires_at.max(row.verification_until);
        if accounts.ports.records.commit(Unit::new().update(&stored)).await? == Committed::Done {
            return Ok(Json(EmailVerified { verification_token }));
        }
        entered = accounts.entered(&index, &value.code).await;
    }
}

impl Accounts {
    /// The row that says that an e-mail address was verified, and gave this token; for the caller to use up.
    pub(super) async fn verified(&self, index: &[u8], token: &str) -> Outcome<Stored<EmailCode>> {
        let proof = self.ports.records.load::<EmailCode>(index.to_vec()).await?;
        let (now, token) = (self.ports.clock.now(), verification_hash(token));
        let holds = |row: &EmailCode| {
            now < row.verification_until && row.verification.as_ref().is_some_and(|stored| same(stored, &token))
        };
        proof.filter(|proof| holds(&proof.record)).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidCode).detail("The verification token is wrong, used or expired")
        })
    }
}

/// What is stored of a verification token.
fn verification_hash(token: &str) -> Vec<u8> {
    digest_parts("verification-token", &[token.as_bytes()]).to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::TestApp;

    const PATH: &str = "/api/v1/auth/email-codes/verify";
    const KIM: &str = "kim@example.com";

    fn wrong(code: &str) -> String {
        format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
    }

    #[tokio::test]
    async fn a_right_code_works_once() {
        let app = TestApp::new().await;
        let code = app.ask_for_code(KIM).await;
        let body = json!({ "email": KIM, "code": code });
        let verified = app.post(PATH, None, &body).await;
        assert_eq!(verified.status, 200);
        assert!(verified.body["verification_token"].is_string());
        app.post(PATH, None, &body).await.is_problem(400, "invalid_code");
    }

    #[tokio::test]
    async fn five_wrong_tries_end_a_code() {
        let app = TestApp::new().await;
        let code = app.ask_for_code(KIM).await;
        for _ in 0..5 {
            app.post(PATH, None, &json!({ "email": KIM, "code": wrong(&code) })).await.is_problem(400, "invalid_code");
        }
        app.post(PATH, None, &json!({ "email": KIM, "code": code })).await.is_problem(400, "invalid_code");
        let code = app.ask_for_code(KIM).await;
        assert_eq!(app.post(PATH, None, &json!({ "email": KIM, "code": code })).await.status, 200);
    }

    #[tokio::test]
    async fn four_wrong_tries_do_not() {
        let app = TestApp::new().await;
        let code = app.ask_for_code(KIM).await;
        for _ in 0..4 {
            app.post(PATH, None, &json!({ "email": KIM, "code": wrong(&code) })).await.is_problem(400, "invalid_code");
        }
        assert_eq!(app.post(PATH, None, &json!({ "email": KIM, "code": code })).await.status, 200);
    }

    #[tokio::test]
    async fn a_code_expires() {
        let app = TestApp::new().await;
        let code = app.ask_for_code(KIM).await;
        app.clock.advance(Duration::from_mins(5));
        app.post(PATH, None, &json!({ "email": KIM, "code": code })).await.is_problem(400, "invalid_code");
    }

    #[tokio::test]
    async fn only_for_its_address_and_only_the_last() {
        let app = TestApp::new().await;
        let first = app.ask_for_code(KIM).await;
        let second = app.ask_for_code(KIM).await;
        app.ask_for_code("lee@example.com").await;
        if first != second {
            app.post(PATH, None, &json!({ "email": KIM, "code": first })).await.is_problem(400, "invalid_code");
        }
        app.post(PATH, None, &json!({ "email": "lee@example.com", "code": second }))
            .await
            .is_problem(400, "invalid_code");
        app.post(PATH, None, &json!({ "email": "no@example.com", "code": second }))
            .await
            .is_problem(400, "invalid_code");
        assert_eq!(app.post(PATH, None, &json!({ "email": KIM, "code": second })).await.status, 200);
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        for body in [
            json!({ "email": KIM }),
            json!({ "email": KIM, "code": 123_456 }),
            json!({ "email": KIM, "code": null }),
            json!({ "email": KIM, "code": "123456", "tries": 100 }),
        ] {
            app.post(PATH, None, &body).await.is_problem(422, "invalid_body");
        }
        app.post(PATH, None, &json!({ "email": KIM, "code": "9".repeat(60_000) }))
            .await
            .is_problem(400, "invalid_code");
    }
}
