//! Forwarding to real servers on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::Load;
use firstcome_core::testkit::{MemoryRegistry, TestClock};
use firstcome_core::time::Time;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::status::InstanceView;
use super::*;
use crate::gateway::EndedSessions as _;
use crate::guard::Guard;
use crate::http::{Buyer, ENDED_SESSIONS, Identity, Problem, Roles};
use firstcome_core::codes::ErrorCode;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// What a server of a role counts and waits for.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    busy: AtomicUsize,
    go_on: Notify,
    gone: Notify,
}

/// A role's process.
struct Server {
    id: &'static str,
    address: SocketAddr,
    seen: Arc<Seen>,
    guard: Arc<Guard>,
    serving: JoinHandle<()>,
}

struct Leaves(Arc<Seen>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.gone.notify_one();
    }
}

async fn stream(State(seen): State<Arc<Seen>>) -> impl IntoResponse {
    let leaves = Leaves(seen);
    let events = futures_util::stream::once(async { Ok::<_, std::convert::Infallible>("data: 1\n\n") })
        .chain(futures_util::stream::pending())
        .inspect(move |_| {
            let _ = &leaves;
        });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
}

async fn busy(State(seen): State<Arc<Seen>>) -> Response {
    if seen.busy.load(Ordering::SeqCst) > 0 {
        return Problem::new(ErrorCode::Overloaded).into_response();
    }
    "done".into_response()
}

fn routes(id: &'static str, seen: &Arc<Seen>) -> Router {
    let counting = Arc::clone(seen);
    Router::new()
        .route("/api/v1/products", any(busy))
        .route(
            "/api/v1/orders",
            post(async |Buyer(caller): Buyer| caller.user.to_string()).get(move || async move { id }),
        )
        .route("/api/v1/offers/slow", any(async |State(seen): State<Arc<Seen>>| seen.go_on.notified().await))
        .route("/api/v1/offers/stream", get(stream))
        .route("/api/v1/offers/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route(ENDED_SESSIONS, get(async |State(seen): State<Arc<Seen>>| seen.go_on.notified().await))
        .route("/api/v1/auth/headers", any(async |headers: HeaderMap| format!("{:?}", headers.keys())))
        .with_state(Arc::clone(seen))
        .layer(axum::middleware::map_request(move |request: Request<Body>| {
            counting.requests.fetch_add(1, Ordering::SeqCst);
            std::future::ready(request)
        }))
}

impl Server {
    async fn start(id: &'static str, clock: &TestClock) -> Self {
        Self::start_at(id, ([127, 0, 0, 1], 0).into(), clock).await
    }

    async fn start_at(id: &'static str, address: SocketAddr, clock: &TestClock) -> Self {
        let seen = Arc::new(Seen::default());
        let guard = Guard::new(Signatures::new(SECRET, "shop"), Arc::new(clock.clone()));
        let service = guard.protect(routes(id, &seen));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let router = Router::new().fallback_service(service);
            axum_serve(listener, router).await;
        });
        Self { id, address, seen, guard, serving }
    }

    fn instance(&self) -> Instance {
        let roles = vec![RoleName::Catalog, RoleName::Orders, RoleName::Accounts];
        Instance {
            id: self.id.to_owned(),
            address: self.address.to_string(),
            roles,
            draining: false,
            started_at: Time(1),
            load: Load { commands: 4, stuck: true, outbox_millis: 5, consumers_millis: 6 },
        }
    }

    /// Ends it with all its connections, as a kill does.
    async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }

    fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }
}

/// Connections of a listener, until it is dropped with all of them.
async fn axum_serve(listener: TcpListener, router: Router) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let stream = hyper_util::rt::TokioIo::new(stream);
        connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
    }
}

struct Shop {
    clock: TestClock,
    registry: Arc<MemoryRegistry>,
    forwarder: Arc<Forwarder>,
}

impl Shop {
    async fn new(options: Options, servers: &[&Server]) -> Self {
        let clock = TestClock::default();
        let registry = Arc::new(MemoryRegistry::new(Arc::new(clock.clone()), Duration::from_secs(2)));
        let signatures = Signatures::new(SECRET, "shop");
        let ports = Ports { registry: registry.clone(), signatures, clock: Arc::new(clock.clone()) };
        let forwarder = Forwarder::new(options, ports, HashMap::new(), &mut Metrics::default());
        let shop = Self { clock, registry, forwarder };
        for server in servers {
            shop.registry.announce(&server.instance()).await.unwrap();
        }
        shop.forwarder.refresh().await.unwrap();
        shop
    }

