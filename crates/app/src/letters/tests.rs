//! Letters of two roles over HTTP: listed as one, replayed where they are.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{EventId, SessionId, UserId};
use firstcome_core::ports::{Committed, LoggedEvent, Records as _};
use firstcome_core::records::{NewEvent, Record as _, RecordsExt as _, Unit};
use firstcome_core::testkit::{MemoryLog, MemoryRecords, TestClock};
use firstcome_core::time::Time;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::consumer::{DeadLetter, HandleError, Topic, parse};
use crate::http::{AccountRole, Identity, Roles};

/// Remembers who registered.
#[derive(Default)]
struct Remember(Mutex<Vec<UserId>>);

#[async_trait]
impl Handler<LoggedEvent> for Remember {
    fn name(&self) -> &'static str {
        "orders.accounts"
    }
    fn keeps_memory(&self) -> bool {
        true
    }
    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        for event in items {
            if let RoleEvent::UserRegistered { user, .. } = parse(event)? {
                self.0.lock().push(user);
            }
        }
        Ok(Unit::new())
    }
}

struct World {
    clock: TestClock,
    accounts: Arc<MemoryRecords>,
    orders: Arc<MemoryRecords>,
    payments: Arc<MemoryRecords>,
}

/// A process of both roles.
struct Process {
    router: Router,
    consumer: Arc<Consumer<LoggedEvent, Remember>>,
    orders: Letters,
}

impl World {
    fn new() -> Self {
        Self {
            clock: TestClock::at(Time::from_millis(1_800_000_000_000)),
            accounts: Arc::new(MemoryRecords::new(topics::ACCOUNTS, &[])),
            orders: Arc::new(MemoryRecords::new(topics::ORDERS, &[DeadLetter::TABLE])),
            payments: Arc::new(MemoryRecords::new(topics::PAYMENTS, &[DeadLetter::TABLE])),
        }
    }

    fn letters(&self, role: RoleName, records: &Arc<MemoryRecords>) -> Letters {
        Letters::new(role, &(records.clone() as Arc<dyn Records>), &(Arc::new(self.clock.clone()) as Arc<dyn Clock>))
    }

    fn process(&self) -> Process {
        let announced = Topic { log: Arc::new(MemoryLog(vec![self.accounts.clone()])), name: topics::ACCOUNTS };
        let (records, clock) =
            (self.orders.clone() as Arc<dyn Records>, Arc::new(self.clock.clone()) as Arc<dyn Clock>);
        let consumer = Arc::new(Consumer::new(announced, &records, &clock, Remember::default()).in_batches_of(8));
        let orders = || {
            let mut letters = self.letters(RoleName::Orders, &self.orders);
            letters.follow(&consumer);
            letters
        };
        let desk = create([orders(), self.letters(RoleName::Payments, &self.payments)], &mut Registry::default());
        Process { router: desk.router.into(), orders: orders(), consumer }
    }

    /// A letter by its number, of one role; some have the same time.
    async fn bury(&self, number: u8) -> EventId {
        let records = if number.is_multiple_of(2) { &self.orders } else { &self.payments };
        let role = if number.is_multiple_of(2) { "orders" } else { "payments" };
        let id = EventId([number; 16]);
        let letter = DeadLetter {
            id,
            consumer: format!("{role}.accounts"),
            topic: topics::ACCOUNTS.to_owned(),
            position: i64::from(number),
            kind: "user.registered".to_owned(),
            subject: UserId([number; 16]).to_string(),
            data: "secret".to_owned(),
            reason: "not today".to_owned(),
            at: Time(i64::from(number / 3)),
            replayed_at: number.is_multiple_of(5).then_some(Time(100)),
            replay_began: None,
        };
        assert_eq!(records.commit(Unit::new().insert(&letter)).await.unwrap(), Committed::Done);
        id
    }
}

impl Process {
    async fn ask(&self, method: Method, path: &str, role: Option<AccountRole>) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(format!("{PATH}{path}")).body(Body::empty()).unwrap();
        if let Some(role) = role {
            let roles = Roles::default().with(role);
            let (user, session) = (UserId([1; 16]), SessionId([1; 16]));
            request.extensions_mut().insert(Identity { user, session, roles, unlimited: false });
        }
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn list(&self, query: &str) -> Value {
        let (status, body) = self.ask(Method::GET, query, Some(AccountRole::Operator)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The ids of all pages from a cursor on.
    async fn walk(&self, limit: usize, mut cursor: String) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let page = self.list(&format!("?limit={limit}&cursor={cursor}")).await;
            seen.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else { return seen };
            assert_eq!(ids(&page).len(), limit);
            next.clone_into(&mut cursor);
        }
    }

