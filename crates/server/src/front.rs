//! Which requests go to the API and which to the pages.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use firstcome_app::gateway::Protected;
use futures_util::future::Either;
use hyper::body::Incoming;
use tower::Service;

/// Paths that the API answers, its problem documents for unknown ones included. All others are pages.
const API: [&str; 8] = ["/api/", "/sandbox/", "/dev/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];

/// The API behind its gateway, and the pages beside it.
#[derive(Clone)]
pub struct Front {
    /// The API.
    pub api: Protected<Router>,
    /// The pages, which call the API themselves.
    pub pages: Router,
}

impl Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        <Protected<Router> as Service<Request<Incoming>>>::Future,
        <Router as Service<Request<Incoming>>>::Future,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routers are always ready; what limits them is inside.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path();
        if API.iter().any(|prefix| path.starts_with(prefix)) {
            Either::Left(self.api.call(request))
        } else {
            Either::Right(self.pages.call(request))
        }
    }
}
