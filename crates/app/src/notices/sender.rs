//! Sending one notice: one POST, no redirect followed, nothing kept of the answer but its status.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::address::{self, Resolver};

/// How long a system may take to answer.
const DEADLINE: Duration = Duration::from_secs(15);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Bytes of an answer, and the time, that are spent on keeping its connection.
const ANSWER_BYTES: usize = 64 * 1024;
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// The longest pause that a system can ask for.
const LONGEST_WISH: Duration = Duration::from_hours(1);
/// Who calls.
const AGENT: &str = concat!("Firstcome/", env!("CARGO_PKG_VERSION"));

/// A notice as it is sent.
pub(super) struct Signed<'a> {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    pub(super) body: &'a str,
}

/// What came of sending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    /// A status, and how long the system asks to be left alone.
    Answered(u16, Option<Duration>),
    /// Nobody knows whether it arrived.
    Failed(String),
}

/// Sends notices.
pub(super) struct Sender {
    http: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    development: bool,
}

impl Sender {
    /// A sender; opens no connection yet.
    pub(super) fn new(development: bool) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Resolver { development });
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnectorBuilder::new().with_webpki_roots();
        let https = if development { https.https_or_http() } else { https.https_only() };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .build(https.enable_http1().wrap_connector(connector));
        Self { http, development }
    }

    /// Sends a notice once. An address that was allowed when it was typed in may not be any more.
    pub(super) async fn send(&self, url: &str, notice: Signed<'_>) -> Sent {
        let uri = match address::parse(url, self.development) {
            Ok(uri) => uri,
            Err(why) => return Sent::Failed(format!("its URL {why}")),
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header("webhook-id", notice.id)
            .header("webhook-timestamp", notice.timestamp)
            .header("webhook-signature", notice.signature)
            .body(Full::from(notice.body.to_owned()));
        match request {
            Ok(request) => match tokio::time::timeout(DEADLINE, self.exchange(request)).await {
                Ok(sent) => sent,
                Err(_) => Sent::Failed(format!("no answer within {} seconds", DEADLINE.as_secs())),
            },
            Err(error) => Sent::Failed(format!("the request cannot be formed: {error}")),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Sent {
        let response = match self.http.request(request).await {
            Ok(response) => response,
            Err(error) => return Sent::Failed(format!("the connection failed: {}", innermost(&error))),
        };
        let answered = Sent::Answered(response.status().as_u16(), wish(response.headers()));
        // Read to its end, so that the connection can be used again; a long one is not worth it.
        let rest = Limited::new(response.into_body(), ANSWER_BYTES).collect();
        let _ = tokio::time::timeout(ANSWER_TIME, rest).await;
        answered
    }
}

/// The pause that an answer asks for.
fn wish(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WISH))
}

/// The cause that says most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
