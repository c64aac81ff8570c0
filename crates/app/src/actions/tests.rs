//! A role with a few endpoints, and its chain.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Request, StatusCode};
use axum::routing::{get, post};
use firstcome_core::ids::{ActionId, SessionId, UserId};
use firstcome_core::ports::{Clock as _, Committed, PortError, Records, RoleName};
use firstcome_core::records::{Direction, Query, Record, RecordsExt as _, Row, Stored, Table, Unit, Value};
use firstcome_core::testkit::records::Tally;
use firstcome_core::testkit::{MemoryRecords, TestClock};
use firstcome_core::time::Time;
use serde_json::json;
use tower::ServiceExt as _;

use super::acting::Acting;
use super::*;
use crate::http::{AccountRole, Identity, Outcome, PageParameters, Problem, Roles};
use crate::secrets::{Keys, SystemRandom};

/// What the endpoints work with.
type Shared = State<Arc<Actions>>;

static TABLES: &[&Table] = &[Tally::TABLE, Action::TABLE, ActionHead::TABLE];
const ROLE: RoleName = RoleName::Catalog;
const ADMIN: &str = "/api/v1/admin";

struct World {
    records: Arc<MemoryRecords>,
    clock: TestClock,
    keys: Arc<Keys>,
    actions: Arc<Actions>,
    router: Router,
}

fn tally(name: &str) -> Unit {
    Unit::new().insert(&Tally { name: name.to_owned(), count: 1 })
}

async fn put(records: &Actions, name: &str) -> Outcome<StatusCode> {
    match records.commit(tally(name)).await? {
        Committed::Done => Ok(StatusCode::CREATED),
        Committed::Conflict(_) => Err(Problem::not_found()),
    }
}

impl World {
    fn open() -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        let records = Arc::new(MemoryRecords::new("tested", TABLES));
        Self::over(records, clock, Arc::new(Keys::in_memory(&SystemRandom)))
    }

    /// Another process on the same database.
    fn other(&self) -> Self {
        Self::over(self.records.clone(), self.clock.clone(), self.keys.clone())
    }

    fn over(records: Arc<MemoryRecords>, clock: TestClock, keys: Arc<Keys>) -> Self {
        let actions =
            Actions::over(ROLE, records.clone(), Arc::new(clock.clone()), Arc::new(SystemRandom), keys.clone());
        let router = Router::new()
            .route(
                "/api/v1/admin/things",
                post(async |State(actions): Shared, name: String| {
                    about(&name);
                    put(&actions, &name).await
                }),
            )
            .route(
                "/api/v1/admin/things/{id}",
                get(async |State(actions): Shared, Path(id): Path<String>| put(&actions, &format!("read-{id}")).await)
                    // Notes something first, and may then refuse.
                    .put(async |State(actions): Shared, Path(id): Path<String>, name: String| {
                        aside(actions.commit(tally(&format!("key-{name}")))).await?;
                        if name == "no" {
                            Err(Problem::not_found())
                        } else {
                            put(&actions, &format!("{id}-{name}")).await
                        }
                    })
                    // Done elsewhere.
                    .delete(async || StatusCode::NO_CONTENT),
            )
            .route("/api/v1/things", post(async |State(actions): Shared, name: String| put(&actions, &name).await))
            .layer(axum::middleware::from_fn_with_state(Some(actions.clone()), witness))
            .with_state(actions.clone());
        Self { records, clock, keys, actions, router }
    }

    async fn ask(&self, role: AccountRole, method: Method, path: &str, body: &str) -> u16 {
        let mut request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let (user, session) = (UserId([role as u8; 16]), SessionId([7; 16]));
        let identity = Identity { user, session, roles: Roles::default().with(role), unlimited: false };
        request.extensions_mut().insert(identity);
        self.router.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    async fn written(&self) -> Vec<Action> {
        self.rows().await.into_iter().map(|row| row.record).collect()
    }

    /// In the order of the chain.
    async fn rows(&self) -> Vec<Stored<Action>> {
        let query = Query::all(Action::TABLE, 100).order_by("seq", Direction::Ascending);
        self.records.list::<Action>(query).await.unwrap()
    }

    async fn check(&self) -> Result<u64, String> {
        check(&*self.records, &Prover { role: ROLE, index: &self.keys.index }).await.unwrap()
    }
}

