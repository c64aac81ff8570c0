//! Requests to the shop through its real routes. The gateway's work, saying who calls, is done here.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use firstcome_app::http::{AccountRole, Identity, Roles};
use firstcome_core::ids::{SessionId, UserId};
use parking_lot::Mutex;
use serde_json::Value;
use tower::ServiceExt as _;

use super::faults::Faults;
use super::gates::Gates;

/// Someone who can call the shop of this life.
#[derive(Clone)]
pub(super) struct Client {
    /// There when the shop is ready.
    pub(super) routes: Arc<OnceLock<Router>>,
    pub(super) gates: Arc<Gates>,
    pub(super) faults: Arc<Faults>,
    pub(super) surprises: Arc<Mutex<Vec<String>>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn code(&self) -> String {
        self.body["code"].as_str().unwrap_or("no code").to_owned()
    }

    /// Whether the request may be sent again as it is, for another answer.
    pub(super) fn says_try_again(&self) -> bool {
        self.status >= 500
    }
}

impl Client {
    /// One request. None when whoever asked hung up first.
    pub(super) async fn call(&self, method: Method, path: &str, who: UserId, key: &str, body: Value) -> Option<Answer> {
        let ready = async || self.gates.until(|| Ok::<_, Infallible>(self.routes.get().is_some())).await;
        let Ok(()) = ready().await;
        let router = self.routes.get()?.clone();
        // Requests reach the shop in the order of the seed, not in that of the visitors' tasks.
        self.gates.pass().await;
        let mut request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        request = request.header(header::CONTENT_TYPE, "application/json");
        let mut request = request.body(body).expect("a request");
        let roles = Roles::default().with(AccountRole::Merchant).with(AccountRole::Operator);
        let session = SessionId::NIL;
        request.extensions_mut().insert(Identity { user: who, session, roles, unlimited: true });
        if self.faults.strike(self.faults.weather.hang_up, 100) {
            let patience = Duration::from_millis(self.faults.below(400));
            return tokio::time::timeout(patience, ask(router, request)).await.ok();
        }
        let answer = ask(router, request).await;
        self.faults.note(format!("{who} {path} {key}: {} {}", answer.status, answer.body));
        if answer.status == 500 {
            self.surprises.lock().push(format!("500 for {path}: {}", answer.body));
        }
        Some(answer)
    }

    pub(super) async fn post(&self, path: &str, who: UserId, key: &str, body: Value) -> Option<Answer> {
        self.call(Method::POST, path, who, key, body).await
    }

    pub(super) async fn get(&self, path: &str, who: UserId) -> Option<Answer> {
        self.call(Method::GET, path, who, "none", Value::Null).await
    }
}

async fn ask(router: Router, request: Request<Body>) -> Answer {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}
