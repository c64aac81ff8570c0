//! `POST /auth/refresh`: new tokens for old ones.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::Committed;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Accounts;
use super::records::{Session, User};
use super::tokens::{RefreshToken, Tokens, same};
use crate::http::{Body, ClientAddress, Outcome, Problem, expiry};

/// The token that came with the last ones.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct Refresh {
    /// From the log-in or the refresh before.
    #[schema(example = "rft_AYqG...")]
    refresh_token: String,
}

/// Renews the tokens of a device.
///
/// The refresh token is used up and replaced. One that was used before ends its session: somebody has a copy.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "accounts",
    request_body = Refresh,
    responses(
        (status = 200, description = "New tokens", body = Tokens),
        (status = 401, description = "`invalid_refresh_token`: unknown, used, expired or logged out"),
        (status = 422, description = "`invalid_body`"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    Body { value, .. }: Body<Refresh>,
) -> Outcome<Json<Tokens>> {
    let refused = || Problem::new(ErrorCode::InvalidRefreshToken);
    let sent = RefreshToken::parse(&value.refresh_token).ok_or_else(refused)?;
    let next = sent.next(accounts.ports.random.as_ref());
    loop {
        let session = accounts.ports.records.load::<Session>(sent.session).await?;
        let now = accounts.ports.clock.now();
        let Some(session) = session.filter(|session| {
            let Session { ended_at, expires_at, family, .. } = &session.record;
            ended_at.is_none() && now < *expires_at && same(family, &sent.family_hash())
        }) else {
            return Err(refused());
        };
        if !same(&session.record.refresh, &sent.hash()) {
            let id = session.record.id;
            if accounts.end(vec![session]).await? {
                tracing::warn!(session = %id, "a refresh token came a second time; its session {id} ends");
                return Err(refused());
            }
            continue;
        }
        let user = accounts.ports.records.load::<User>(session.record.owner).await?.ok_or_else(refused)?;
        let Stored { record, version } = session;
        let record = Session {
            refresh: next.hash(),
            used_at: now,
            expires_at: now + accounts.options.session_lifetime,
            tokens_until: record.tokens_until.max(expiry(now, accounts.options.access_token_lifetime)),
            ..record
        };
        if accounts.ports.records.commit(Unit::new().update(&Stored { record, version })).await? == Committed::Done {
            accounts.attempts.seen(&user.record.email_index, address, now);
            return Ok(Json(accounts.tokens(&user.record, &next, now).await?));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::TestApp;

    const PATH: &str = "/api/v1/auth/refresh";
    const KIM: &str = "kim@example.com";

    #[tokio::test]
    async fn rotates() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let first = app.log_in(KIM).await;
        app.clock.advance(Duration::from_mins(20));
        app.get("/api/v1/me", Some(&first.access)).await.is_problem(401, "unauthenticated");
        let second = app.refresh(&first.refresh).await.unwrap();
        assert_ne!(second.refresh, first.refresh);
        assert_eq!(app.get("/api/v1/me", Some(&second.access)).await.status, 200);
        assert!(app.refresh(&second.refresh).await.is_some());
    }

    #[tokio::test]
    async fn an_expired_access_token_does_not_stand_in_the_way() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let tokens = app.log_in(KIM).await;
        app.clock.advance(Duration::from_mins(20));
        let body = json!({ "refresh_token": tokens.refresh });
        assert_eq!(app.post(PATH, Some(&tokens.access), &body).await.status, 200);
    }

    #[tokio::test]
    async fn a_reused_one_ends_its_session_and_no_other() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let (phone, laptop) = (app.log_in(KIM).await, app.log_in(KIM).await);
        let second = app.refresh(&phone.refresh).await.unwrap();
        assert!(app.refresh(&phone.refresh).await.is_none());
        assert!(app.refresh(&second.refresh).await.is_none());
        app.get("/api/v1/me", Some(&second.access)).await.is_problem(401, "unauthenticated");
        assert_eq!(app.get("/api/v1/me", Some(&laptop.access)).await.status, 200);
        assert!(app.refresh(&laptop.refresh).await.is_some());
    }

    #[tokio::test]
    async fn of_twins_one_wins_and_then_nobody() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let tokens = app.log_in(KIM).await;
        let (one, two) = tokio::join!(app.refresh(&tokens.refresh), app.refresh(&tokens.refresh));
        let winner = one.or(two).expect("one of them came first");
        assert!(app.refresh(&winner.refresh).await.is_none());
    }

    #[tokio::test]
    async fn a_session_that_never_comes_back_expires() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let tokens = app.log_in(KIM).await;
        app.clock.advance(Duration::from_hours(30 * 24));
        assert!(app.refresh(&tokens.refresh).await.is_none());
    }

    #[tokio::test]
    async fn an_invented_one_ends_nothing() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let (tokens, other) = (app.log_in(KIM).await, app.log_in(KIM).await);
        // The session of one device with the rest of another's token: 16 bytes are 21 characters and a bit.
        let mixed = format!("{}{}", &tokens.refresh[..25], &other.refresh[25..]);
        for text in ["", "rft_", "x", mixed.as_str(), &"x".repeat(60_000)] {
            app.post(PATH, None, &json!({ "refresh_token": text })).await.is_problem(401, "invalid_refresh_token");
        }
        for body in [json!({}), json!({ "refresh_token": null }), json!({ "refresh_token": "x", "y": 1 })] {
            app.post(PATH, None, &body).await.is_problem(422, "invalid_body");
        }
        assert!(app.refresh(&tokens.refresh).await.is_some());
    }
}
