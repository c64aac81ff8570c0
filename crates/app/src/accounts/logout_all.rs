//! `POST /auth/logout-all`: ends every session of the caller.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Accounts;
use crate::http::{Buyer, Outcome};

/// Logs every device out, this one too.
#[utoipa::path(
    post, path = "/api/v1/auth/logout-all", tag = "accounts",
    security(("bearer" = [])),
    responses((status = 204, description = "Logged out everywhere"), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn post(State(accounts): State<Arc<Accounts>>, Buyer(caller): Buyer) -> Outcome<StatusCode> {
    accounts.end_sessions(caller.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::accounts::testing::TestApp;

    #[tokio::test]
    async fn every_device_of_this_person() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        app.sign_up("lee@example.com").await;
        let devices = [app.log_in("kim@example.com").await, app.log_in("kim@example.com").await];
        let other = app.log_in("lee@example.com").await;
        let out = app.post("/api/v1/auth/logout-all", Some(&devices[0].access), &json!(null)).await;
        assert_eq!(out.status, 204);
        for device in devices {
            app.get("/api/v1/me", Some(&device.access)).await.is_problem(401, "unauthenticated");
            assert!(app.refresh(&device.refresh).await.is_none());
        }
        assert_eq!(app.get("/api/v1/me", Some(&other.access)).await.status, 200);
    }
}