    async fn send(&self, request: Request<Body>) -> Response {
        Forward(Arc::clone(&self.forwarder)).oneshot(request).await.unwrap()
    }

    async fn text(&self, request: Request<Body>) -> (u16, String) {
        let answer = self.send(request).await;
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.text(Request::get(path).body(Body::empty()).unwrap()).await
    }

    fn state(&self, role: &str) -> Vec<(String, Circuit, bool)> {
        let parts = self.forwarder.status().parts;
        let says =
            |view: &InstanceView| (view.waiting_commands, view.ledger_stuck, view.consumer_lag_millis) == (4, true, 6);
        assert!(parts.iter().flat_map(|part| &part.instances).all(says), "what each says of itself");
        let part = parts.into_iter().find(|part| part.role == role).unwrap();
        part.instances.into_iter().map(|view| (view.id, view.circuit, view.draining)).collect()
    }
}

fn of(user: u8, mut request: Request<Body>) -> Request<Body> {
    let caller =
        Identity { user: UserId([user; 16]), session: SessionId::NIL, roles: Roles::default(), unlimited: false };
    request.extensions_mut().insert(caller);
    request
}

fn keyed(path: &str) -> Request<Body> {
    Request::post(path).header("idempotency-key", "k").body(Body::from("{}")).unwrap()
}

fn options() -> Options {
    Options { breaker: BreakerOptions { failures: 2, pause: Duration::from_millis(20) }, ..Options::default() }
}

#[tokio::test]
async fn identity_goes_on_and_claims_do_not() {
    let clock = TestClock::default();
    let server = Server::start("one", &clock).await;
    let shop = Shop::new(options(), &[&server]).await;
    let request = Request::post("/api/v1/orders").header("x-firstcome-caller", "forged").body(Body::empty()).unwrap();
    assert_eq!(shop.text(of(7, request)).await, (200, UserId([7; 16]).to_string()));
    let forged = Request::post("/api/v1/orders").header("x-firstcome-caller", "forged").body(Body::empty()).unwrap();
    assert_eq!(shop.text(forged).await.0, 401);
    let bearer = Request::get("/api/v1/auth/headers").header("authorization", "Bearer a").body(Body::empty()).unwrap();
    let (_, seen) = shop.text(bearer).await;
    assert!(!seen.contains("authorization"), "{seen}");
    assert_eq!(shop.get("/nothing").await.0, 404);
}

#[tokio::test]
async fn a_person_stays_with_one_instance_and_moves_when_it_is_gone() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Shop::new(options(), &[&one, &two]).await;
    let ask = async |user| shop.text(of(user, Request::get("/api/v1/orders").body(Body::empty()).unwrap())).await;
    let mut belongs = BTreeMap::new();
    for user in 0..40 {
        belongs.insert(user, ask(user).await.1);
    }
    for (user, instance) in &belongs {
        assert_eq!(&ask(*user).await.1, instance, "of {user}");
    }
    assert!(one.requests() > 10 && two.requests() > 10, "{} and {}", one.requests(), two.requests());
    one.kill().await;
    for user in belongs.keys() {
        assert_eq!(ask(*user).await, (200, "two".to_owned()));
    }
}

