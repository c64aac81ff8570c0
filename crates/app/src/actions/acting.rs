//! Who acts: known to everything that a request does in this process, as long as it is handled.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::codes::ErrorCode;
use parking_lot::Mutex;

use super::Actions;
use crate::http::{Identity, Permission, Problem};

/// Where people of the shop act.
const ADMIN: &str = "/api/v1/admin/";
/// What every endpoint begins with.
const BASE: &str = "/api/v1";
/// What is written down although it changes nothing: who looked up where somebody lives.
const SEEN: [&str; 2] = ["/api/v1/admin/orders/{id}/address", "/api/v1/admin/addresses/{id}"];
/// Characters of what an action is about; every id is shorter.
const MAX_OBJECT: usize = 64;

tokio::task_local! {
    static ACTING: Option<Arc<Acting>>;
}

/// A request by which somebody changes something.
#[derive(Debug)]
pub(super) struct Acting {
    pub(super) who: Identity,
    pub(super) action: String,
    object: Mutex<Option<String>>,
    is_written: AtomicBool,
}

impl Acting {
    /// What a request does, if it is one by which somebody of the shop changes something, or looks up what is personal.
    fn of(request: &Request) -> Option<Self> {
        let who = *request.extensions().get::<Identity>()?;
        let endpoint = request.extensions().get::<MatchedPath>()?.as_str();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if reads && !SEEN.contains(&endpoint) || !endpoint.starts_with(ADMIN) || !who.roles.may(Permission::Operate) {
            return None;
        }
        let action = format!("{} {}", request.method(), endpoint.strip_prefix(BASE).unwrap_or(endpoint));
        let mut parts = endpoint.split('/').zip(request.uri().path().split('/'));
        let object =
            parts.find(|(name, _)| name.starts_with('{')).map(|(_, part)| part.chars().take(MAX_OBJECT).collect());
        Some(Self { who, action, object: Mutex::new(object), is_written: AtomicBool::new(false) })
    }

    /// Takes it up for whoever writes it down; none when it is written, or nobody acts here.
    pub(super) fn unwritten() -> Option<Arc<Self>> {
        let acting = ACTING.try_with(Clone::clone).ok().flatten()?;
        (!acting.is_written.load(Ordering::Relaxed)).then_some(acting)
    }

    /// What it is about.
    pub(super) fn object(&self) -> Option<String> {
        self.object.lock().clone()
    }

    /// It is written down.
    pub(super) fn written(&self) {
        self.is_written.store(true, Ordering::Relaxed);
    }
}

/// Has what a request does written down. A layer over the routes of a role; `None` where they only pass on to roles that
/// write by themselves.
pub async fn witness(State(actions): State<Option<Arc<Actions>>>, request: Request, next: Next) -> Response {
    let Some(acting) = Acting::of(&request).map(Arc::new) else { return next.run(request).await };
    // A task of its own: whoever hangs up has done it all the same, and has it written down.
    let witnessed = tokio::spawn(witnessed(actions, acting, request, next));
    witnessed.await.unwrap_or_else(|_| Problem::new(ErrorCode::Internal).into_response())
}

async fn witnessed(actions: Option<Arc<Actions>>, acting: Arc<Acting>, request: Request, next: Next) -> Response {
    let response = ACTING.scope(Some(acting.clone()), next.run(request)).await;
    let Some(actions) = actions.filter(|_| response.status().is_success()) else { return response };
    if acting.is_written.load(Ordering::Relaxed) {
        return response;
    }
    match actions.note(&acting).await {
        Ok(()) => response,
        // It is done; whoever asks again, as the answer says, has it written down.
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Says what is being made: the endpoint's path does not name it yet. Before it is committed.
pub fn about(object: impl Display) {
    if let Some(acting) = Acting::unwritten() {
        *acting.object.lock() = Some(object.to_string());
    }
}

/// Does something that is not yet what was asked for: notes a key, say, before anything is decided. What is done in there
/// does not count as the action.
pub async fn aside<F: Future>(preparing: F) -> F::Output {
    ACTING.scope(None, preparing).await
}
