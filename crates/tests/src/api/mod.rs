//! A client for the HTTP API that keeps apart what was refused, what was never sent, and what nobody knows.

mod account;
mod buyer;
mod call;
mod sandbox;
mod seller;
mod stream;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub use call::{Answer, Call, NoAnswer};
pub use seller::{gift_card, ticket};
pub use stream::EventStream;

/// One caller of the API: an address, and a token if logged in. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    token: Option<String>,
}

impl Api {
    /// A caller that is not logged in. `base` is like `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(10)));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, base: base.to_owned(), token: None }
    }

    /// The same address with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same address with nobody logged in.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The access token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Any request. `path` is the whole path with its query: `/api/v1/offers?kind=ticket`.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call::new(self, method, path)
    }

    /// A GET under `/api/v1`.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, &format!("/api/v1{path}"))
    }

    /// A POST under `/api/v1`.
    pub fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, &format!("/api/v1{path}"))
    }

    /// A PATCH under `/api/v1`.
    pub fn patch(&self, path: &str) -> Call<'_> {
        self.call(Method::PATCH, &format!("/api/v1{path}"))
    }

    /// A PUT under `/api/v1`.
    pub fn put(&self, path: &str) -> Call<'_> {
        self.call(Method::PUT, &format!("/api/v1{path}"))
    }

    /// A DELETE under `/api/v1`.
    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, &format!("/api/v1{path}"))
    }
}
