//! What stands in front of the roles of a process that is called by a gateway: nobody else is listened to.
//!
//! - A request without the gateway's [signature](crate::http::Signatures) for it is refused with 403, whatever else it
//!   carries; one that is signed and came too late with 503. Who calls and from where is what the signature says, and
//!   nothing that a client sent.
//! - Nobody waits for an answer after the deadline that the gateway handed on: the work is dropped, as when a client
//!   leaves, and 503 says so.
//! - [`OPEN`] paths say whether the process lives, and nothing about the shop.
//! - While the process drains every answer says so, so that the gateway that gets it brings nothing new.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Request, Response};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::Clock;
use tower::Service;

use crate::gateway::with_problems;
use crate::http::{CALLER, ClientAddress, DEADLINE, DRAINING, Identity, NotVouched, Problem, Signatures, Vouched};

/// Paths that need no gateway.
pub const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// The deadline of a request that comes without one.
const LONGEST: Duration = Duration::from_mins(10);

/// The guard of one process.
pub struct Guard {
    signatures: Signatures,
    clock: Arc<dyn Clock>,
    draining: AtomicBool,
}

impl Guard {
    /// A guard that believes these signatures.
    pub fn new(signatures: Signatures, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { signatures, clock, draining: AtomicBool::new(false) })
    }

    /// From now on every answer says that nothing new should come.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether nothing new should come.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Puts the guard in front of all routes; the router must be complete.
    pub fn protect(self: &Arc<Self>, router: Router) -> Guarded {
        Guarded { guard: Arc::clone(self), inner: with_problems(router) }
    }

    /// Whether a gateway sent this request, and for whom.
    pub fn vouched<B>(&self, request: &Request<B>) -> Result<Vouched, NotVouched> {
        let mut sent = request.headers().get_all(CALLER).iter();
        let header = sent.next().filter(|_| sent.next().is_none()).ok_or(NotVouched::Foreign)?;
        let now = self.clock.now();
        self.signatures.verify(header.as_bytes(), request.method(), request.uri(), now)
    }

    fn admit<B>(&self, request: &mut Request<B>) -> Result<Duration, Problem> {
        if OPEN.contains(&request.uri().path()) {
            return Ok(LONGEST);
        }
        let vouched = self.vouched(request).map_err(|error| match error {
            NotVouched::Foreign => {
                let detail = "Only the gateway may call a role; send the request to the gateway's address";
                Problem::new(ErrorCode::Forbidden).detail(detail)
            }
            // This process stood still while it waited here. Nothing was begun, so it may be asked again anywhere.
            NotVouched::TooOld => Problem::new(ErrorCode::Unavailable)
                .detail("The request waited too long, and nothing was begun; try again"),
        })?;
        let deadline = request.headers().get(DEADLINE).and_then(|value| value.to_str().ok()?.parse().ok());
        request.headers_mut().remove(CALLER);
        request.headers_mut().remove(DEADLINE);
        let extensions = request.extensions_mut();
        extensions.insert(ClientAddress(vouched.address));
        extensions.remove::<Identity>();
        if let Some(caller) = vouched.caller {
            extensions.insert(caller);
        }
        Ok(deadline.map_or(LONGEST, Duration::from_millis).min(LONGEST))
    }

    fn finish(&self, mut response: Response<Body>) -> Response<Body> {
        if self.is_draining() {
            response.headers_mut().insert(DRAINING, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Routes behind a guard.
#[derive(Clone)]
pub struct Guarded {
    guard: Arc<Guard>,
    inner: Router,
}

impl Guarded {
    /// The guard.
    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// Whether a gateway sent this request.
    pub fn is_for<B>(&self, request: &Request<B>) -> bool {
        self.guard.vouched(request).is_ok()
    }
}

impl<B> Service<Request<B>> for Guarded
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let guard = Arc::clone(&self.guard);
        let admitted = guard.admit(&mut request).map(|deadline| (deadline, self.inner.call(request)));
        Box::pin(async move {
            let response = match admitted {
                Ok((deadline, answer)) => match tokio::time::timeout(deadline, answer).await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    Err(_) => late().into_response(),
                },
                Err(problem) => problem.into_response(),
            };
            Ok(guard.finish(response))
        })
    }
}

