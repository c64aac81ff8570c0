//! One request on its way to a role and back, tried again where that is safe.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::RoleName;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::instance::{Target, UnderWay};
use super::metrics::Outcome;
use super::pool::Pool;
use super::{Forwarder, headers, routes};
use crate::http::{CALLER, ClientAddress, DEADLINE, DRAINING, Identity, Problem, Vouched};

/// An answer up to this size is taken whole before the client gets the first byte: one that breaks off can be tried again.
const WHOLE: u64 = 1024 * 1024;
/// How often one request is sent at the most.
const TRIES: usize = 3;

/// What came of one try.
enum Try {
    /// An answer for the client.
    Answer(Response<Body>),
    /// The instance is busy or stopping, and said so.
    Busy(Response<Body>),
    /// The request never left.
    Refused,
    /// Nobody knows what came of it.
    Broken,
    /// Time is up.
    Late,
    /// The instance hangs, and the request may be sent to another.
    Silent,
}

/// A request that can be sent more than once.
struct Repeatable<'a> {
    parts: &'a Parts,
    headers: HeaderMap,
    body: Bytes,
    vouched: Vouched,
    /// Whether it may be sent again when nobody knows what came of it.
    is_safe: bool,
    /// When there must be an answer.
    until: Instant,
}

impl Forwarder {
    /// Hands a request on to an instance of a role.
    pub(super) async fn forward(&self, role: RoleName, pool: &Pool, parts: Parts, body: Bytes) -> Response<Body> {
        let Ok(_place) = pool.bulkhead.try_acquire() else {
            self.metrics.count(role, Outcome::Full);
            let detail = format!("Too many requests to {} are under way; try again in a moment", role.as_str());
            return Problem::new(ErrorCode::Overloaded).detail(detail).into_response();
        };
        pool.budget.earn();
        let request = Repeatable {
            headers: headers::for_role(parts.uri.path(), &parts.headers),
            vouched: Vouched {
                caller: parts.extensions.get::<Identity>().copied(),
                address: ClientAddress::of(&parts.extensions).0,
            },
            is_safe: routes::is_repeatable(&parts),
            until: Instant::now() + self.options.deadline,
            parts: &parts,
            body,
        };
        let (answer, outcome) = self.try_instances(role, pool, &request).await;
        self.metrics.count(role, outcome);
        answer
    }

    async fn try_instances(&self, role: RoleName, pool: &Pool, request: &Repeatable<'_>) -> (Response<Body>, Outcome) {
        let repeatable = request.is_safe;
        let affinity = routes::affinity(role, request.parts, &request.body);
        let mut tried: Vec<Arc<Target>> = Vec::new();
        let mut answer = None;
        while tried.len() < TRIES {
            if !tried.is_empty() && !pool.budget.spend() {
                break;
            }
            let now = Instant::now();
            let Some(target) = pool.choose(affinity, &tried, repeatable, now) else { break };
            if !tried.is_empty() {
                self.metrics.count(role, Outcome::Repeated);
            }
            tried.push(Arc::clone(&target));
            match self.send(&target, request).await {
                Try::Answer(answer) => return (answer, Outcome::Answered),
                Try::Busy(busy) if !repeatable => return (busy, Outcome::Answered),
                Try::Busy(busy) => answer = Some(busy),
                Try::Refused => {}
                Try::Late => return (late(role).into_response(), Outcome::Late),
                Try::Silent => answer = Some(late(role).into_response()),
                Try::Broken if repeatable => answer = Some(broken(role).into_response()),
                Try::Broken => return (broken(role).into_response(), Outcome::Failed),
            }
        }
        (answer.unwrap_or_else(|| nobody(role).into_response()), Outcome::Failed)
    }

    async fn send(&self, target: &Arc<Target>, request: &Repeatable<'_>) -> Try {
        let now = Instant::now();
        let under_way = UnderWay::begin(Arc::clone(target), now);
        let left = request.until.saturating_duration_since(now);
        let Some(outgoing) = self.outgoing(target, request, left) else {
            // An address that is none: the instance can never be reached.
            under_way.refused();
            return Try::Refused;
        };
        let exchange = async {
            let response = target.send(outgoing).await.map_err(|error| error.is_connect())?;
            take(response).await.ok_or(false)
        };
        let answered = tokio::select! {
            answered = tokio::time::timeout(left, exchange) => answered,
            () = target.given_up(), if request.is_safe => {
                under_way.failed();
                return Try::Silent;
            }
        };
        match answered {
            Ok(Ok(response)) => finish(target, under_way, response),
            Ok(Err(true)) => {
                under_way.refused();
                Try::Refused
            }
            Ok(Err(false)) => {
                under_way.failed();
                Try::Broken
            }
            Err(_) => {
                under_way.failed();
                Try::Late
            }
        }
    }

    fn outgoing(&self, target: &Target, request: &Repeatable<'_>, left: Duration) -> Option<Request<Full<Bytes>>> {
        let parts = request.parts;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("http://{}{path}", target.instance.address).parse().ok()?;
        let signature = self.ports.signatures.sign(&request.vouched, &parts.method, &uri, self.ports.clock.now());
        let mut outgoing = Request::new(Full::new(request.body.clone()));
        *outgoing.method_mut() = parts.method.clone();
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers.clone();
        outgoing.headers_mut().insert(CALLER, signature);
        outgoing.headers_mut().insert(DEADLINE, HeaderValue::from(left.as_millis() as u64));
        Some(outgoing)
    }
}

/// Takes a small answer whole; leaves streams and large ones as they are. None when it breaks off.
async fn take(response: Response<Incoming>) -> Option<Response<Body>> {
    let (parts, body) = response.into_parts();
    if body.size_hint().upper().is_some_and(|size| size <= WHOLE) {
        let whole = body.collect().await.ok()?.to_bytes();
        return Some(Response::from_parts(parts, Body::from(whole)));
    }
    Some(Response::from_parts(parts, Body::new(body)))
}

/// What an answer says of the instance and to the client.
fn finish(target: &Target, under_way: UnderWay, mut response: Response<Body>) -> Try {
    if response.headers().contains_key(DRAINING) {
        target.drain();
    }
    headers::for_client(response.headers_mut());
    let status = response.status();
    if status == StatusCode::SERVICE_UNAVAILABLE && response.headers().contains_key(header::RETRY_AFTER) {
        // An answer of one that is well but has too much to do, or lacks something that another may have.
        under_way.busy();
        return Try::Busy(response);
    }
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
        under_way.failed();
    } else {
        under_way.answered();
    }
    Try::Answer(response)
}

fn nobody(role: RoleName) -> Problem {
    let detail = format!("No process answers for {} at the moment; try again", role.as_str());
    Problem::new(ErrorCode::Unavailable).detail(detail).with("part", role.as_str())
}

fn broken(role: RoleName) -> Problem {
    let detail = format!("The process of {} ended before it answered; ask again what came of it", role.as_str());
    Problem::new(ErrorCode::Unavailable).detail(detail).with("part", role.as_str())
}

fn late(role: RoleName) -> Problem {
    let detail = format!("{} did not answer in time; ask again what came of it", role.as_str());
    Problem::new(ErrorCode::Unavailable).detail(detail).with("part", role.as_str())
}