#[tokio::test]
async fn the_idle_one_gets_what_the_slow_one_would_keep_waiting() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Arc::new(Shop::new(options(), &[&one, &two]).await);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move { shop.get("/api/v1/offers/slow").await })
        })
        .collect();
    while one.requests() + two.requests() < 20 {
        tokio::task::yield_now().await;
    }
    assert!(one.requests().abs_diff(two.requests()) <= 2, "{} and {}", one.requests(), two.requests());
    one.seen.go_on.notify_waiters();
    two.seen.go_on.notify_waiters();
    for answer in waiting {
        assert_eq!(answer.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn what_never_left_is_tried_elsewhere_and_the_refusing_one_gets_nothing_until_it_is_back() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let address = one.address;
    let shop = Shop::new(options(), &[&one, &two]).await;
    one.kill().await;
    for _ in 0..20 {
        let unkeyed = Request::post("/api/v1/products").body(Body::from("{}")).unwrap();
        assert_eq!(shop.text(unkeyed).await, (200, "done".to_owned()));
    }
    assert_ne!(shop.state("catalog")[0].1, Circuit::Closed);
    let one = Server::start_at("one", address, &clock).await;
    while shop.state("catalog")[0].1 != Circuit::Closed {
        assert_eq!(shop.get("/api/v1/products").await.0, 200);
        tokio::task::yield_now().await;
    }
    assert!(one.requests() > 0);
}

#[tokio::test]
async fn busy_is_tried_elsewhere_only_if_it_may_be_done_twice() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Shop::new(options(), &[&one, &two]).await;
    one.seen.busy.store(1, Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(shop.get("/api/v1/products").await.0, 200);
        assert_eq!(shop.text(keyed("/api/v1/products")).await.0, 200);
    }
    two.seen.busy.store(1, Ordering::SeqCst);
    for (request, tries) in [
        (keyed("/api/v1/products"), 2),
        (Request::get("/api/v1/products").body(Body::empty()).unwrap(), 2),
        (Request::post("/api/v1/products").body(Body::from("{}")).unwrap(), 1),
    ] {
        let before = one.requests() + two.requests();
        let (status, text) = shop.text(request).await;
        assert!(status == 503 && text.contains("\"overloaded\""), "{text}");
        assert_eq!(one.requests() + two.requests() - before, tries);
    }
}

#[tokio::test]
async fn retries_end_with_their_budget() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Shop::new(Options { retry_percent: 10, ..options() }, &[&one, &two]).await;
    for server in [&one, &two] {
        server.seen.busy.store(1, Ordering::SeqCst);
    }
    for _ in 0..1_000 {
        assert_eq!(shop.get("/api/v1/products").await.0, 503);
    }
    let sent = one.requests() + two.requests();
    assert!((1_100..=1_160).contains(&sent), "1000 requests, a tenth, and what was saved: {sent}");
}

#[tokio::test]
async fn an_instance_that_fails_gets_nothing_for_a_while() {
    let clock = TestClock::default();
    let server = Server::start("one", &clock).await;
    let pause = Duration::from_secs(600);
    let shop = Shop::new(Options { breaker: BreakerOptions { failures: 3, pause }, ..options() }, &[&server]).await;
    for _ in 0..3 {
        assert_eq!(shop.get("/api/v1/offers/broken").await.0, 500);
    }
    let answer = shop.send(Request::get("/api/v1/products").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn accounts_that_are_late_with_who_was_logged_out_go_on_serving_buyers() {
    let clock = TestClock::default();
    let server = Server::start("one", &clock).await;
    let breaker = BreakerOptions { failures: 1, pause: Duration::from_secs(600) };
    let shop = Shop::new(Options { breaker, ..options() }, &[&server]).await;
    assert!(shop.forwarder.ended_within(Duration::from_secs(1)).await.is_err());
    assert_eq!(shop.state("accounts"), [("one".to_owned(), Circuit::Closed, false)]);
    assert_eq!(shop.get("/api/v1/auth/headers").await.0, 200);
}

#[tokio::test]
async fn a_slow_role_fills_its_own_places_only() {
    let clock = TestClock::default();
    let server = Server::start("one", &clock).await;
    let shop = Arc::new(Shop::new(Options { max_in_flight: 2, ..options() }, &[&server]).await);
    let slow = [(); 2].map(|()| {
        let shop = shop.clone();
        tokio::spawn(async move { shop.get("/api/v1/offers/slow").await })
    });
    while server.requests() < 2 {
        tokio::task::yield_now().await;
    }
    let (status, text) = shop.get("/api/v1/products").await;
    assert!(status == 503 && text.contains("\"overloaded\""), "{text}");
    assert_eq!(shop.text(of(1, Request::get("/api/v1/orders").body(Body::empty()).unwrap())).await.0, 200);
    server.seen.go_on.notify_waiters();
    for answer in slow {
        assert_eq!(answer.await.unwrap().0, 200);
    }
    assert_eq!(shop.get("/api/v1/products").await.0, 200);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let clock = TestClock::default();
    let server = Server::start("one", &clock).await;
    let shop = Shop::new(Options { deadline: Duration::from_millis(30), ..options() }, &[&server]).await;
    let (status, text) = shop.get("/api/v1/offers/slow").await;
    assert!(status == 503 && text.contains("\"unavailable\""), "{text}");
}

#[tokio::test]
async fn what_an_instance_was_asked_that_hangs_another_is_asked() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Arc::new(Shop::new(Options { give_up_after: Duration::ZERO, ..options() }, &[&one]).await);
    let ask = |method: &'static str, key: bool| {
        let shop = shop.clone();
        let request = Request::builder().method(method).uri("/api/v1/offers/slow");
        let request = if key { request.header("idempotency-key", "k") } else { request };
        tokio::spawn(async move { shop.text(request.body(Body::empty()).unwrap()).await })
    };
    let (reads, once, anew) = (ask("GET", false), ask("POST", true), ask("POST", false));
    let reached = async |server: &Server, requests| {
        while server.requests() < requests {
            tokio::task::yield_now().await;
        }
    };
    reached(&one, 3).await;

    // The registry has forgotten everyone: that says nothing.
    shop.registry.forget();
    shop.forwarder.refresh().await.unwrap();
    shop.registry.announce(&two.instance()).await.unwrap();
    assert_eq!(two.requests(), 0);
    shop.forwarder.refresh().await.unwrap();
    reached(&two, 2).await;
    two.seen.go_on.notify_waiters();
    assert_eq!((reads.await.unwrap().0, once.await.unwrap().0), (200, 200));

    // What may be done once only waits for the one that has it.
    assert!(!anew.is_finished());
    one.seen.go_on.notify_waiters();
    assert_eq!((anew.await.unwrap().0, two.requests()), (200, 2));
}

