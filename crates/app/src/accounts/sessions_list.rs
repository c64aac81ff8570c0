//! `GET /me/sessions`: the caller's devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::SessionId;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Accounts;
use super::origin::Origin;
use super::records::Session;
use crate::http::{Buyer, Items, Outcome, PageParameters};

/// A device that is logged in.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct LoggedIn {
    /// Names the session.
    #[schema(value_type = String, example = "ses_01h455vb4pex5vsknk084sn02q")]
    session_id: SessionId,
    /// What the person called it when logging in, or its browser and system; empty when neither is known.
    #[schema(example = "my phone")]
    device: String,
    /// The address from which it logged in.
    #[schema(example = "203.0.113.7")]
    address: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
    /// When it logged in.
    #[schema(value_type = String, format = DateTime, example = "2026-11-20T09:00:00Z")]
    created_at: Time,
    /// When it last got tokens.
    #[schema(value_type = String, format = DateTime, example = "2026-11-20T09:00:00Z")]
    last_used_at: Time,
    /// When it is logged out unless it comes back.
    #[schema(value_type = String, format = DateTime, example = "2026-12-20T09:00:00Z")]
    expires_at: Time,
}

/// Lists the devices that are logged in, newest first.
#[utoipa::path(
    get, path = "/api/v1/me/sessions", tag = "accounts", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 100; 20 unless told"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "Devices", body = Items<LoggedIn>),
        (status = 401, description = "`unauthenticated`"),
    )
)]
pub(super) async fn get(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    page: PageParameters,
) -> Outcome<Json<Items<LoggedIn>>> {
    let query = page.within(
        Query::all(Session::TABLE, page.limit + 1)
            .is("owner", caller.user)
            .filter("ended_at", Comparison::IsNull)
            .filter("expires_at", Comparison::Greater(accounts.ports.clock.now().to_value()))
            .order_by("created_at", Direction::Descending),
    )?;
    let sessions = accounts.ports.records.list::<Session>(query).await?;
    let place = |session: &Session| (session.created_at.to_value(), session.id.to_value());
    let sealer = accounts.ports.keys.sealer();
    let show = |session: Session| {
        let Origin { device, address } = session.origin(&sealer);
        LoggedIn {
            session_id: session.id,
            device,
            address: address.map(|address| address.to_string()),
            current: session.id == caller.session,
            created_at: session.created_at,
            last_used_at: session.used_at,
            expires_at: session.expires_at,
        }
    };
    Ok(Json(page.page(sessions.into_iter().map(|stored| stored.record).collect(), place, show)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::{PASSWORD, TestApp};

    const PATH: &str = "/api/v1/me/sessions";

    #[tokio::test]
    async fn own_devices_newest_first_in_pages() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        app.sign_up("lee@example.com").await;
        app.log_in("lee@example.com").await;
        app.log_in_at("kim@example.com", "phone").await;
        app.clock.advance(Duration::from_secs(1));
        let tablet = app.log_in_at("kim@example.com", "tablet").await;
        app.clock.advance(Duration::from_secs(1));
        let laptop = app.log_in_at("kim@example.com", "laptop").await;
        let names = |body: &serde_json::Value| -> Vec<String> {
            let items = body["items"].as_array().unwrap().iter();
            items.map(|item| item["device"].as_str().unwrap().to_owned()).collect()
        };
        let all = app.get(PATH, Some(&laptop.access)).await;
        assert_eq!(names(&all.body), ["laptop", "tablet", "phone"]);
        assert_eq!(all.body["items"][0]["address"], "0.0.0.0");
        assert_eq!((&all.body["items"][0]["current"], &all.body["next_cursor"]), (&json!(true), &json!(null)));
        let first = app.get(&format!("{PATH}?limit=2"), Some(&laptop.access)).await;
        assert_eq!(names(&first.body), ["laptop", "tablet"]);
        let cursor = first.body["next_cursor"].as_str().unwrap();
        let second = app.get(&format!("{PATH}?limit=2&cursor={cursor}"), Some(&laptop.access)).await;
        assert_eq!(names(&second.body), ["phone"]);
        app.post("/api/v1/auth/logout", Some(&tablet.access), &json!(null)).await;
        assert_eq!(names(&app.get(PATH, Some(&laptop.access)).await.body), ["laptop", "phone"]);
    }

    #[tokio::test]
    async fn a_device_without_a_name_is_called_by_its_browser() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        for (agent, device, called) in [
            (firefox, json!(null), "Firefox on Linux"),
            (firefox, json!("my laptop"), "my laptop"),
            ("curl/8.17.0", json!(null), ""),
        ] {
            let body = json!({ "email": "kim@example.com", "password": PASSWORD, "device": device }).to_string();
            let tokens = app.send_with("POST", "/api/v1/auth/login", None, &body, &[("user-agent", agent)]).await;
            let list = app.get(PATH, tokens.body["access_token"].as_str()).await;
            let current = list.body["items"].as_array().unwrap().iter().find(|item| item["current"] == true);
            assert_eq!(current.unwrap()["device"], called, "{agent} {device}");
        }
    }

    #[tokio::test]
    async fn odd_pages() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let tokens = app.log_in("kim@example.com").await;
        for query in ["limit=0", "limit=101", "limit=-1", "limit=x", "cursor=x", "cursor=WzEsMl0x"] {
            let refused = app.get(&format!("{PATH}?{query}"), Some(&tokens.access)).await;
            refused.is_problem(400, "malformed_request");
        }
        app.get(PATH, None).await.is_problem(401, "unauthenticated");
    }
}
