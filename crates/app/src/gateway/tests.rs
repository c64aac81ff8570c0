//! The gateway in front of a few routes of its own.

mod silence;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::records::Unit;
use firstcome_core::testkit::{MemoryRecords, TestClock};
use firstcome_core::time::Time;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{ACCESS_COOKIE, Gateway, Options, Ports, Rate};
use crate::http::{AccountRole, Buyer, ClientAddress, Identity, Revocations, Roles, Seller};
use crate::secrets::{Keys, SystemRandom};

struct Fixture {
    clock: TestClock,
    keys: Arc<Keys>,
    accounts: Arc<MemoryRecords>,
    gateway: Arc<Gateway>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

fn routes() -> Router {
    Router::new()
        .route("/api/v1/offers", get(async || "offers"))
        .route("/api/v1/orders", post(async |Buyer(caller): Buyer| caller.user.to_string()))
        .route("/api/v1/admin/offers", get(async |_: Seller| "all offers"))
        .route("/api/v1/auth/login", post(async || "tokens"))
        .route("/api/v1/where", get(async |ClientAddress(address): ClientAddress| address.to_string()))
        .route("/api/v1/stream", get(stream))
        .route("/stream", get(stream))
        .route("/api/v1/silence", get(silence))
        .route(
            "/orders",
            get(async |caller: Result<Buyer, crate::http::Problem>| match caller {
                Ok(Buyer(caller)) => caller.user.to_string(),
                Err(_) => "log in".to_owned(),
            }),
        )
        .route("/cached", get(async || ([(header::CACHE_CONTROL, "max-age=60")], "for all")))
}

/// Events without an end, as fast as they are read.
async fn stream() -> impl IntoResponse {
    let events = futures_util::stream::repeat_with(|| Ok::<_, Infallible>("data: 1\n\n"));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
}

/// The same, but nothing ever happens.
async fn silence() -> impl IntoResponse {
    let events = futures_util::stream::pending::<Result<String, Infallible>>();
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
}

impl Fixture {
    fn unloaded(options: Options) -> Self {
        Self::with(options, |_| {})
    }

    /// With ports that are otherwise.
    fn with(options: Options, change: impl FnOnce(&mut Ports)) -> Self {
        let clock = TestClock::default();
        let keys = Arc::new(Keys::in_memory(&SystemRandom));
        let accounts = Arc::new(MemoryRecords::new(topics::ACCOUNTS, &[]));
        let mut ports = Ports {
            keys: keys.clone(),
            revocations: Arc::new(Revocations::default()),
            events: accounts.clone(),
            accounts: None,
            limits: None,
            clock: Arc::new(clock.clone()),
        };
        change(&mut ports);
        Self { clock, keys, accounts, gateway: super::create(options, ports) }
    }

    async fn new(options: Options) -> Self {
        let fixture = Self::unloaded(options);
        fixture.gateway.load().await.unwrap();
        fixture
    }

    fn token(&self, user: u8, unlimited: bool) -> String {
        let roles = Roles::default().with(AccountRole::Buyer);
        let identity = Identity { user: UserId([user; 16]), session: SessionId([user; 16]), roles, unlimited };
        self.keys.tokens.sign(&identity, self.clock.now(), Duration::from_mins(15))
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 5_000))));
        let answer = self.gateway.protect(routes()).oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// The events of a stream that has begun.
    async fn stream(&self, path: &str, header: &str, value: &str) -> BodyDataStream {
        let request = Request::get(path).header(header, value).body(Body::empty()).unwrap();
        let answer = self.gateway.protect(routes()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().into_data_stream()
    }

    async fn with_token(&self, method: &str, path: &str, token: &str) -> Answer {
        self.send(method, path, &[("authorization", &format!("Bearer {token}"))]).await
    }

    async fn revoked(&self, session: SessionId, tokens_until: Time) {
        let event = RoleEvent::SessionRevoked { session, user: UserId::NIL, tokens_until };
        self.accounts.commit(Unit::new().event(&event, self.clock.now())).await.unwrap();
    }
}

