//! What operators and tools ask of every process: health, readiness, metrics, and the description of the API.

mod describe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

pub use describe::describe;

/// The page under `/docs`: our own, so that it works without the internet.
const DOCS: &str = include_str!("operate/docs.html");
const DOCS_SCRIPT: &str = include_str!("operate/docs.js");
const DOCS_STYLE: &str = include_str!("operate/docs.css");

/// What the routes show.
pub struct Operation {
    /// Whether new requests should come here; false while stopping.
    pub ready: AtomicBool,
    /// The metrics of this process.
    pub metrics: Registry,
    /// The description of the API, in JSON.
    pub openapi: Bytes,
}

/// The routes.
pub fn router(operation: Arc<Operation>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/docs", get(|| async { Html(DOCS) }))
        .route("/docs/docs.js", get(|| async { ([(header::CONTENT_TYPE, "text/javascript")], DOCS_SCRIPT) }))
        .route("/docs/docs.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], DOCS_STYLE) }))
        .with_state(operation)
}

async fn readyz(State(operation): State<Arc<Operation>>) -> (StatusCode, &'static str) {
    if operation.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    }
}

async fn metrics(State(operation): State<Arc<Operation>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &operation.metrics) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn openapi(State(operation): State<Arc<Operation>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], operation.openapi.clone()).into_response()
}
