//! `POST /auth/logout`: ends the caller's session.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Accounts;
use crate::http::{Buyer, Outcome};

/// Logs this device out.
///
/// Effective here before it is answered, and on every other process within a second.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "accounts", security(("bearer" = [])),
    responses((status = 204, description = "Logged out"), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn post(State(accounts): State<Arc<Accounts>>, Buyer(caller): Buyer) -> Outcome<StatusCode> {
    accounts.end_session(caller.user, caller.session).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::accounts::testing::TestApp;

    const KIM: &str = "kim@example.com";

    #[tokio::test]
    async fn effective_at_once_for_this_device_only() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let (phone, laptop) = (app.log_in(KIM).await, app.log_in(KIM).await);
        let out = app.post("/api/v1/auth/logout", Some(&phone.access), &json!(null)).await;
        assert_eq!(out.status, 204);
        app.get("/api/v1/me", Some(&phone.access)).await.is_problem(401, "unauthenticated");
        assert!(app.refresh(&phone.refresh).await.is_none());
        assert_eq!(app.get("/api/v1/me", Some(&laptop.access)).await.status, 200);
    }

    #[tokio::test]
    async fn another_process_learns_of_it() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let tokens = app.log_in(KIM).await;
        let other = app.another_process().await;
        assert_eq!(other.get("/api/v1/me", Some(&tokens.access)).await.status, 200);
        app.post("/api/v1/auth/logout", Some(&tokens.access), &json!(null)).await;
        other.gateway.load().await.unwrap();
        other.get("/api/v1/me", Some(&tokens.access)).await.is_problem(401, "unauthenticated");
        let restarted = app.another_process().await;
        restarted.get("/api/v1/me", Some(&tokens.access)).await.is_problem(401, "unauthenticated");
    }

    #[tokio::test]
    async fn needs_a_caller() {
        let app = TestApp::new().await;
        for path in ["/api/v1/auth/logout", "/api/v1/auth/logout-all"] {
            app.post(path, None, &json!(null)).await.is_problem(401, "unauthenticated");
            app.post(path, Some("a.b.c"), &json!(null)).await.is_problem(401, "unauthenticated");
        }
    }
}
