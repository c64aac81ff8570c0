//! A system of the seller's: a real HTTP server.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

/// A notice as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) path: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// Whether one of its signatures is that of this secret, as a receiver checks it.
    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.text);
        self.header("webhook-signature")
            .split(' ')
            .filter_map(|part| part.strip_prefix("v1,"))
            .any(|tag| STANDARD.decode(tag).is_ok_and(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok()))
    }
}

/// An answer: its status, and a header perhaps.
type Said = (u16, Option<(&'static str, String)>);

struct Shared {
    got: Mutex<Vec<Got>>,
    answers: Mutex<VecDeque<Said>>,
    open: watch::Receiver<bool>,
}

/// A server at an address of its own. Answers 204 unless it is told otherwise.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    gate: watch::Sender<bool>,
    url: String,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let (gate, open) = watch::channel(true);
        let shared = Arc::new(Shared { got: Mutex::default(), answers: Mutex::default(), open });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/notices", listener.local_addr().expect("bound"));
        let router = axum::Router::new().fallback(any(take)).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, gate, url }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The next answers are these.
    pub(super) fn say(&self, statuses: impl IntoIterator<Item = u16>) {
        self.shared.answers.lock().extend(statuses.into_iter().map(|status| (status, None)));
    }

    /// The next answer is this, with a header.
    pub(super) fn say_with(&self, status: u16, name: &'static str, value: &str) {
        self.shared.answers.lock().push_back((status, Some((name, value.to_owned()))));
    }

    /// Whether it answers at all.
    pub(super) fn answers(&self, answers: bool) {
        self.gate.send_replace(answers);
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().clone()
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, text: String) -> Response {
    shared.got.lock().push(Got { headers, text, path: uri.path().to_owned() });
    let mut open = shared.open.clone();
    open.wait_for(|open| *open).await.expect("the test goes on");
    let (status, header) = shared.answers.lock().pop_front().unwrap_or((204, None));
    let mut response = StatusCode::from_u16(status).expect("a status").into_response();
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}
