//! One request and its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use hyper::{HeaderMap, Method, Request, Response};
use serde_json::Value;

use super::Api;

/// Longer than anything the program may take: who waits this long has found a hang.
const PATIENCE: Duration = Duration::from_secs(50);

/// A request that is being put together.
#[derive(Debug)]
pub struct Call<'a> {
    api: &'a Api,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// No connection was made: nothing can have happened.
    NotSent(String),
    /// The connection broke after the request may have left: anything can have happened.
    Lost(String),
    /// It takes longer than anything should.
    Hung,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(reason) => write!(formatter, "not sent: {reason}"),
            Self::Lost(reason) => write!(formatter, "answer lost: {reason}"),
            Self::Hung => write!(formatter, "no answer in {} s", PATIENCE.as_secs()),
        }
    }
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null when it is not JSON.
    pub json: Value,
    /// The body as it came.
    pub bytes: Bytes,
}

impl<'a> Call<'a> {
    pub(super) fn new(api: &'a Api, method: Method, path: &str) -> Self {
        Self { api, method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: &str) -> Self {
        self.headers.push((name.as_ref().to_owned(), value.to_owned()));
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sets a body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.raw(body.to_string(), "application/json")
    }

    /// Sets any body.
    #[must_use]
    pub fn raw(mut self, body: impl Into<Bytes>, content_type: &str) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE, content_type)
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Result<Answer, NoAnswer> {
        let whole = async {
            let (head, body) = self.open().await?.into_parts();
            let bytes = body.collect().await.map_err(|error| NoAnswer::Lost(error.to_string()))?.to_bytes();
            let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, json, bytes })
        };
        tokio::time::timeout(PATIENCE, whole).await.unwrap_or(Err(NoAnswer::Hung))
    }

    /// Sends it and asserts the status.
    pub async fn want(self, status: u16) -> Value {
        let name = format!("{} {}", self.method, self.path);
        match self.send().await {
            Ok(answer) if answer.status == status => answer.json,
            Ok(answer) => panic!("{name}: {status} wanted, {answer}"),
            Err(error) => panic!("{name}: {status} wanted, {error}"),
        }
    }

    /// Sends it and reads the body only of what is no stream.
    pub async fn head(self) -> Result<Answer, NoAnswer> {
        let (head, body) = self.open().await?.into_parts();
        let stream =
            head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let bytes = if stream {
            Bytes::new()
        } else {
            body.collect().await.map_err(|error| NoAnswer::Lost(error.to_string()))?.to_bytes()
        };
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, json, bytes })
    }

    /// Sends it and leaves the body unread, for streams.
    pub(super) async fn open(self) -> Result<Response<Incoming>, NoAnswer> {
        let mut request = Request::builder().method(self.method).uri(format!("{}{}", self.api.base, self.path));
        if let Some(token) = &self.api.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request = request.header(ACCEPT, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(Full::new(self.body)).expect("a request that can be sent");
        self.api.client.request(request).await.map_err(|error| {
            let reason = with_causes(&error);
            if error.is_connect() { NoAnswer::NotSent(reason) } else { NoAnswer::Lost(reason) }
        })
    }
}

impl Answer {
    /// The stable code of a problem document; empty when it is none.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The body, after asserting the status.
    pub fn want(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.json
    }

    /// A problem document, after asserting that it is a whole one with this status and code.
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.code()), (status, code), "{self}");
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "a problem document was sent as {kind:?}");
        for field in ["type", "title", "detail"] {
            assert!(self.json[field].is_string(), "a problem document without {field}: {self}");
        }
        assert_eq!(self.json["status"], status, "{self}");
        self.json
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "answered {}: {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
