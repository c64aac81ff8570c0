//! The role on everything in memory but the network: a real receiver, which says what it is told to say.

mod managing;
mod receiver;
mod sending;
mod telling;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, SessionId, UserId, WebhookId};
use firstcome_core::ledger::{Command, Facts, HoldRequest, Line, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock as _, JournalEntry, LoggedEvent, Records as _, StockLedger as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::testkit::{MemoryJournal, MemoryLedger, MemoryLog, MemoryRecords, TestClock};
use firstcome_core::time::Time;
use http_body_util::BodyExt as _;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::deliver::{Deliveries, Step};
use super::feed::Feed;
use super::rows::Delivery;
use super::sweep::Sweeper;
use super::{Notices, Options, Ports, TABLES, from_journal, from_topics};
use crate::consumer::Consumer;
use crate::http::{AccountRole, Identity, Roles};
use crate::secrets::{Keys, SystemRandom};
use receiver::Receiver;

const OFFER: OfferNumber = OfferNumber(1);
const OTHER: OfferNumber = OfferNumber(2);
const BUYER: UserId = UserId([9; 16]);
const WEBHOOKS: &str = "/api/v1/admin/webhooks";
const DELIVERIES: &str = "/api/v1/admin/webhook-deliveries";

/// The role and what it reads.
struct World {
    ports: Ports,
    ledger: Arc<MemoryLedger>,
    records: Arc<MemoryRecords>,
    orders: Arc<MemoryRecords>,
    clock: TestClock,
    deliveries: Arc<Deliveries>,
    journal: Arc<Consumer<JournalEntry, from_journal::FromJournal>>,
    topics: Vec<Arc<Consumer<LoggedEvent, from_topics::FromTopic>>>,
    router: Router,
}

fn won(amount: i64) -> Money {
    Money::new(amount, Currency::KRW)
}

fn offer_id(number: OfferNumber) -> OfferId {
    OfferId::numbered(Time(0), number, [number.0 as u8; 6])
}

impl World {
    /// Two offers of three units each.
    async fn open() -> Self {
        Self::with(Options { development: true }, Arc::new(Keys::in_memory(&SystemRandom))).await
    }

    async fn with(options: Options, keys: Arc<Keys>) -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        let ledger = Arc::new(MemoryLedger::open(MemoryJournal::default(), clock.clone()));
        for number in [OFFER, OTHER] {
            ledger.decide(number, Command::SetTerms(terms(number, 500))).await.expect("terms");
        }
        let records = Arc::new(MemoryRecords::new("notices", TABLES));
        let orders = Arc::new(MemoryRecords::new(topics::ORDERS, &[]));
        let payments = Arc::new(MemoryRecords::new(topics::PAYMENTS, &[]));
        let ports = Ports {
            records: records.clone(),
            ledger: ledger.clone(),
            events: Arc::new(MemoryLog(vec![orders.clone(), payments])),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SystemRandom),
            keys,
        };
        let deliveries = Deliveries::new(options, &ports, &mut Registry::default());
        let feed = Feed { records: records.clone(), clock: ports.clock.clone(), deliveries: deliveries.clone() };
        let journal = from_journal::consumer(&ports, feed.clone());
        let topics = [topics::ORDERS, topics::PAYMENTS].map(|topic| from_topics::consumer(&ports, feed.clone(), topic));
        let notices = Arc::new(Notices { options, ports: ports.clone(), deliveries: deliveries.clone() });
        let router = super::routes().with_state(notices).split_for_parts().0;
        Self { ports, ledger, records, orders, clock, deliveries, journal, topics: topics.into(), router }
    }

    async fn ask(&self, role: AccountRole, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let (user, session) = (UserId([1; 16]), SessionId([1; 16]));
        let identity = Identity { user, session, roles: Roles::default().with(role), unlimited: false };
        request.extensions_mut().expect("a request").insert(identity);
        let answer = self.router.clone().oneshot(request.body(Body::from(text)).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// As a seller, who may all of it.
    async fn seller(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.ask(AccountRole::Seller, method, path, &body).await
    }

    /// A webhook at a receiver, with its secret.
    async fn listen(&self, receiver: &Receiver, events: &[&str]) -> (WebhookId, String) {
        let asked = json!({ "url": receiver.url(), "events": events });
        let (status, body) = self.seller(Method::POST, WEBHOOKS, asked).await;
        assert_eq!(status, 201, "{body}");
        (body["webhook_id"].as_str().unwrap().parse().unwrap(), body["secret"].as_str().unwrap().to_owned())
    }

    /// Reads all that happened.
    async fn read(&self) {
        self.journal.catch_up().await.expect("read");
        for topic in &self.topics {
            topic.catch_up().await.expect("read");
        }
    }

    async fn step(&self, webhook: WebhookId) -> Step {
        self.deliveries.step(webhook).await.expect("a step")
    }

    async fn rows(&self) -> Vec<Delivery> {
        let rows = self.records.list::<Delivery>(Query::all(Delivery::TABLE, 100)).await.expect("deliveries");
        rows.into_iter().map(|stored| stored.record).collect()
    }

    /// The one delivery that there is.
    async fn row(&self) -> Delivery {
        let mut rows = self.rows().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    async fn sweep(&self) {
        while Sweeper::new(&self.ports).round().await.expect("swept") > 0 {}
    }

    async fn announce(&self, event: RoleEvent) {
        self.orders.commit(Unit::new().event(&event, self.clock.now())).await.expect("announced");
    }

    /// Commands of the ledger about an order, at its home.
    async fn decide(&self, order: OrderId, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            self.ledger.decide(order.home(), command).await.expect("decided");
        }
    }

    /// An order that is held: one unit at its home, with a line elsewhere if asked for.
    async fn hold(&self, key: &str, quantity: u32, elsewhere: Option<u32>) -> OrderId {
        let order = OrderId::of_request(BUYER, key, 0, OFFER);
        let line = |quantity| Line { offer: offer_id(OTHER), quantity, unit_price: won(500), seq: None };
        let facts = Facts { other_lines: elsewhere.map(line).into_iter().collect(), ..Facts::default() };
        let facts = elsewhere.is_some().then(|| Box::new(facts));
        let request = HoldRequest { order, person: BUYER, quantity, digest: 0, discount: 0, unit_price: None, facts };
        self.decide(order, [Command::Hold(request)]).await;
        order
    }

    /// Pays for it.
    async fn pay(&self, order: OrderId) {
        let attempt = PaymentId([1; 16]);
        self.decide(order, [Command::BeginPayment { order, attempt }, Command::Commit { order, attempt }]).await;
    }

    async fn sell(&self, key: &str, quantity: u32) -> OrderId {
        let order = self.hold(key, quantity, None).await;
        self.pay(order).await;
        order
    }
}

fn terms(number: OfferNumber, price: i64) -> Terms {
    Terms {
        offer: offer_id(number),
        version: 1,
        initial_stock: 3,
        price: won(price),
        limit_per_person: None,
        max_per_order: 10,
        opens_at: Time(0),
        closes_at: None,
        hold_for_ms: 600_000,
        usable_until: None,
    }
}