fn late() -> Problem {
    Problem::new(ErrorCode::Unavailable).detail("It took longer than the gateway waits; ask again what came of it")
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use axum::routing::{get, post};
    use firstcome_core::ids::{SessionId, UserId};
    use firstcome_core::testkit::TestClock;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::{Buyer, Roles};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn routes() -> Router {
        Router::new()
            .route("/api/v1/orders", post(async |Buyer(caller): Buyer| caller.user.to_string()))
            .route("/api/v1/where", get(async |ClientAddress(address): ClientAddress| address.to_string()))
            .route("/api/v1/never", get(std::future::pending::<String>))
            .route("/healthz", get(async || "ok"))
    }

    struct Fixture {
        clock: TestClock,
        guard: Arc<Guard>,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = TestClock::default();
            let guard = Guard::new(Signatures::new(SECRET, "shop"), Arc::new(clock.clone()));
            Self { clock, guard }
        }

        fn signed(&self, secret: &[u8], method: &Method, path: &str, caller: bool) -> HeaderValue {
            let identity = Identity {
                user: UserId([1; 16]),
                session: SessionId([1; 16]),
                roles: Roles::default(),
                unlimited: false,
            };
            let vouched = Vouched { caller: caller.then_some(identity), address: [192, 0, 2, 7].into() };
            Signatures::new(secret, "shop").sign(&vouched, method, &path.parse().unwrap(), self.clock.now())
        }

        async fn send(&self, method: Method, path: &str, headers: &[(&str, HeaderValue)]) -> (u16, String, bool) {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let answer = self.guard.protect(routes()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let (status, draining) = (answer.status().as_u16(), answer.headers().contains_key(DRAINING));
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(text.to_vec()).unwrap(), draining)
        }
    }

    #[tokio::test]
    async fn only_the_gateway_is_listened_to() {
        let fixture = Fixture::new();
        let path = "/api/v1/orders";
        let good = fixture.signed(SECRET, &Method::POST, path, true);
        let (status, text, _) = fixture.send(Method::POST, path, &[("x-firstcome-caller", good.clone())]).await;
        assert_eq!((status, text), (200, UserId([1; 16]).to_string()));
        let unknown = fixture.signed(SECRET, &Method::POST, path, false);
        assert_eq!(fixture.send(Method::POST, path, &[("x-firstcome-caller", unknown)]).await.0, 401);

        let (status, text, _) = fixture.send(Method::POST, path, &[]).await;
        assert!(status == 403 && text.contains("\"forbidden\"") && text.contains("gateway"), "{text}");
        let bearer = HeaderValue::from_static("Bearer a.b.c");
        assert_eq!(fixture.send(Method::POST, path, &[("authorization", bearer)]).await.0, 403);
        let forged = fixture.signed(b"another secret", &Method::POST, path, true);
        assert_eq!(fixture.send(Method::POST, path, &[("x-firstcome-caller", forged)]).await.0, 403);
        let elsewhere = fixture.signed(SECRET, &Method::POST, "/api/v1/where", true);
        assert_eq!(fixture.send(Method::POST, path, &[("x-firstcome-caller", elsewhere)]).await.0, 403);
        let twice = [("x-firstcome-caller", good.clone()), ("x-firstcome-caller", good.clone())];
        assert_eq!(fixture.send(Method::POST, path, &twice).await.0, 403);
        assert_eq!(fixture.send(Method::GET, "/nothing", &[]).await.0, 403, "not even what there is can be seen");
        fixture.clock.advance(Duration::from_secs(10));
        assert_eq!(
            fixture.send(Method::POST, path, &[("x-firstcome-caller", good)]).await.0,
            503,
            "too old, so nothing was begun"
        );
    }

    #[tokio::test]
    async fn the_address_is_the_one_that_the_gateway_saw() {
        let fixture = Fixture::new();
        let good = fixture.signed(SECRET, &Method::GET, "/api/v1/where", false);
        let headers = [("x-firstcome-caller", good), ("x-forwarded-for", HeaderValue::from_static("203.0.113.9"))];
        assert_eq!(fixture.send(Method::GET, "/api/v1/where", &headers).await.1, "192.0.2.7");
    }

    #[tokio::test]
    async fn health_is_for_everyone_and_says_when_nothing_new_should_come() {
        let fixture = Fixture::new();
        assert_eq!(fixture.send(Method::GET, "/healthz", &[]).await, (200, "ok".to_owned(), false));
        fixture.guard.drain();
        assert!(fixture.send(Method::GET, "/healthz", &[]).await.2);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_nobody_waits_for_is_dropped() {
        let fixture = Fixture::new();
        let good = fixture.signed(SECRET, &Method::GET, "/api/v1/never", false);
        let headers = [("x-firstcome-caller", good), ("x-firstcome-deadline", HeaderValue::from_static("50"))];
        let (status, text, _) = fixture.send(Method::GET, "/api/v1/never", &headers).await;
        assert!(status == 503 && text.contains("\"unavailable\"") && text.contains("retry_after"), "{text}");
    }
}
