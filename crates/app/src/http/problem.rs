//! Problem documents (RFC 9457): what went wrong, under a stable code, with what the client needs to act.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::PortError;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What an endpoint answers: a body, or a problem.
pub type Outcome<T> = Result<T, Problem>;

/// Seconds that a client should wait when the shop is too busy or a part of it does not answer.
const RETRY_SECONDS: u64 = 1;

/// A problem document.
#[derive(Debug, Clone)]
pub struct Problem {
    code: ErrorCode,
    detail: Option<String>,
    members: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: ErrorCode) -> Self {
        let busy = matches!(code, ErrorCode::Overloaded | ErrorCode::Unavailable | ErrorCode::StorageFull);
        Self { code, detail: None, members: Map::new(), retry_after: busy.then_some(RETRY_SECONDS) }
    }

    /// Says in a sentence what was wrong and what to do.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a member that the client can act on.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.members.insert(name.to_owned(), json!(value));
        self
    }

    /// Asks the client to wait for so many seconds, in the header and in the body.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A field of the body is wrong.
    pub fn field(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(ErrorCode::InvalidBody)
            .detail(format!("{name}: {message}"))
            .with("errors", json!({ name: [message] }))
    }

    /// There is no such thing, or it belongs to someone else.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound)
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What was wrong, for people.
    pub fn description(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.title())
    }

    /// What it says to a program: the code, and what goes with it.
    pub fn summary(&self) -> Value {
        let mut summary = Map::new();
        summary.insert("code".to_owned(), json!(self.code.as_str()));
        summary.insert("detail".to_owned(), json!(self.description()));
        summary.extend(self.members.clone());
        Value::Object(summary)
    }

    /// What is sent.
    pub fn document(&self) -> Value {
        let mut document = Map::new();
        document.insert("type".to_owned(), json!(format!("urn:firstcome:problem:{}", self.code.as_str())));
        document.insert("title".to_owned(), json!(self.code.title()));
        document.insert("status".to_owned(), json!(self.code.status()));
        document.insert("detail".to_owned(), json!(self.detail.as_deref().unwrap_or(self.code.title())));
        document.insert("code".to_owned(), json!(self.code.as_str()));
        if let Some(seconds) = self.retry_after {
            document.insert("retry_after".to_owned(), json!(seconds));
        }
        document.extend(self.members.clone());
        Value::Object(document)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.document().to_string()));
        *response.status_mut() = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == ErrorCode::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What is left of a body is not read: nothing more can be asked here.
        if matches!(self.code, ErrorCode::BodyTooLarge | ErrorCode::RequestTimeout) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<PortError> for Problem {
    /// Infrastructure failed. Logged here, once; the client learns only whether to try again.
    fn from(error: PortError) -> Self {
        match &error {
            PortError::Overloaded => Self::new(ErrorCode::Overloaded),
            PortError::Unavailable(_) => {
                tracing::warn!(%error, "a port is unavailable");
                Self::new(ErrorCode::Unavailable)
            }
            PortError::StorageFull(_) => {
                // Whoever found it full has said so, once.
                tracing::debug!(%error, "storage is full");
                Self::new(ErrorCode::StorageFull)
            }
            PortError::Corrupt(_) | PortError::Lost(_) | PortError::Misused(_) => {
                tracing::error!(%error, "internal error");
                Self::new(ErrorCode::Internal)
            }
        }
    }
}
