//! `DELETE /me/sessions/{id}`: logs another device out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Accounts;
use crate::http::{Buyer, Outcome, Path, Problem};

/// Logs one device of the caller out.
#[utoipa::path(
    delete, path = "/api/v1/me/sessions/{session_id}", tag = "accounts",
    security(("bearer" = [])),
    params(("session_id" = String, Path, description = "From the list", example = "ses_01h455vb4pex5vsknk084sn02q")),
    responses(
        (status = 204, description = "Logged out; also when it was a moment ago"),
        (status = 401, description = "`unauthenticated`"),
        (status = 404, description = "`not_found`: the caller has no such session"),
    )
)]
pub(super) async fn delete(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    Path(session): Path<String>,
) -> Outcome<StatusCode> {
    let session = session.parse().map_err(|_| Problem::not_found())?;
    if accounts.end_session(caller.user, session).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firstcome_core::ports::Clock as _;
    use firstcome_core::records::{Query, Record as _, RecordsExt as _};

    use crate::accounts::records::Session;
    use crate::accounts::testing::TestApp;

    const PATH: &str = "/api/v1/me/sessions";

    #[tokio::test]
    async fn nothing_is_kept_of_a_device_that_is_logged_out() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let (phone, laptop) = (app.log_in("kim@example.com").await, app.log_in("kim@example.com").await);
        let id = app.session_of(&phone).await;
        assert_eq!(app.delete(&format!("{PATH}/{id}"), Some(&laptop.access)).await.status, 204);
        let sessions = app.records.list::<Session>(Query::all(Session::TABLE, 10)).await.unwrap();
        for Session { origin, ended_at, sealed_with, .. } in sessions.into_iter().map(|stored| stored.record) {
            assert_eq!((origin.is_some(), sealed_with.is_some()), (ended_at.is_none(), ended_at.is_none()));
        }
        app.clock.advance(Duration::from_hours(1));
        app.accounts().sweep().await.unwrap();
        let left = app.records.list::<Session>(Query::all(Session::TABLE, 10)).await.unwrap();
        assert!(left.len() == 1 && left[0].record.expires_at > app.clock.now());
    }

    #[tokio::test]
    async fn own_devices_only() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        app.sign_up("lee@example.com").await;
        let (phone, laptop) = (app.log_in("kim@example.com").await, app.log_in("kim@example.com").await);
        let lee = app.log_in("lee@example.com").await;
        let id = app.session_of(&phone).await;
        app.delete(&format!("{PATH}/{id}"), Some(&lee.access)).await.is_problem(404, "not_found");
        app.delete(&format!("{PATH}/{id}"), None).await.is_problem(401, "unauthenticated");
        assert_eq!(app.get("/api/v1/me", Some(&phone.access)).await.status, 200);
        for _ in 0..2 {
            assert_eq!(app.delete(&format!("{PATH}/{id}"), Some(&laptop.access)).await.status, 204);
        }
        app.get("/api/v1/me", Some(&phone.access)).await.is_problem(401, "unauthenticated");
        assert_eq!(app.get("/api/v1/me", Some(&laptop.access)).await.status, 200);
    }

    #[tokio::test]
    async fn odd_ids() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let tokens = app.log_in("kim@example.com").await;
        for id in
            ["x", "ses_", "usr_01h455vb4pex5vsknk084sn02q", "ses_01h455vb4pex5vsknk084sn02q", "%F0%9F%92%A9", "%FF"]
        {
            let refused = app.delete(&format!("{PATH}/{id}"), Some(&tokens.access)).await;
            assert!(refused.status == 404 || refused.status == 400, "{id}: {}", refused.status);
        }
    }
}
