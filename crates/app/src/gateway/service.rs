//! The service in front of the routes. Every request passes here, so it adds no task, no lock that is held over a wait
//! and no allocation beyond the identity in the request's extensions.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{Method, Request, Response};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use firstcome_core::codes::ErrorCode;
use futures_util::FutureExt as _;
use futures_util::future::{Either, Join, Map, Ready, join, ready};
use tower::Service;

use super::{API, Gateway, answers, callers, streams};
use crate::http::{ClientAddress, Identity, Problem, Verified};

/// Where a token that has expired is brought to be replaced by a new one.
const LOG_IN: &str = "/api/v1/auth/";

type Answer = Result<Response<Body>, Infallible>;

/// An answer on its way, with what finishes it.
type Finishing<F> = Map<Join<F, Ready<Finish>>, fn((Answer, Finish)) -> Answer>;

/// What an answer still needs, by whom it is for.
pub enum Finish {
    /// Anyone.
    Public,
    /// Whoever asked, who is not known.
    Personal,
    /// This caller, for as long as they may.
    Of(Arc<Gateway>, Verified),
}

impl Finish {
    fn finish((answer, finish): (Answer, Self)) -> Answer {
        answer.map(|response| match finish {
            Self::Public => answers::public(response),
            Self::Personal => answers::personal(response),
            Self::Of(gateway, caller) => streams::while_allowed(answers::personal(response), gateway, caller),
        })
    }
}

/// Routes behind a gateway.
#[derive(Clone)]
pub struct Protected<S> {
    gateway: Arc<Gateway>,
    inner: S,
}

impl<S> Protected<S> {
    pub(super) fn new(gateway: Arc<Gateway>, inner: S) -> Self {
        Self { gateway, inner }
    }
}

impl Protected<Router> {
    /// The same as a router, for servers and tests that want one; serving the service itself saves a hop.
    pub fn into_router(self) -> Router {
        Router::new().fallback_service(self)
    }
}

impl<S, B> Service<Request<B>> for Protected<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, Finishing<S::Future>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gateway.admit(&mut request) {
            Ok(finish) => Either::Right(join(self.inner.call(request), ready(finish)).map(Finish::finish)),
            Err(problem) => Either::Left(ready(Ok(answers::personal(problem.into_response())))),
        }
    }
}

impl Gateway {
    /// Lets a request pass, with the caller's identity in its extensions, and says how to finish its answer.
    fn admit<B>(self: &Arc<Self>, request: &mut Request<B>) -> Result<Finish, Problem> {
        self.resolve_address(request);
        let path = request.uri().path();
        let known = match callers::bearer(request.headers()) {
            Some(token) => match self.identify(token, request) {
                Err(problem) if problem.code() == ErrorCode::Unauthenticated && path.starts_with(LOG_IN) => None,
                caller => Some(caller?),
            },
            None if path.starts_with(API) => None,
            None => callers::cookie(request.headers()).and_then(|token| self.identify(token, request).ok()),
        };
        // Whatever a client sent, an identity comes from here or not at all.
        request.extensions_mut().remove::<Identity>();
        if let Some(caller) = known {
            self.limits.check_user(&caller.identity)?;
            request.extensions_mut().insert(caller.identity);
            return Ok(Finish::Of(Arc::clone(self), caller));
        }
        self.limits.check_address(ClientAddress::of(request.extensions()))?;
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        Ok(if changes { Finish::Personal } else { Finish::Public })
    }

    fn identify<B>(&self, token: &[u8], request: &Request<B>) -> Result<Verified, Problem> {
        if !self.follower.is_loaded() {
            return Err(Problem::new(ErrorCode::Unavailable).detail("Starting; log-outs are still being read"));
        }
        if !self.knows_log_outs() {
            return Err(Problem::new(ErrorCode::Unavailable).detail("Log-outs cannot be read at the moment"));
        }
        let now = self.ports.clock.now();
        let hash = callers::hash(token);
        let verified = if let Some(verified) = self.callers.find(&hash, now) {
            verified
        } else {
            self.limits.check_address(ClientAddress::of(request.extensions()))?;
            let verified = self.ports.keys.tokens.verify(token, now).map_err(|_| invalid())?;
            self.callers.remember(hash, verified);
            verified
        };
        if self.ports.revocations.contains(verified.identity.session) {
            return Err(invalid());
        }
        Ok(verified)
    }

    /// Behind trusted proxies: the address that the outermost of them saw.
    fn resolve_address<B>(&self, request: &mut Request<B>) {
        if self.options.trusted_proxies == 0 {
            return;
        }
        let values = request.headers().get_all("x-forwarded-for").iter();
        let hops: Vec<&str> =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim).collect();
        let place = hops.len().checked_sub(self.options.trusted_proxies);
        let address = place.and_then(|place| hops[place].parse().ok());
        if let Some(address) = address {
            request.extensions_mut().insert(ClientAddress(address));
        }
    }
}

fn invalid() -> Problem {
    Problem::new(ErrorCode::Unauthenticated).detail("The access token does not hold, has expired or was logged out")
}
