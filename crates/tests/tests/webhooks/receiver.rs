//! A system of the seller's: a real HTTP server that checks signatures, and that can be away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firstcome_tests::{Api, free_address};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How long a notice may be on its way: longer than what a process that died leaves to others.
const PATIENCE: Duration = Duration::from_secs(90);

/// A notice as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) body: Value,
    timestamp: String,
    signatures: String,
    text: String,
}

impl Got {
    /// Whether one of its signatures is made with this secret.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.text);
        let mut tags = self.signatures.split(' ').filter_map(|part| STANDARD.decode(part.strip_prefix("v1,")?).ok());
        tags.any(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok())
    }

    pub(crate) fn kind(&self) -> &str {
        self.body["type"].as_str().expect("a type")
    }
}

#[derive(Default)]
struct Shared {
    got: Mutex<Vec<Got>>,
    status: AtomicU16,
}

/// A server that is there or away.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Receiver {
    /// A server that is there and answers 204.
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared { status: AtomicU16::new(204), ..Shared::default() });
        let mut receiver = Self { shared, address: free_address(), serving: None };
        receiver.come_back().await;
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/notices", self.address)
    }

    /// Connections are refused from now on.
    pub(crate) async fn go_away(&mut self) {
        let serving = self.serving.take().expect("it is there");
        serving.abort();
        let _ = serving.await;
    }

    /// It is there again, at the same address.
    pub(crate) async fn come_back(&mut self) {
        let listener = tokio::net::TcpListener::bind(self.address).await.expect("its own port");
        let router = axum::Router::new().route("/notices", post(take)).with_state(self.shared.clone());
        self.serving = Some(tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") }));
    }

    /// What it answers from now on; 0 is nothing at all.
    pub(crate) fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().clone()
    }

    /// The first notice of a kind about something, when it is there.
    pub(crate) async fn hears(&self, kind: &str, about: &str) -> Got {
        let since = tokio::time::Instant::now();
        loop {
            let found = self.got().into_iter().find(|got| got.kind() == kind && got.text.contains(about));
            if let Some(got) = found {
                return got;
            }
            assert!(since.elapsed() < PATIENCE, "{kind} about {about} does not come: {:#?}", self.got());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has a shop tell it of everything, or of this alone. Returns the webhook with its secret.
    pub(crate) async fn listens(&self, seller: &Api, events: &[&str]) -> Value {
        let asked = json!({ "url": self.url(), "description": "a test", "events": events });
        seller.post("/admin/webhooks").json(&asked).want(201).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, text: String) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = serde_json::from_str(&text).expect("JSON");
    let (id, timestamp, signatures) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    shared.got.lock().push(Got { id, body, timestamp, signatures, text });
    match shared.status.load(Ordering::Relaxed) {
        0 => std::future::pending().await,
        status => StatusCode::from_u16(status).expect("a status"),
    }
}
