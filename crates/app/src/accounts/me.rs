//! `GET /me`: the caller's profile.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::records::{RecordsExt as _, Stored};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Accounts;
use super::people::Person;
use super::records::User;
use crate::http::{Buyer, Outcome, Problem, Roles};

/// What the shop knows about the caller.
#[derive(Serialize, ToSchema)]
pub(super) struct Profile {
    /// Names the account.
    #[schema(value_type = String, example = "usr_01h455vb4pex5vsknk084sn02q")]
    user_id: UserId,
    /// The verified e-mail address.
    #[schema(example = "kim@example.com")]
    email: String,
    /// The name.
    #[schema(example = "김하나")]
    name: String,
    /// For parcels.
    #[schema(example = "010-1234-5678")]
    phone: Option<String>,
    /// Where parcels go.
    #[schema(example = "서울특별시 중구 세종대로 110")]
    address: Option<String>,
    /// What the account may do: `buyer`, `merchant`, `seller`, `operator`.
    #[schema(value_type = Vec<String>, example = json!(["buyer"]))]
    roles: Roles,
    /// When they signed up.
    #[schema(value_type = String, format = DateTime, example = "2026-11-20T09:00:00Z")]
    created_at: Time,
}

/// Shows the caller's profile.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, description = "The profile", body = Profile), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn get(State(accounts): State<Arc<Accounts>>, Buyer(caller): Buyer) -> Outcome<Json<Profile>> {
    let records = accounts.ports.records.as_ref();
    let user = accounts.user(caller.user).await?.record;
    let person = user.person(records, &accounts.ports.keys).await?;
    Ok(Json(Profile::new(&user, person)))
}

impl Accounts {
    /// The account of somebody who is logged in; it may be gone already.
    pub(super) async fn user(&self, id: UserId) -> Outcome<Stored<User>> {
        let user = self.ports.records.load::<User>(id).await?;
        user.ok_or_else(|| Problem::new(ErrorCode::Unauthenticated))
    }
}

impl Profile {
    pub(super) fn new(user: &User, person: Person) -> Self {
        let Person { email, name, phone, address } = person;
        let User { id, roles, created_at, .. } = *user;
        Self { user_id: id, email, name, phone, address, roles, created_at }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::accounts::testing::TestApp;

    #[tokio::test]
    async fn shows_what_was_given() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let tokens = app.log_in("kim@example.com").await;
        let me = app.get("/api/v1/me", Some(&tokens.access)).await;
        assert_eq!(me.status, 200);
        assert_eq!(me.headers["cache-control"], "no-store");
        assert_eq!(me.body["name"], json!("kim@example.com's name"));
        assert_eq!(me.body["address"], json!("1 Main Street"));
        app.get("/api/v1/me", None).await.is_problem(401, "unauthenticated");
    }
}
