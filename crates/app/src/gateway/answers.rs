//! What the gateway says by itself, and what it adds to every answer.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use firstcome_core::codes::ErrorCode;

use crate::http::Problem;

/// The router with problem documents for unknown paths and wrong methods; axum adds `Allow` to the latter.
pub(super) fn with_problems(router: Router) -> Router {
    router
        .fallback(async || Problem::new(ErrorCode::NotFound))
        .method_not_allowed_fallback(async || Problem::new(ErrorCode::MethodNotAllowed))
}

/// Every answer: the client may not guess another type than is said.
pub(super) fn public(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer for one person: nobody keeps it.
pub(super) fn personal(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    public(response)
}