#[tokio::test]
async fn what_is_changed_is_written_down_with_who_and_what() {
    let world = World::open();
    let things = format!("{ADMIN}/things");
    assert_eq!(world.check().await, Ok(0));
    assert_eq!(world.ask(AccountRole::Seller, Method::POST, &things, "a").await, 201);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.ask(AccountRole::Operator, Method::PUT, &format!("{things}/thg_1"), "b").await, 201);
    assert_eq!(world.ask(AccountRole::Operator, Method::DELETE, &format!("{things}/thg_2"), "").await, 204);
    let written = world.written().await;
    let said: Vec<_> = written.iter().map(|action| (action.action.as_str(), action.object.as_deref())).collect();
    let expected = [
        ("POST /admin/things", Some("a")),
        ("PUT /admin/things/{id}", Some("thg_1")),
        ("DELETE /admin/things/{id}", Some("thg_2")),
    ];
    assert_eq!(said, expected);
    let Action { user, session, roles, at, seq, .. } = &written[0];
    assert_eq!((user, session, seq), (&UserId([AccountRole::Seller as u8; 16]), &SessionId([7; 16]), &1));
    assert_eq!((*roles, *at), (Roles::default().with(AccountRole::Seller), Time::from_millis(1_800_000_000_000)));
    assert_eq!(world.check().await, Ok(3));
}

#[tokio::test]
async fn what_changes_nothing_and_what_others_do_is_not() {
    let world = World::open();
    let thing = format!("{ADMIN}/things/thg_1");
    assert_eq!(world.ask(AccountRole::Seller, Method::GET, &thing, "").await, 201, "a reading that notes something");
    assert_eq!(world.ask(AccountRole::Seller, Method::PUT, &thing, "no").await, 404, "refused after its key was noted");
    assert_eq!(world.ask(AccountRole::Buyer, Method::POST, "/api/v1/things", "mine").await, 201);
    assert_eq!(world.ask(AccountRole::Seller, Method::POST, "/api/v1/things", "as a buyer").await, 201);
    assert_eq!(world.ask(AccountRole::Seller, Method::POST, &format!("{ADMIN}/things"), "mine").await, 404);
    assert_eq!(world.actions.commit(tally("by itself")).await.unwrap(), Committed::Done);
    assert_eq!((world.written().await, world.check().await), (vec![], Ok(0)));
}

#[tokio::test]
async fn processes_write_one_chain() {
    let one = World::open();
    let two = one.other();
    let path = format!("{ADMIN}/things");
    let asked = (0..40).map(|number| {
        let world = if number % 2 == 0 { &one } else { &two };
        let (path, body) = (path.clone(), number.to_string());
        async move { world.ask(AccountRole::Seller, Method::POST, &path, &body).await }
    });
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|status| *status == 201), "{answers:?}");
    assert_eq!((one.check().await, two.written().await.len()), (Ok(40), 40));
}

/// A database in which somebody did this by hand.
struct Altered {
    actions: Vec<Stored<Action>>,
    head: Option<Stored<ActionHead>>,
}

#[async_trait::async_trait]
impl Records for Altered {
    async fn get(&self, _: &'static Table, _: Value) -> Result<Option<Row>, PortError> {
        Ok(self.head.as_ref().map(|head| Row { values: head.record.to_values(), version: head.version }))
    }
    async fn get_many(&self, _: &'static Table, _: Vec<Value>) -> Result<Vec<Row>, PortError> {
        Ok(Vec::new())
    }
    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        let copy = MemoryRecords::new("copy", TABLES);
        let unit = self.actions.iter().fold(Unit::new(), |unit, action| unit.insert(&action.record));
        assert_eq!(copy.commit(unit).await?, Committed::Done);
        copy.select(query).await
    }
    async fn commit(&self, _: Unit) -> Result<Committed, PortError> {
        Err(PortError::Misused("it is only read".to_owned()))
    }
    async fn position(&self, _: &'static str) -> Result<i64, PortError> {
        Ok(0)
    }
}

