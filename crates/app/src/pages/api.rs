//! The HTTP API as the pages call it: in the same process, through the same router that serves everyone else.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

use super::problem::Problem;
use crate::http::{ClientAddress, escape};

/// Bytes that an answer may have; lists are at most a hundred items.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Headers of the visitor's request that the API should see: for the language of mails, for devices, for traces, and for
/// the address behind trusted proxies, which the gateway looks for.
const PASSED_ON: [&str; 5] = ["accept-language", "user-agent", "x-request-id", "traceparent", "x-forwarded-for"];

/// The API.
#[derive(Clone)]
pub(super) struct Api {
    router: Router,
}

/// Where a visitor's request came from, as the API needs to know it to limit and to log.
#[derive(Clone, Default)]
pub(super) struct Origin {
    address: Option<ClientAddress>,
    headers: HeaderMap,
}

impl Origin {
    /// Of a visitor's request.
    pub(super) fn of(parts: &axum::http::request::Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in PASSED_ON.map(HeaderName::from_static) {
            // All of them: what a proxy saw stands in the last one.
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { address: Some(ClientAddress::of(&parts.extensions)), headers }
    }
}

/// A request to the API.
pub(super) struct Call<'a> {
    method: Method,
    path: &'a str,
    token: Option<&'a str>,
    key: Option<&'a str>,
    body: Option<Value>,
}

impl<'a> Call<'a> {
    /// Reads.
    pub(super) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, token: None, key: None, body: None }
    }

    /// Asks for something to be done.
    pub(super) fn post(path: &'a str, body: &impl Serialize) -> Self {
        // Bodies are our own structs of texts and numbers; if one ever failed, the API would refuse `null`.
        let body = serde_json::to_value(body).unwrap_or_default();
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    /// Asks for something to be done that takes no body.
    pub(super) fn post_empty(path: &'a str) -> Self {
        Self { method: Method::POST, ..Self::get(path) }
    }

    /// Removes.
    pub(super) fn delete(path: &'a str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// On behalf of someone.
    pub(super) fn token(mut self, token: Option<&'a str>) -> Self {
        self.token = token;
        self
    }

    /// Once, however often it is sent.
    pub(super) fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    fn request(self, origin: &Origin) -> Result<Request<Body>, Problem> {
        let mut builder = Request::builder().method(self.method).uri(format!("/api/v1{}", self.path));
        if let Some(token) = self.token {
            builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = self.key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(address) = origin.address {
            builder = builder.extension(address);
        }
        let body = match self.body {
            Some(body) => {
                builder = builder.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        // What does not fit into a request (a token from a broken cookie, a strange path) exists nowhere.
        let mut request = builder.body(body).map_err(|_| Problem::not_found())?;
        for (name, value) in &origin.headers {
            request.headers_mut().append(name.clone(), value.clone());
        }
        Ok(request)
    }
}

impl Api {
    /// Over this router.
    pub(super) fn new(router: Router) -> Self {
        Self { router }
    }

    async fn send(&self, origin: &Origin, call: Call<'_>) -> Result<Response, Problem> {
        let request = call.request(origin)?;
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = read(response.into_body()).await?;
        Err(Problem::parse(status, &bytes))
    }

    /// What the API answers.
    pub(super) async fn ask<T: DeserializeOwned>(&self, origin: &Origin, call: Call<'_>) -> Result<T, Problem> {
        Ok(self.ask_with_status(origin, call).await?.1)
    }

    /// What the API answers, where 200 and 202 mean different things.
    pub(super) async fn ask_with_status<T: DeserializeOwned>(
        &self,
        origin: &Origin,
        call: Call<'_>,
    ) -> Result<(StatusCode, T), Problem> {
        let path = call.path.to_owned();
        let response = self.send(origin, call).await?;
        let status = response.status();
        let bytes = read(response.into_body()).await?;
        // "Nothing to say" (204) reads as null.
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        let value = serde_json::from_slice(text).map_err(|error| {
            tracing::error!(%error, path, "the API's answer cannot be read");
            Problem::internal()
        })?;
        Ok((status, value))
    }

    /// A stream of server-sent events, as it comes.
    pub(super) async fn stream(&self, origin: &Origin, call: Call<'_>) -> Result<Response, Problem> {
        self.send(origin, call).await
    }
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => {
            tracing::error!(%error, "the API's answer did not arrive whole");
            Err(Problem::internal())
        }
    }
}

/// An id or code from a visitor's URL for use in a path of the API: what has other characters exists nowhere.
pub(super) fn segment(text: &str) -> Result<&str, Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(plain) { Ok(text) } else { Err(Problem::not_found()) }
}

/// A query from its set parameters: empty, or with its question mark.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let set: Vec<_> = parameters.iter().filter(|(_, value)| !value.is_empty()).collect();
    let pairs: Vec<_> = set.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_sees_what_every_proxy_saw() {
        let request =
            Request::builder().header("x-forwarded-for", "203.0.113.9").header("x-forwarded-for", "192.0.2.7");
        let origin = Origin::of(&request.header("cookie", "a=b").body(()).unwrap().into_parts().0);
        let call = Call::get("/me").request(&origin).unwrap();
        let seen: Vec<_> = call.headers().get_all("x-forwarded-for").iter().collect();
        assert_eq!(seen, ["203.0.113.9", "192.0.2.7"]);
        assert!(!call.headers().contains_key(header::COOKIE));
    }

    #[test]
    fn paths_and_queries_cannot_be_broken_out_of() {
        assert!(segment("../admin/orders").is_err());
        assert!(segment("a%2Fb").is_err());
        assert!(segment("ofr_01h").is_ok());
        assert_eq!(query(&[("q", "a&b=c"), ("none", "")]), "?q=a%26b%3Dc");
        assert_eq!(query(&[("none", "")]), "");
    }
}
