//! Forwarding as a service behind the gateway.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::{Request, Response};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use firstcome_core::ports::RoleName;
use tower::{Service, ServiceExt as _};

use super::{Forwarder, routes};
use crate::gateway::answers;
use crate::http::{MAX_UPLOAD_BYTES, read_body, read_upload};

/// Sends every request to the role that answers its path.
#[derive(Clone)]
pub struct Forward(pub Arc<Forwarder>);

impl Forward {
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let Some(role) = routes::role_of(request.uri().path()) else {
            return answers::not_found(request.uri(), request.headers());
        };
        self.0.answer_by(role, request).await
    }
}

impl Forwarder {
    /// Sends a request to this role, whatever its path.
    pub(super) async fn answer_by(&self, role: RoleName, request: Request<Body>) -> Response<Body> {
        if let Some(router) = self.local.get(&role) {
            let Ok(response) = router.clone().oneshot(request).await;
            return response;
        }
        // Every role but the gateway has a pool or is here.
        let Some(pool) = self.pools.get(&role) else {
            return answers::not_found(request.uri(), request.headers());
        };
        let (parts, body) = request.into_parts();
        let body = if body.is_end_stream() {
            Bytes::new()
        } else {
            let body = Request::new(body);
            let read = if routes::is_upload(&parts) {
                read_upload(body, MAX_UPLOAD_BYTES).await
            } else {
                read_body(body).await
            };
            match read {
                Ok(body) => body,
                Err(problem) => return problem.into_response(),
            }
        };
        self.forward(role, pool, parts, body).await
    }
}

impl<B> Service<Request<B>> for Forward
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let forward = self.clone();
        let request = request.map(Body::new);
        Box::pin(async move { Ok(forward.answer(request).await) })
    }
}