#[tokio::test]
async fn identity_comes_from_a_token_that_holds() {
    let shop = Fixture::new(Options::default()).await;
    let token = shop.token(1, false);
    for _ in 0..2 {
        let answer = shop.with_token("POST", "/api/v1/orders", &token).await;
        assert_eq!((answer.status, answer.text), (200, UserId([1; 16]).to_string()));
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert_eq!(shop.with_token("GET", "/api/v1/admin/offers", &token).await.status, 403);
    assert_eq!(shop.send("POST", "/api/v1/orders", &[]).await.status, 401);
    shop.clock.advance(Duration::from_mins(15));
    assert_eq!(shop.with_token("POST", "/api/v1/orders", &token).await.status, 401);
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_also_where_none_is_needed() {
    let shop = Fixture::new(Options::default()).await;
    let foreign = Fixture::new(Options::default()).await.token(1, false);
    let tampered = shop.token(1, false) + "A";
    for token in [foreign.as_str(), &tampered, "", "x", "a.b.c"] {
        let answer = shop.with_token("GET", "/api/v1/offers", token).await;
        assert_eq!((answer.status, answer.headers["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
        assert!(answer.text.contains("\"unauthenticated\""));
    }
    assert_eq!(shop.send("GET", "/api/v1/offers", &[]).await.status, 200);
    assert_eq!(shop.with_token("POST", "/api/v1/auth/login", &foreign).await.status, 200);
    assert_eq!(shop.send("GET", "/api/v1/offers", &[("authorization", "Basic dGVzdDo=")]).await.status, 200);
}

#[tokio::test]
async fn log_outs_elsewhere_are_followed() {
    let shop = Fixture::new(Options::default()).await;
    let (one, two) = (shop.token(1, false), shop.token(2, false));
    assert_eq!(shop.with_token("POST", "/api/v1/orders", &one).await.status, 200);
    shop.revoked(SessionId([1; 16]), shop.clock.now() + Duration::from_mins(15)).await;
    shop.gateway.load().await.unwrap();
    assert_eq!(shop.with_token("POST", "/api/v1/orders", &one).await.status, 401);
    assert_eq!(shop.with_token("POST", "/api/v1/orders", &two).await.status, 200);
}

#[tokio::test]
async fn event_streams_end_at_the_log_out() {
    let shop = Fixture::new(Options::default()).await;
    let (one, two) = (shop.token(1, false), shop.token(2, false));
    let bearer = format!("Bearer {one}");
    let mut over = vec![
        shop.stream("/api/v1/stream", "authorization", &bearer).await,
        shop.stream("/stream", "cookie", &format!("{ACCESS_COOKIE}={one}")).await,
    ];
    let mut goes_on = shop.stream("/api/v1/stream", "authorization", &format!("Bearer {two}")).await;
    for events in over.iter_mut().chain([&mut goes_on]) {
        assert!(events.next().await.is_some());
    }
    let mut silence = shop.stream("/api/v1/silence", "authorization", &bearer).await;
    assert!(futures_util::poll!(silence.next()).is_pending());
    over.push(silence);
    shop.revoked(SessionId([1; 16]), shop.clock.now() + Duration::from_mins(15)).await;
    shop.gateway.load().await.unwrap();
    for events in &mut over {
        assert!(events.next().await.is_none(), "nothing more, not even what has happened already");
    }
    assert!(goes_on.next().await.is_some());
}

#[tokio::test]
async fn event_streams_end_with_their_token() {
    let shop = Fixture::new(Options::default()).await;
    let bearer = format!("Bearer {}", shop.token(1, false));
    let mut events = shop.stream("/api/v1/stream", "authorization", &bearer).await;
    let mut silence = shop.stream("/api/v1/silence", "authorization", &bearer).await;
    shop.clock.advance(Duration::from_mins(15) - Duration::from_micros(1));
    assert!(events.next().await.is_some());
    assert!(futures_util::poll!(silence.next()).is_pending());
    shop.clock.advance(Duration::from_micros(1));
    assert!(events.next().await.is_none());
    assert!(silence.next().await.is_none());
}

#[tokio::test]
async fn the_worker_follows_by_itself() {
    let shop = Fixture::unloaded(Options::default());
    let token = shop.token(1, false);
    let stop = tokio_util::sync::CancellationToken::new();
    let workers: Vec<_> =
        shop.gateway.workers().into_iter().map(|worker| tokio::spawn(worker.start(stop.clone()))).collect();
    while shop.with_token("POST", "/api/v1/orders", &token).await.status != 200 {
        tokio::task::yield_now().await;
    }
    shop.revoked(SessionId([1; 16]), shop.clock.now() + Duration::from_mins(15)).await;
    while shop.with_token("POST", "/api/v1/orders", &token).await.status != 401 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_checked_yet_is_refused() {
    let shop = Fixture::unloaded(Options::default());
    let token = shop.token(1, false);
    let answer = shop.with_token("POST", "/api/v1/orders", &token).await;
    assert_eq!((answer.status, &answer.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(shop.send("GET", "/api/v1/offers", &[]).await.status, 200);
    shop.gateway.load().await.unwrap();
    assert_eq!(shop.with_token("POST", "/api/v1/orders", &token).await.status, 200);
}

#[tokio::test]
async fn starting_reads_only_what_may_matter() {
    for old in [0_u8, 1, 2, 3, 7, 8, 100] {
        let shop = Fixture::unloaded(Options::default());
        for session in 0..old {
            shop.revoked(SessionId([session; 16]), shop.clock.now() + Duration::from_mins(15)).await;
        }
        shop.clock.advance(Duration::from_hours(48));
        let start = shop.gateway.first_since(shop.clock.now() - Duration::from_hours(36)).await.unwrap();
        assert_eq!(start, i64::from(old));
        shop.revoked(SessionId([1; 16]), shop.clock.now() + Duration::from_mins(15)).await;
        shop.gateway.load().await.unwrap();
        assert_eq!(shop.with_token("POST", "/api/v1/orders", &shop.token(1, false)).await.status, 401);
        assert_eq!(shop.with_token("POST", "/api/v1/orders", &shop.token(2, false)).await.status, 200);
    }
}

#[tokio::test]
async fn pages_use_a_cookie_and_the_api_does_not() {
    let shop = Fixture::new(Options::default()).await;
    let cookie = format!("{ACCESS_COOKIE}={}", shop.token(1, false));
    let page = shop.send("GET", "/orders", &[("cookie", &cookie)]).await;
    assert_eq!(
        (page.text, &page.headers["cache-control"]),
        (UserId([1; 16]).to_string(), &"no-store".parse().unwrap())
    );
    assert_eq!(shop.send("GET", "/orders", &[("cookie", &format!("{cookie}x"))]).await.text, "log in");
    assert_eq!(shop.send("POST", "/api/v1/orders", &[("cookie", &cookie)]).await.status, 401);
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let shop = Fixture::new(Options::default()).await;
    let unknown = shop.send("GET", "/api/v1/nothing", &[]).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text.contains("\"not_found\""));
    let wrong = shop.send("DELETE", "/api/v1/offers", &[]).await;
    assert_eq!((wrong.status, &wrong.headers["allow"]), (405, &"GET,HEAD".parse().unwrap()));
    assert!(wrong.text.contains("\"method_not_allowed\""));
    for answer in [unknown, wrong] {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn a_browser_gets_a_page() {
    let shop = Fixture::new(Options::default()).await;
    let accept = [("accept", "text/html,application/xhtml+xml")];
    let page = shop.send("GET", "/nothing", &accept).await;
    assert_eq!((page.status, page.text.contains("<h1>")), (404, true));
    assert!(shop.send("GET", "/api/v1/nothing", &accept).await.text.contains("\"not_found\""));
    assert!(shop.send("GET", "/nothing", &[]).await.text.contains("\"not_found\""));
}

#[tokio::test]
async fn what_is_for_all_may_be_cached() {
    let shop = Fixture::new(Options::default()).await;
    assert!(!shop.send("GET", "/api/v1/offers", &[]).await.headers.contains_key("cache-control"));
    let cached = shop.with_token("GET", "/cached", &shop.token(1, false)).await;
    assert_eq!(cached.headers["cache-control"], "max-age=60");
    assert_eq!(shop.send("POST", "/api/v1/auth/login", &[]).await.headers["cache-control"], "no-store");
}

fn strict(development: bool) -> Options {
    let rate = Rate { per_second: 1, burst: 5 };
    Options { per_user: rate, per_address: rate, development, ..Options::default() }
}

#[tokio::test]
async fn too_many_requests() {
    let shop = Fixture::new(strict(true)).await;
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(shop.send("GET", "/api/v1/offers", &[]).await);
    }
    let refused = answers.iter().find(|answer| answer.status == 429).expect("the bucket is empty");
    assert!(refused.text.contains("\"rate_limited\""));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_user_pays_from_their_own_bucket() {
    let shop = Fixture::new(strict(true)).await;
    let (limited, unlimited) = (shop.token(1, false), shop.token(2, true));
    let mut granted = [0, 0];
    for _ in 0..30 {
        granted[0] += u32::from(shop.with_token("POST", "/api/v1/orders", &limited).await.status == 200);
        granted[1] += u32::from(shop.with_token("POST", "/api/v1/orders", &unlimited).await.status == 200);
    }
    assert!(granted[0] < 25 && granted[1] == 30, "{granted:?}");
}

#[tokio::test]
async fn guessing_tokens_is_limited_by_address() {
    let shop = Fixture::new(strict(true)).await;
    let mut statuses = std::collections::BTreeSet::new();
    for number in 0..30 {
        statuses.insert(shop.with_token("GET", "/api/v1/offers", &format!("a.b.{number}")).await.status);
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [401, 429]);
}

#[tokio::test]
async fn the_address_is_the_one_that_our_proxy_saw() {
    let header = ("x-forwarded-for", "203.0.113.9, 198.51.100.7");
    let direct = Fixture::new(Options::default()).await;
    assert_eq!(direct.send("GET", "/api/v1/where", &[header]).await.text, "192.0.2.1");
    for (trusted_proxies, seen) in [(1, "198.51.100.7"), (2, "203.0.113.9"), (3, "192.0.2.1")] {
        let shop = Fixture::new(Options { trusted_proxies, ..Options::default() }).await;
        assert_eq!(shop.send("GET", "/api/v1/where", &[header]).await.text, seen);
        assert_eq!(shop.send("GET", "/api/v1/where", &[]).await.text, "192.0.2.1");
    }
    let unknown: IpAddr = [0, 0, 0, 0].into();
    assert_eq!(ClientAddress::of(&axum::http::Extensions::new()).0, unknown);
}
