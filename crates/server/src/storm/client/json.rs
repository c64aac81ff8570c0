//! Calls with JSON for everything that is not measured by the microsecond.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::{ClientError, Connection, request};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// A call to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// The path with its query.
    pub(crate) path: &'a str,
    /// The access token of who calls.
    pub(crate) token: Option<&'a str>,
    /// The idempotency key.
    pub(crate) key: Option<&'a str>,
    /// The body.
    pub(crate) body: Option<&'a Value>,
}

/// What came back. A body that is not JSON is null.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Value,
}

impl<'a> Call<'a> {
    /// A read.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, token: None, key: None, body: None }
    }

    /// A write.
    pub(crate) fn post(path: &'a str, body: &'a Value) -> Self {
        Self { method: "POST", path, token: None, key: None, body: Some(body) }
    }

    /// The same with this token.
    pub(crate) fn by(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The same with this idempotency key.
    pub(crate) fn keyed(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Makes the call.
    pub(crate) async fn send(self, connection: &mut Connection) -> Result<Answer, ClientError> {
        let host = connection.address();
        let into = connection.request();
        match self.body {
            None => request::get(into, host, self.path, self.token),
            Some(body) => {
                let body = body.to_string();
                request::with_body(into, (self.method, self.path), host, self.token, self.key, body.as_bytes());
            }
        }
        let response = timeout(ANSWER, connection.send()).await.unwrap_or(Err(ClientError::Late))?;
        let body = serde_json::from_slice(response.body).unwrap_or(Value::Null);
        Ok(Answer { status: response.status, body })
    }
}

impl Answer {
    /// A text field of the body.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    /// The problem's code, or the status when it has none.
    pub(crate) fn code(&self) -> String {
        self.text("code").map_or_else(|| self.status.to_string(), ToOwned::to_owned)
    }
}
