//! `GET /internal/ended-sessions`: the sessions that ended lately, for gateways that cannot read it anywhere else.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _};

use super::Accounts;
use super::records::Session;
use crate::http::{EndedSession, EndedWithin, Items, Outcome, PageParameters, QueryString};

/// Sessions of a page.
const LIMIT: u32 = 1_000;

/// Sessions that ended, the oldest end first, without those of which every token has expired.
pub(super) async fn get(
    State(accounts): State<Arc<Accounts>>,
    QueryString(EndedWithin { seconds }): QueryString<EndedWithin>,
    page: PageParameters,
) -> Outcome<Json<Items<EndedSession>>> {
    let now = accounts.ports.clock.now();
    let page = PageParameters { limit: LIMIT, ..page };
    let query = page.within(
        Query::all(Session::TABLE, LIMIT + 1)
            .filter("ended_at", Comparison::AtLeast((now - Duration::from_secs(seconds)).to_value()))
            .filter("tokens_until", Comparison::Greater(now.to_value()))
            .order_by("ended_at", Direction::Ascending),
    )?;
    let sessions = accounts.ports.records.list::<Session>(query).await?;
    let place = |session: &Session| (session.ended_at.to_value(), session.id.to_value());
    let show = |session: Session| EndedSession { session_id: session.id, tokens_until: session.tokens_until };
    Ok(Json(page.page(sessions.into_iter().map(|stored| stored.record).collect(), place, show)))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use axum::Router;
    use axum::routing::get;
    use firstcome_core::ids::SessionId;
    use firstcome_core::ports::RoleName;
    use firstcome_core::testkit::MemoryRegistry;
    use prometheus_client::registry::Registry;
    use serde_json::json;

    use super::*;
    use crate::accounts::testing::TestApp;
    use crate::gateway::EndedSessions as _;
    use crate::gateway::forward::{Forwarder, Options, Ports};
    use crate::http::{ENDED_SESSIONS, Signatures};

    /// What a gateway in the same process learns.
    async fn ended(app: &TestApp, seconds: u64) -> Vec<SessionId> {
        let clock = Arc::new(app.clock.clone());
        let ports = Ports {
            registry: Arc::new(MemoryRegistry::new(clock.clone(), Duration::from_secs(2))),
            signatures: Signatures::new(b"0123456789abcdef0123456789abcdef", "shop"),
            clock,
        };
        let router = Router::new().route(ENDED_SESSIONS, get(super::get)).with_state(app.accounts());
        let local = HashMap::from([(RoleName::Accounts, router)]);
        let forwarder = Forwarder::new(Options::default(), ports, local, &mut Registry::default());
        let ended = forwarder.ended_within(Duration::from_secs(seconds)).await.unwrap();
        ended.into_iter().map(|(session, _)| session).collect()
    }

    #[tokio::test]
    async fn what_ended_lately_and_may_still_be_used() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let (phone, laptop) = (app.log_in("kim@example.com").await, app.log_in("kim@example.com").await);
        let stays = app.log_in("kim@example.com").await;
        assert_eq!(ended(&app, 3_600).await, []);
        for device in [&phone, &laptop] {
            app.post("/api/v1/auth/logout", Some(&device.access), &json!(null)).await;
            app.clock.advance(Duration::from_mins(1));
        }
        assert_eq!(ended(&app, 3_600).await.len(), 2, "the oldest first");
        let last = ended(&app, 90).await;
        assert_eq!(last, ended(&app, 3_600).await[1..]);
        assert_ne!(last[0].to_string(), app.session_of(&stays).await);
        app.clock.advance(Duration::from_mins(15));
        assert_eq!(ended(&app, 3_600).await, [], "their tokens have expired by themselves");
    }

    #[tokio::test]
    async fn more_than_a_page() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let user = app.log_in("kim@example.com").await;
        for _ in 0..LIMIT + 5 {
            app.log_in("kim@example.com").await;
        }
        app.post("/api/v1/auth/logout-all", Some(&user.access), &json!(null)).await;
        let all: BTreeSet<_> = ended(&app, 1).await.into_iter().collect();
        assert_eq!(all.len(), LIMIT as usize + 6);
    }
}
