//! `POST /auth/email-codes`: sends six digits to an e-mail address. Whether it has an account is never looked at, so
//! the answer cannot tell.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::records::EmailCode;
use super::{Accounts, EmailAddress, Options};
use crate::http::{Body, ClientAddress, Outcome, Problem};
use crate::mails::Letter;

/// Codes that nobody can count through in the tries that there are.
const CODES: u64 = 1_000_000;

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
    accounts.send_code(&value.email).await?;
    Ok(StatusCode::ACCEPTED)
}

impl Accounts {
    /// Makes the code that holds from now on for this address, and queues the e-mail that brings it.
    async fn send_code(&self, email: &EmailAddress) -> Outcome<()> {
        let index = email.index(&self.ports.keys.index);
        let number = u64::from_be_bytes(random_bytes(self.ports.random.as_ref())) % CODES;
        let code = format!("{number:06}");
        let hash = self.code_hash(&index, &code);
        loop {
            let stored = self.ports.records.load::<EmailCode>(index.clone()).await?;
            let now = self.ports.clock.now();
            let mut unit = match stored {
                None => Unit::new().insert(&renewed(None, &index, hash.clone(), &self.options, now)?),
                Some(Stored { record, version }) => {
                    let record = renewed(Some(record), &index, hash.clone(), &self.options, now)?;
                    Unit::new().update(&Stored { record, version })
                }
            };
            unit.append(self.mails.queue(letter(email, &code, self.options.code_lifetime)));
            if self.ports.records.commit(unit).await? == Committed::Done {
                self.mails.wake();
                return Ok(());
            }
        }
    }

    /// What is stored of a code: keyed, because a million codes are soon counted through.
    pub(super) fn code_hash(&self, email_index: &[u8], code: &str) -> Vec<u8> {
        self.ports.keys.index.of(&[b"code", email_index, code.as_bytes()])
    }
}

/// The row with a new code, if the address may have another.
fn renewed(
    known: Option<EmailCode>,
    index: &[u8],
    code: Vec<u8>,
    options: &Options,
    now: Time,
) -> Result<EmailCode, Problem> {
    let within_window = known.as_ref().filter(|known| now < known.counted_since + options.code_window);
    let counted_since = within_window.map_or(now, |known| known.counted_since);
    let sent = within_window.map_or(0, |known| known.sent);
    if sent >= options.codes_per_email {
        let wait = (counted_since + options.code_window).since(now).as_secs() + 1;
        let detail = "Too many codes were sent to this address; use the last one or wait";
        return Err(Problem::new(ErrorCode::RateLimited).detail(detail).retry_after(wait));
    }
    let code_until = now + options.code_lifetime;
    let (verification, verification_until) =
        known.map_or((None, now), |known| (known.verification, known.verification_until));
    Ok(EmailCode {
        email_index: index.to_vec(),
        code: Some(code),
        code_until,
        tries: options.code_tries,
        verification,
        verification_until,
        counted_since,
        sent: sent + 1,
        expires_at: code_until.max(verification_until).max(counted_since + options.code_window),
    })
}

fn letter<'a>(to: &'a EmailAddress, code: &str, lifetime: Duration) -> Letter<'a> {
    let minutes = lifetime.as_secs().div_ceil(60);
    let body = format!(
        "Firstcome 인증 코드입니다. {minutes}분 안에 입력해 주세요.\n\
         This is your Firstcome code. Enter it within {minutes} minutes.\n\
         \n\
         {code}\n\
         \n\
         요청하신 적이 없다면 이 메일을 무시해 주세요. 코드를 누구에게도 알려 주지 마세요.\n\
         If you did not ask for it, ignore this e-mail. Tell the code to nobody.\n"
    );
    Letter {
        purpose: "email-code",
        to: to.as_str(),
        subject: "[Firstcome] 인증 코드 · Your code",
        body,
        useful_for: lifetime,
    }
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
