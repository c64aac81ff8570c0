//! A gateway whose roles run in its own process, or not at all.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::Method;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, SessionId, UserId};
use firstcome_core::testkit::{MemoryRegistry, TestClock};
use firstcome_core::time::Time;
use http_body_util::BodyExt as _;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::gateway::forward::{Options, Ports};
use crate::http::{AccountRole, Identity, Outcome, Roles, Signatures};
use crate::letters::ROLES;

fn letter(role: RoleName, at: i64) -> LetterView {
    LetterView {
        id: EventId([at as u8; 16]),
        role,
        consumer: format!("{}.test", role.as_str()),
        topic: "catalog".to_owned(),
        position: at,
        kind: "offer.saved".to_owned(),
        subject: "ofr".to_owned(),
        reason: "not today".to_owned(),
        at: Time(at),
        replayed_at: None,
    }
}

/// A role with two letters; says which role it was asked as.
fn role(name: RoleName, place: usize) -> Router {
    let own = move || [letter(name, place as i64 + 10), letter(name, place as i64)];
    let is_own = move |query: &HashMap<String, String>| assert_eq!(query["role"], name.as_str());
    let list = async move |Query(query): Query<HashMap<String, String>>| {
        is_own(&query);
        Json(Items { items: own().to_vec(), next_cursor: None })
    };
    let replay =
        async move |_: Operator, Query(query): Query<HashMap<String, String>>, uri: Uri| -> Outcome<Json<LetterView>> {
            is_own(&query);
            let found = own().into_iter().find(|letter| uri.path().contains(&letter.id.to_string()));
            found.map(Json).ok_or_else(Problem::not_found)
        };
    Router::new().route(PATH, get(list)).route(REPLAY, post(replay))
}

/// A gateway beside these roles.
struct Gateway(Router);

impl Gateway {
    fn beside(roles: &[RoleName]) -> Self {
        Self::of(roles.iter().enumerate().map(|(place, name)| (*name, role(*name, place))).collect())
    }

    fn of(local: HashMap<RoleName, Router>) -> Self {
        let clock = Arc::new(TestClock::default());
        let registry = Arc::new(MemoryRegistry::new(clock.clone(), Duration::from_secs(2)));
        let ports = Ports { registry, signatures: Signatures::new(&[7; 32], "shop"), clock };
        let forwarder = Forwarder::new(Options::default(), ports, local, &mut Registry::default());
        Self(forwarder.router().into())
    }

    async fn ask(&self, method: Method, path: &str, role: AccountRole) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(format!("{PATH}{path}")).body(Body::empty()).unwrap();
        let roles = Roles::default().with(role);
        let caller = Identity { user: UserId([1; 16]), session: SessionId([1; 16]), roles, unlimited: false };
        request.extensions_mut().insert(caller);
        let answer = self.0.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn positions(&self, query: &str) -> (Vec<i64>, Value) {
        let (status, list) = self.ask(Method::GET, query, AccountRole::Operator).await;
        assert_eq!(status, 200, "{list}");
        let positions = list["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap());
        (positions.collect(), list["next_cursor"].clone())
    }
}

#[tokio::test]
async fn all_roles_are_asked_and_their_pages_are_one() {
    let gateway = Gateway::beside(&ROLES);
    assert_eq!(gateway.positions("").await, (vec![15, 14, 13, 12, 11, 10, 5, 4, 3, 2, 1, 0], Value::Null));
    let (page, next) = gateway.positions("?limit=3").await;
    assert!(page == [15, 14, 13] && next.is_string(), "{page:?} {next}");
    assert_eq!(gateway.positions("?role=payments").await.0, [12, 2]);
    for wrong in ["?role=gateway", "?limit=0", "?cursor=x"] {
        assert_eq!(gateway.ask(Method::GET, wrong, AccountRole::Seller).await.0, 400, "{wrong}");
    }
    assert_eq!(gateway.ask(Method::GET, "", AccountRole::Buyer).await.0, 403);
}

#[tokio::test]
async fn whoever_has_a_letter_replays_it() {
    let gateway = Gateway::beside(&ROLES);
    for position in [0, 13] {
        let path = format!("/{}/replay", EventId([position; 16]));
        let (status, replayed) = gateway.ask(Method::POST, &path, AccountRole::Operator).await;
        assert_eq!((status, &replayed["position"]), (200, &position.into()));
        assert_eq!(gateway.ask(Method::POST, &path, AccountRole::Merchant).await.0, 403);
    }
    let missing = format!("/{}/replay", EventId([99; 16]));
    assert_eq!(gateway.ask(Method::POST, &missing, AccountRole::Operator).await.0, 404);
}

#[tokio::test]
async fn what_whoever_has_it_says_counts_although_another_is_broken() {
    let broken = || Router::new().route(REPLAY, post(async || StatusCode::INTERNAL_SERVER_ERROR));
    let fails = |problem| Router::new().route(REPLAY, post(async move || Problem::new(problem)));
    for has_it in &ROLES[1..] {
        let with = |last: Router| {
            let others = ROLES.into_iter().map(|name| (name, broken()));
            Gateway::of(others.chain([(*has_it, last)]).collect())
        };
        let path = format!("/{}/replay", EventId([0; 16]));
        let replayed = with(role(*has_it, 0)).ask(Method::POST, &path, AccountRole::Operator).await;
        assert_eq!((replayed.0, &replayed.1["position"]), (200, &0.into()));
        let failed = with(fails(ErrorCode::ReplayFailed)).ask(Method::POST, &path, AccountRole::Operator).await;
        assert_eq!((failed.0, &failed.1["code"]), (409, &ErrorCode::ReplayFailed.as_str().into()));
    }
}

#[tokio::test]
async fn a_role_that_does_not_answer_is_no_role_without_letters() {
    let others: Vec<_> = ROLES.into_iter().filter(|role| *role != RoleName::Vouchers).collect();
    let gateway = Gateway::beside(&others);
    let (status, problem) = gateway.ask(Method::GET, "", AccountRole::Operator).await;
    let silent = (503, &Value::from("vouchers"), &Value::from(ErrorCode::Unavailable.as_str()));
    assert_eq!((status, &problem["part"], &problem["code"]), silent);
    assert_eq!(gateway.positions("?role=orders").await.0, [11, 1]);
    let here = format!("/{}/replay", EventId([11; 16]));
    assert_eq!(gateway.ask(Method::POST, &here, AccountRole::Operator).await.0, 200);
    let perhaps_there = format!("/{}/replay", EventId([99; 16]));
    let (status, problem) = gateway.ask(Method::POST, &perhaps_there, AccountRole::Operator).await;
    assert_eq!((status, &problem["part"], &problem["code"]), silent);
}

#[test]
fn a_role_is_asked_for_its_own() {
    for (uri, expected) in [
        ("/a", "/a?role=orders"),
        ("/a?", "/a?role=orders"),
        ("/a?limit=2&cursor=x", "/a?limit=2&cursor=x&role=orders"),
        ("http://shop/a?role=&limit=2&role=payments", "/a?limit=2&role=orders"),
    ] {
        assert_eq!(of_role(&uri.parse().unwrap(), RoleName::Orders), expected);
    }
}