    async fn replay(&self, id: EventId) -> (u16, Value) {
        self.ask(Method::POST, &format!("/{id}/replay"), Some(AccountRole::Seller)).await
    }
}

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let process = World::new().process();
    assert_eq!(process.list("").await, serde_json::json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn pages_of_all_roles_are_one_list_newest_first() {
    let world = World::new();
    let process = world.process();
    let mut expected = Vec::new();
    for number in 1..=25 {
        expected.insert(0, world.bury(number).await.to_string());
    }
    let whole = process.list("?limit=100").await;
    assert_eq!((ids(&whole), &whole["next_cursor"]), (expected.clone(), &Value::Null));
    assert!(!whole.to_string().contains("secret"), "what is in the event is not shown");
    for limit in [1, 2, 7, 24, 25] {
        assert_eq!(process.walk(limit, String::new()).await, expected, "pages of {limit}");
    }
    // What comes meanwhile is newer, and moves nothing.
    let first = process.list("?limit=7").await;
    world.bury(100).await;
    let next = first["next_cursor"].as_str().expect("there is more").to_owned();
    assert_eq!(process.walk(7, next).await, expected[7..]);
}

#[tokio::test]
async fn filters() {
    let world = World::new();
    let process = world.process();
    for number in 1..=10 {
        world.bury(number).await;
    }
    let numbers = async |query: &str| -> Vec<i64> {
        let list = process.list(query).await;
        list["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers("?replayed=true").await, [10, 5]);
    assert_eq!(numbers("?replayed=false&role=payments").await, [9, 7, 3, 1]);
    assert_eq!(numbers("?consumer=orders.accounts").await, [10, 8, 6, 4, 2]);
    assert_eq!(numbers("?consumer=orders.accounts&role=payments").await, [0_i64; 0]);
    assert_eq!(numbers("?consumer=&role=&cursor=").await.len(), 10);
    for wrong in ["?role=gateway", "?replayed=maybe", "?limit=0", "?limit=101", "?cursor=x", "?cursor=WzEsMV0"] {
        let (status, problem) = process.ask(Method::GET, wrong, Some(AccountRole::Operator)).await;
        assert_eq!((status, &problem["code"]), (400, &"malformed_request".into()), "{wrong}");
    }
}

#[tokio::test]
async fn only_for_who_runs_the_shop() {
    let world = World::new();
    let process = world.process();
    let path = format!("/{}/replay", world.bury(1).await);
    for (caller, status) in [(None, 401), (Some(AccountRole::Buyer), 403), (Some(AccountRole::Merchant), 403)] {
        assert_eq!(process.ask(Method::GET, "", caller).await.0, status);
        assert_eq!(process.ask(Method::POST, &path, caller).await.0, status);
    }
}

#[tokio::test]
async fn what_is_not_there_or_has_no_consumer_any_more() {
    let world = World::new();
    let process = world.process();
    let operator = Some(AccountRole::Operator);
    assert_eq!(process.replay(EventId([9; 16])).await.0, 404);
    assert_eq!(process.ask(Method::POST, "/evt_1/replay", operator).await.0, 404);
    let id = world.bury(1).await;
    assert_eq!(process.ask(Method::POST, &format!("/{id}/replay?role=orders"), operator).await.0, 404);
    let (status, problem) = process.replay(id).await;
    assert_eq!((status, &problem["code"]), (409, &"replay_failed".into()), "{problem}");
    assert_eq!(problem["reason"], "there is no consumer payments.accounts any more");
}

#[tokio::test(start_paused = true)]
async fn what_one_process_replays_every_process_remembers() {
    let world = World::new();
    let (one, two) = (world.process(), world.process());
    let user = UserId([5; 16]);
    let announce = async |data: String| {
        let event = NewEvent { data, ..RoleEvent::UserRegistered { user, address: None }.to_new(Time(1)) };
        world.accounts.commit(Unit { events: vec![event], ..Unit::new() }).await.unwrap();
    };
    let right = RoleEvent::UserRegistered { user, address: None }.to_new(Time(1)).data;
    announce(right.clone()).await;
    one.consumer.catch_up().await.unwrap();
    two.consumer.catch_up().await.unwrap();
    // As if a version that does not know the event had buried it.
    for process in [&one, &two] {
        process.consumer.handler.0.lock().clear();
    }
    let id = EventId([4; 16]);
    world.bury(4).await;
    let mut letter = world.orders.load::<DeadLetter>(id).await.unwrap().unwrap();
    (letter.record.position, letter.record.subject) = (1, user.to_string());
    world.orders.commit(Unit::new().update(&letter)).await.unwrap();

    let waiting = watch::Waiting::default();
    let count = async || {
        one.orders.count(&waiting).await.unwrap();
        let mut registry = Registry::default();
        registry.register("waiting", "", waiting.clone());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text.lines().find(|line| line.contains("orders.accounts")).unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(count().await, "1");
    let (status, replayed) = one.replay(id).await;
    assert_eq!(status, 200, "{replayed}");
    assert_eq!(replayed["replayed_at"], world.clock.now().to_string());
    assert_eq!((*one.consumer.handler.0.lock()).as_slice(), [user]);
    assert_eq!(count().await, "0");
    assert!(two.consumer.handler.0.lock().is_empty());
    two.orders.remember(world.clock.now()).await.unwrap();
    assert_eq!((*two.consumer.handler.0.lock()).as_slice(), [user]);
}
