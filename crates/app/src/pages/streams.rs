//! Server-sent events for the pages: a browser's `EventSource` sends cookies but no `Authorization`, so these paths take
//! the token from the cookie and pass the API's stream through.

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::api::{Call, segment};
use super::failure::Failure;
use super::visitor::Visitor;

/// The stock of an offer.
pub(super) async fn stock(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    forward(&visitor, &format!("/offers/{}/stock/stream", segment(&id)?)).await
}

/// The state of an order.
pub(super) async fn order(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    forward(&visitor, &format!("/orders/{}/stream", segment(&id)?)).await
}

/// The counters of a running sale.
pub(super) async fn live(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    forward(&visitor, &format!("/admin/offers/{}/live/stream", segment(&id)?)).await
}

async fn forward(visitor: &Visitor, path: &str) -> Result<Response, Failure> {
    let answer = visitor.stream(Call::get(path)).await?;
    let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = Response::new(answer.into_body());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("text/event-stream")));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies must not collect events before they pass them on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
