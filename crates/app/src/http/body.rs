//! Reading JSON bodies: bounded, checked, with the fields that are wrong named.

use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use bytes::{Bytes, BytesMut};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, body_digest};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, json};

use super::{Problem, in_words};

/// Bytes that a request's body may have.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Bytes of a body that is too large which are read and thrown away. Who closes a connection while the client still writes
/// may take the answer from it (RFC 9112, section 9.6); so the client of a body of this size always learns why.
const MAX_DISCARDED_BYTES: usize = 2 * 1024 * 1024;

/// Time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A JSON body that parsed and passed its checks, with the digest of its bytes.
///
/// The type should be `#[serde(deny_unknown_fields)]`: an unknown field is refused, never ignored.
pub struct Body<T> {
    /// What was sent.
    pub value: T,
    /// Digest of the bytes, for idempotency.
    pub digest: BodyDigest,
}

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned + garde::Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        check_media_type(&request)?;
        let bytes = read_body(request).await?;
        let value: T = parse(&bytes)?;
        value.validate().map_err(|report| invalid(&report))?;
        Ok(Self { value, digest: body_digest(&bytes) })
    }
}

/// A field of a PATCH: absent, null or a value.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Deserialize::deserialize(deserializer).map(Some)
}

/// The body of an endpoint that takes none: empty, or an object without fields. Anything else was meant for something,
/// and is refused.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoBody {}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let bytes = read_body(request).await?;
        if bytes.trim_ascii().is_empty() { Ok(Self {}) } else { parse(&bytes) }
    }
}

fn check_media_type(request: &Request) -> Result<(), Problem> {
    let mut sent = request.headers().get_all(header::CONTENT_TYPE).iter();
    let (first, more) = (sent.next(), sent.next());
    let first = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = first.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") && more.is_none() {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType).detail("Send one header Content-Type: application/json"))
}

/// Reads a body whole, up to [`MAX_BODY_BYTES`] and for ten seconds.
pub async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let read = collect(request.into_body());
    let Ok(read) = tokio::time::timeout(BODY_TIME, read).await else {
        let detail = format!("The body did not arrive within {} seconds; send it in one go", BODY_TIME.as_secs());
        return Err(Problem::new(ErrorCode::RequestTimeout).detail(detail).with("seconds", BODY_TIME.as_secs()));
    };
    match read {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => {
            let detail = format!("A body may have {MAX_BODY_BYTES} bytes; send less");
            Err(Problem::new(ErrorCode::BodyTooLarge).detail(detail).with("max_bytes", MAX_BODY_BYTES))
        }
        Err(_) => Err(Problem::new(ErrorCode::MalformedBody)
            .detail("The body did not arrive whole, or its chunks are broken; send it again")),
    }
}

/// All of a body, or none if it is too large; of that the rest is discarded, within bounds.
async fn collect(mut body: axum::body::Body) -> Result<Option<Bytes>, axum::Error> {
    if body.size_hint().lower() > MAX_DISCARDED_BYTES as u64 {
        return Ok(None);
    }
    let (mut kept, mut size) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        size += data.len();
        if size <= MAX_BODY_BYTES {
            kept.extend_from_slice(&data);
        } else if size > MAX_DISCARDED_BYTES {
            break;
        }
    }
    Ok((size <= MAX_BODY_BYTES).then(|| kept.freeze()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would also take the values of the fields as a list.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("body", "must be an object, not a list"));
    }
    serde_json::from_slice(bytes).map_err(|error| unreadable::<T>(bytes, &error))
}

/// Parses once more, only to find out which field it was.
fn unreadable<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::new(ErrorCode::MalformedBody).detail(format!("The body is not JSON: {error}"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(located) => {
            let path = located.path().to_string();
            let message = in_words(&located.into_inner().to_string());
            Problem::field(if path == "." { "body" } else { &path }, message)
        }
        Ok(_) => Problem::new(ErrorCode::InvalidBody).detail(in_words(&error.to_string())),
    }
}

fn invalid(report: &garde::Report) -> Problem {
    let mut errors = Map::new();
    for (path, error) in report.iter() {
        let entry = errors.entry(path.to_string()).or_insert_with(|| json!([]));
        if let Some(messages) = entry.as_array_mut() {
            messages.push(json!(error.message()));
        }
    }
    let detail =
        report.iter().map(|(path, error)| format!("{path}: {}", error.message())).collect::<Vec<_>>().join("; ");
    Problem::new(ErrorCode::InvalidBody).detail(detail).with("errors", errors)
}
