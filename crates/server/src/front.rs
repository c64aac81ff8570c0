//! What a process listens with: the API and the pages beside it, or roles behind their guard.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use firstcome_app::gateway::Protected;
use firstcome_app::guard::Guarded;
use futures_util::future::Either;
use hyper::body::Incoming;
use tower::Service;

/// Paths that the API answers, its problem documents for unknown ones included. All others are pages.
const API: [&str; 9] =
    ["/api/", "/images/", "/sandbox/", "/dev/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];

/// The API behind its gateway, and the pages beside it.
#[derive(Clone)]
pub struct Front<A = Protected<Router>> {
    /// The API.
    pub api: A,
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

/// Roles of a cluster in one process.
#[derive(Clone)]
pub struct Part {
    /// What gateways of other processes call.
    pub inside: Guarded,
    /// What everyone calls, where the gateway is among the roles.
    pub outside: Option<Front>,
}

impl Service<Request<Incoming>> for Part {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        match &mut self.outside {
            Some(outside) if !self.inside.is_for(&request) => {
                let (guard, answer) = (Arc::clone(self.inside.guard()), outside.call(request));
                Box::pin(async move {
                    let mut response = answer.await?;
                    if guard.is_draining() {
                        // Or the connection would end later, perhaps under a request that has just been sent.
                        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    Ok(response)
                })
            }
            _ => self.inside.call(request),
        }
    }
}
