//! What the gateway says by itself, and what it adds to every answer.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _};
use firstcome_core::codes::ErrorCode;

use super::API;
use crate::http::Problem;

/// What a browser shows for a page that is not there.
const NO_PAGE: &str = r#"<!doctype html>
<html lang="ko"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Firstcome · 404</title>
<style>body { font: 18px/1.6 system-ui, sans-serif; text-align: center; margin: 20vh 1rem; } a { color: inherit; }</style>
<h1>찾을 수 없는 페이지입니다</h1>
<p lang="en">There is no such page.</p>
<p><a href="/">Firstcome</a></p>
</html>
"#;

async fn no_route(uri: Uri, headers: HeaderMap) -> Response<Body> {
    not_found(&uri, &headers)
}

/// There is no such path.
pub(super) fn not_found(uri: &Uri, headers: &HeaderMap) -> Response<Body> {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") && !uri.path().starts_with(API) {
        return (StatusCode::NOT_FOUND, Html(NO_PAGE)).into_response();
    }
    let detail = "There is no such path; /openapi.json lists those that there are";
    Problem::new(ErrorCode::NotFound).detail(detail).into_response()
}

async fn wrong_method() -> Problem {
    Problem::new(ErrorCode::MethodNotAllowed).detail("The header Allow lists the methods that this path takes")
}

/// The router with problem documents for unknown paths (a page for browsers outside the API) and wrong methods; axum adds `Allow` to the latter.
pub(crate) fn with_problems(router: Router) -> Router {
    with_methods(router.fallback(no_route))
}

/// The router with problem documents for wrong methods.
pub(super) fn with_methods(router: Router) -> Router {
    router.method_not_allowed_fallback(wrong_method)
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
