//! Failures as pages: what was not found, not allowed, not possible at the moment.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use firstcome_core::codes::ErrorCode;

use super::problem::Problem;
use super::respond::{html, redirect};
use super::visitor::Visitor;
use crate::http::escape;

/// Why a handler has no page to show. Becomes a page in the middleware, which knows the visitor's language.
#[derive(Clone, Debug)]
pub(super) struct Failure(Box<Problem>);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = self.0.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks the answer to a visitor who must log in first.
#[derive(Clone)]
struct LoginNeeded;

/// Whether the visitor must log in first.
pub(super) fn needs_login(response: &Response) -> bool {
    response.extensions().get::<LoginNeeded>().is_some()
}

#[derive(Template)]
#[template(path = "failure.html")]
struct Page<'a> {
    page: &'a Visitor,
    status: u16,
    heading: String,
    message: String,
    retry: bool,
}

/// The response, with a failure in it made visible.
pub(super) fn show(visitor: &Visitor, mut response: Response) -> Response {
    match response.extensions_mut().remove::<Failure>() {
        Some(failure) => render(visitor, &failure),
        None => response,
    }
}

/// The page for a failure, or the way to the log-in.
pub(super) fn render(visitor: &Visitor, failure: &Failure) -> Response {
    let problem = &failure.0;
    if problem.is(ErrorCode::Unauthenticated) {
        let mut response = login_first(&visitor.back);
        response.extensions_mut().insert(LoginNeeded);
        return response;
    }
    let heading = match problem.status {
        StatusCode::NOT_FOUND => "failure-not-found",
        StatusCode::FORBIDDEN => "failure-forbidden",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "failure-busy",
        status if status.is_client_error() => "failure-refused",
        _ => "failure-internal",
    };
    let retry = problem.status.is_server_error() || problem.status == StatusCode::TOO_MANY_REQUESTS;
    let page = Page {
        page: visitor,
        status: problem.status.as_u16(),
        heading: visitor.language.text(heading),
        message: problem.message(visitor),
        retry,
    };
    let mut response = html(visitor, problem.status, &page);
    if let Some(seconds) = problem.number("retry_after").filter(|seconds| *seconds > 0) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// To the log-in, and back to `next` afterwards.
pub(super) fn login_first(next: &str) -> Response {
    redirect(&format!("/login?next={}", escape(next)))
}

/// There is no such page.
pub(super) async fn not_found() -> Failure {
    Problem::not_found().into()
}

/// The page does not take this method.
pub(super) async fn wrong_method() -> Failure {
    Problem::new(ErrorCode::MethodNotAllowed).into()
}

/// Where there is no page: who does not ask for one gets the same problem document as from the API.
pub(super) async fn for_programs(State(code): State<ErrorCode>, request: Request, next: Next) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return next.run(request).await;
    }
    crate::http::Problem::new(code).into_response()
}
