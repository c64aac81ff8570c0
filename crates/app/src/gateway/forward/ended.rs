//! Asking the accounts which sessions ended, on the way that requests go.

use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, Uri};
use firstcome_core::ids::SessionId;
use firstcome_core::ports::{PortError, RoleName};
use firstcome_core::time::Time;
use http_body_util::BodyExt as _;

use super::Forwarder;
use crate::gateway::EndedSessions;
use crate::http::{ENDED_SESSIONS, EndedSession, Items};

/// How long one answer may take: within a second there must be another try. An instance that is later than that may still be
/// good enough for buyers, so it has not failed.
const PATIENCE: Duration = Duration::from_millis(400);
/// Pages that are read at the most, of a thousand sessions each.
const PAGES: usize = 200;

#[async_trait]
impl EndedSessions for Forwarder {
    async fn ended_within(&self, time: Duration) -> Result<Vec<(SessionId, Time)>, PortError> {
        let first = format!("{ENDED_SESSIONS}?seconds={}", time.as_secs() + 1);
        let (mut ended, mut path) = (Vec::new(), first.clone());
        for _ in 0..PAGES {
            let Items { items, next_cursor } = self.ended_sessions(&path).await?;
            ended.extend(items.into_iter().map(|session| (session.session_id, session.tokens_until)));
            let Some(cursor) = next_cursor else { return Ok(ended) };
            path = format!("{first}&cursor={cursor}");
        }
        Err(PortError::Unavailable("more sessions ended than can be asked for".to_owned()))
    }
}

impl Forwarder {
    async fn ended_sessions(&self, path: &str) -> Result<Items<EndedSession>, PortError> {
        let unavailable = |why: &str| PortError::Unavailable(format!("accounts: {why}"));
        let uri: Uri = path.parse().expect("a path, a number and a cursor in base 64");
        let mut request = Request::new(Body::empty());
        (*request.method_mut(), *request.uri_mut()) = (Method::GET, uri);
        let answer = tokio::time::timeout(PATIENCE, self.answer_by(RoleName::Accounts, request)).await;
        let response = answer.map_err(|_| unavailable("no answer in time"))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| unavailable(&error.to_string()))?.to_bytes();
        if status != StatusCode::OK {
            return Err(unavailable(&format!("{status}: {}", String::from_utf8_lossy(&body))));
        }
        serde_json::from_slice(&body).map_err(|error| unavailable(&error.to_string()))
    }
}
