//! The provider's client: the identity verification of PortOne's API, version 2 (`developers.portone.io`), as far as it is needed.
//!
//! `GET /identity-verifications/{id}` with `Authorization: PortOne SECRET` says `status` and, of somebody verified, their `ci`. The id
//! is ours. A check that the person has not begun is not there yet.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use firstcome_core::ids::IdentityCheckId;
use firstcome_core::ports::{IdentityAnswer, IdentityProvider, PortError};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::http::escape;

/// Bytes that an answer may have.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Where the provider is and how to speak to it.
pub struct PortOneOptions {
    /// The address before `/identity-verifications`: `https://api.portone.io`, or the sandbox's.
    pub base_url: String,
    /// Where the person goes; the id and the way back are put behind it.
    pub page_url: String,
    /// The secret of the API.
    pub secret: SecretString,
    /// How long a call may take.
    pub deadline: Duration,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("identity provider: {0}")]
pub struct InvalidPortOneOptions(&'static str);

/// A client.
pub struct PortOne {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    base: String,
    page: String,
    authorization: HeaderValue,
    deadline: Duration,
}

/// What is read of an answer; the rest is about the person, and not looked at.
#[derive(Deserialize)]
struct Verification {
    status: String,
    #[serde(rename = "verifiedCustomer")]
    customer: Option<Customer>,
}

#[derive(Deserialize)]
struct Customer {
    ci: Option<String>,
}

impl PortOne {
    /// A client; opens no connection yet.
    pub fn new(options: &PortOneOptions) -> Result<Self, InvalidPortOneOptions> {
        let base = options.base_url.trim_end_matches('/').to_owned();
        let uri: hyper::Uri = base.parse().map_err(|_| InvalidPortOneOptions("the address is not one"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(InvalidPortOneOptions("the address must begin with http:// or https:// and name a host"));
        }
        let mut authorization = HeaderValue::try_from(format!("PortOne {}", options.secret.expose_secret()))
            .map_err(|_| InvalidPortOneOptions("the secret does not fit in a header"))?;
        authorization.set_sensitive(true);
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(options.deadline));
        let connector =
            HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(http);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, base, page: options.page_url.clone(), authorization, deadline: options.deadline })
    }

    async fn exchange(&self, check: IdentityCheckId) -> Result<IdentityAnswer, PortError> {
        let request = Request::get(format!("{}/identity-verifications/{check}", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Empty::new());
        let request = request.map_err(|_| PortError::Misused("a check cannot be asked for".to_owned()))?;
        let response = self.http.request(request).await.map_err(|error| away(&error.to_string()))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| away("its answer broke off"))?.to_bytes();
        match status {
            200 => read(&body),
            404 => Ok(IdentityAnswer::Waiting),
            _ => Err(away(&format!("it answered {status}"))),
        }
    }
}

/// What an answer means. Nothing of it is ever told: it is about a person.
fn read(body: &[u8]) -> Result<IdentityAnswer, PortError> {
    let answer: Verification = serde_json::from_slice(body).map_err(|_| away("its answer cannot be read"))?;
    match (answer.status.as_str(), answer.customer.and_then(|customer| customer.ci)) {
        ("VERIFIED", Some(person)) if !person.is_empty() => Ok(IdentityAnswer::Verified { person }),
        ("VERIFIED", _) => Err(away("it verified somebody without connecting information (CI)")),
        ("READY", _) => Ok(IdentityAnswer::Waiting),
        ("FAILED", _) => Ok(IdentityAnswer::Failed),
        _ => Err(away("its answer has a status that is not known")),
    }
}

fn away(why: &str) -> PortError {
    PortError::Unavailable(format!("the identity provider: {why}"))
}

#[async_trait]
impl IdentityProvider for PortOne {
    fn page(&self, check: IdentityCheckId, back: &str) -> String {
        format!("{}?identityVerificationId={check}&redirectUrl={}", self.page, escape(back))
    }

    async fn ask(&self, check: IdentityCheckId) -> Result<IdentityAnswer, PortError> {
        let asked = tokio::time::timeout(self.deadline, self.exchange(check)).await;
        asked.unwrap_or_else(|_| Err(away("no answer in time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        let person = |text: &str| match read(text.as_bytes()) {
            Ok(IdentityAnswer::Verified { person }) => person,
            Ok(IdentityAnswer::Waiting) => "waiting".to_owned(),
            Ok(IdentityAnswer::Failed) => "failed".to_owned(),
            Err(error) => {
                assert!(error.is_retryable() && !error.to_string().contains("Kim"), "{error}");
                "nothing".to_owned()
            }
        };
        for (text, meant) in [
            (r#"{"status":"VERIFIED","id":"x","verifiedCustomer":{"ci":"abc","name":"Kim"}}"#, "abc"),
            (r#"{"status":"VERIFIED","verifiedCustomer":{"name":"Kim"}}"#, "nothing"),
            (r#"{"status":"READY","requestedCustomer":{}}"#, "waiting"),
            (r#"{"status":"FAILED","failure":{"reason":"Kim"}}"#, "failed"),
            (r#"{"status":"NEW"}"#, "nothing"),
            ("Kim", "nothing"),
        ] {
            assert_eq!(person(text), meant, "{text}");
        }
    }
}