#[tokio::test]
async fn what_is_done_by_hand_is_seen() {
    let world = World::open();
    for name in ["a", "b", "c", "d"] {
        world.ask(AccountRole::Seller, Method::POST, &format!("{ADMIN}/things"), name).await;
    }
    let actions = world.rows().await;
    let head = world.records.load::<ActionHead>(super::chain::HEAD).await.unwrap();
    let found = async |alter: &dyn Fn(&mut Altered)| {
        let mut altered = Altered { actions: actions.clone(), head: head.clone() };
        alter(&mut altered);
        check(&altered, &Prover { role: ROLE, index: &world.keys.index }).await.unwrap()
    };
    assert_eq!(found(&|_| {}).await, Ok(4));
    let elsewhere = Prover { role: RoleName::Vouchers, index: &world.keys.index };
    assert!(check(&*world.records, &elsewhere).await.unwrap().is_err(), "it is no other role's");
    assert!(found(&|all| all.actions[1].record.user = UserId([0; 16])).await.unwrap_err().starts_with("action 2 ("));
    assert!(found(&|all| all.actions[3].record.at = Time(0)).await.unwrap_err().starts_with("action 4 ("));
    assert!(found(&|all| all.actions[0].record.object = Some("thg".into())).await.unwrap_err().starts_with("action 1"));
    assert_eq!(found(&|all| drop(all.actions.remove(1))).await, Err("action 2 is gone".to_owned()));
    assert_eq!(found(&|all| drop(all.actions.pop())).await, Err("action 4 is gone".to_owned()));
    assert_eq!(found(&|all| all.actions.clear()).await, Err("action 1 is gone".to_owned()));
    let cut = |all: &mut Altered| {
        all.actions.pop();
        let last = all.actions[2].record.clone();
        let head = &mut all.head.as_mut().unwrap().record;
        (head.seq, head.proof) = (last.seq, last.proof);
    };
    assert!(found(&cut).await.unwrap_err().contains("which action is the last"), "the head cannot be made from rows");
    let forged = |all: &mut Altered| {
        let mut action = all.actions[3].clone();
        (action.record.seq, action.record.id) = (5, ActionId([1; 16]));
        all.actions.push(action);
    };
    assert_eq!(found(&forged).await, Err("action 5 was put behind the last one".to_owned()));
    assert!(found(&|all| all.head = None).await.is_err());
    let nothing = found(&|all| (all.head, all.actions) = (None, Vec::new())).await;
    assert_eq!(nothing, Ok(0), "a database without any action is one of a new shop; a backup would tell");
}

#[tokio::test]
async fn pages_are_filtered_and_put_together() {
    let world = World::open();
    for number in 0..6 {
        let role = if number % 2 == 0 { AccountRole::Seller } else { AccountRole::Operator };
        world.ask(role, Method::PUT, &format!("{ADMIN}/things/thg_{}", number % 3), &number.to_string()).await;
        world.clock.advance(Duration::from_secs(1));
    }
    let page = async |filters: serde_json::Value, limit| {
        let filters: Filters = serde_json::from_value(filters).unwrap();
        let asked = PageParameters { limit, after: None };
        filters.page(&*world.records, RoleName::Orders, &asked).await.unwrap()
    };
    let seller = UserId([AccountRole::Seller as u8; 16]);
    let count = async |filters: serde_json::Value| page(filters, 100).await.items.len();
    assert_eq!(count(json!({})).await, 6);
    assert_eq!(count(json!({ "user": seller })).await, 3);
    assert_eq!(count(json!({ "user": seller, "object": "thg_0" })).await, 1);
    assert_eq!(count(json!({ "action": "PUT /admin/things/{id}", "session": SessionId([7; 16]) })).await, 6);
    assert_eq!(count(json!({ "action": "PUT /admin/others/{id}" })).await, 0);
    let (from, to) = (world.clock.now() - Duration::from_secs(4), world.clock.now() - Duration::from_secs(2));
    assert_eq!(count(json!({ "from": from, "to": to })).await, 2);
    let wrong: Filters = serde_json::from_value(json!({ "user": "me" })).unwrap();
    let asked = PageParameters { limit: 2, after: None };
    assert!(wrong.page(&*world.records, RoleName::Orders, &asked).await.is_err());
    let both = ActionView::merge(vec![page(json!({}), 2).await, page(json!({}), 2).await], &asked);
    assert_eq!((both.items.len(), both.next_cursor.is_some()), (2, true));
    assert!(Acting::unwritten().is_none(), "nobody acts here");
}