#[tokio::test]
async fn streams_pass_through_and_end_when_the_client_goes() {
    let clock = TestClock::default();
    let server = Server::start("one", &clock).await;
    let shop = Shop::new(Options { max_in_flight: 1, ..options() }, &[&server]).await;
    let answer = shop.send(Request::get("/api/v1/offers/stream").body(Body::empty()).unwrap()).await;
    let mut events = answer.into_body().into_data_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 1\n\n");
    assert_eq!(shop.get("/api/v1/products").await.0, 200, "a stream takes no place");
    drop(events);
    server.seen.gone.notified().await;
}

#[tokio::test]
async fn what_drains_gets_nothing_new() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Shop::new(options(), &[&one, &two]).await;
    one.guard.drain();
    // The first answer says it, before the registry does.
    for _ in 0..40 {
        assert_eq!(shop.get("/api/v1/products").await.0, 200);
    }
    assert!(one.requests() <= 1, "{}", one.requests());
    let mut draining = two.instance();
    draining.draining = true;
    shop.registry.announce(&draining).await.unwrap();
    shop.forwarder.refresh().await.unwrap();
    assert!(shop.state("catalog").into_iter().all(|(_, _, draining)| draining));
    assert_eq!(shop.get("/api/v1/products").await.0, 503);
    let started_again = Instance { started_at: Time(2), ..one.instance() };
    shop.registry.announce(&started_again).await.unwrap();
    shop.forwarder.refresh().await.unwrap();
    assert_eq!(shop.get("/api/v1/products").await.0, 200);
}

#[tokio::test]
async fn a_registry_that_forgets_does_not_empty_the_shop() {
    let clock = TestClock::default();
    let (one, two) = (Server::start("one", &clock).await, Server::start("two", &clock).await);
    let shop = Shop::new(options(), &[&one, &two]).await;
    shop.registry.forget();
    shop.forwarder.refresh().await.unwrap();
    assert_eq!(shop.get("/api/v1/products").await.0, 200);
    // Who is not listed and refuses is gone.
    one.kill().await;
    for person in 0..20 {
        // By person, so that some belong to it, whichever is the quicker.
        let asked = of(person, Request::get("/api/v1/orders").body(Body::empty()).unwrap());
        assert_eq!(shop.text(asked).await.0, 200);
    }
    shop.registry.announce(&two.instance()).await.unwrap();
    shop.forwarder.refresh().await.unwrap();
    let left: Vec<_> = shop.state("orders").into_iter().map(|(id, _, _)| id).collect();
    assert_eq!(left, ["two"]);
    shop.clock.advance(Duration::from_secs(2));
    assert!(shop.registry.instances().await.unwrap().is_empty());
}
