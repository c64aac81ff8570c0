//! The role behind the gateway, with a clock that stands still and everything in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use firstcome_core::events::topics;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit, Value};
use firstcome_core::testkit::{MemoryLog, MemoryRecords, TestClock};
use http_body_util::BodyExt as _;
use prometheus_client::registry::Registry;
use serde_json::json;
use tower::ServiceExt as _;

use super::records::User;
use super::{Accounts, DevMailbox, Options, PasswordOptions, Ports, TABLES, admin};
use crate::consumer::DeadLetter;
use crate::gateway::{self, Gateway};
use crate::http::{AccountRole, Identity, Revocations, Roles};
use crate::secrets::{Keys, SystemRandom};

/// Everyone's password.
pub(super) const PASSWORD: &str = "correct horse battery";

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) body: serde_json::Value,
}

impl Answer {
    /// Asserts that it is this problem.
    pub(super) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
    }
}

/// The tokens of a device.
pub(super) struct Device {
    pub(super) access: String,
    pub(super) refresh: String,
}

/// A database of another role, of which only what it announces is read.
fn topic(name: &'static str) -> Arc<MemoryRecords> {
    Arc::new(MemoryRecords::new(name, &[]))
}

/// One process.
pub(super) struct TestApp {
    pub(super) clock: TestClock,
    pub(super) records: Arc<MemoryRecords>,
    pub(super) mailbox: Arc<DevMailbox>,
    pub(super) keys: Arc<Keys>,
    pub(super) gateway: Arc<Gateway>,
    /// What the orders role and the catalogue announce.
    pub(super) orders: Arc<MemoryRecords>,
    pub(super) catalog: Arc<MemoryRecords>,
    accounts: Arc<Accounts>,
    router: Router,
}

impl TestApp {
    pub(super) async fn new() -> Self {
        Self::with_keys(Arc::new(Keys::in_memory(&SystemRandom))).await
    }

    pub(super) async fn with_keys(keys: Arc<Keys>) -> Self {
        let records = Arc::new(MemoryRecords::new(topics::ACCOUNTS, TABLES));
        let [orders, catalog] = [topics::ORDERS, topics::CATALOG].map(topic);
        Self::over(TestClock::default(), [records, orders, catalog], keys, Options::default()).await
    }

    /// A process on the same database that is configured in another way.
    pub(super) async fn configured(&self, options: Options) -> Self {
        self.process(self.keys.clone(), options).await
    }

    /// Another process, or the same after a restart, on the same database and keys.
    pub(super) async fn another_process(&self) -> Self {
        self.configured(Options::default()).await
    }

    /// Another process on the same database whose keys were lost and made anew.
    pub(super) async fn with_other_keys(&self) -> Self {
        self.process(Arc::new(Keys::in_memory(&SystemRandom)), Options::default()).await
    }

    async fn process(&self, keys: Arc<Keys>, options: Options) -> Self {
        let databases = [&self.records, &self.orders, &self.catalog].map(Arc::clone);
        Self::over(self.clock.clone(), databases, keys, options).await
    }

    /// The role itself.
    pub(super) fn accounts(&self) -> Arc<Accounts> {
        self.accounts.clone()
    }

    async fn over(
        clock: TestClock,
        [records, orders, catalog]: [Arc<MemoryRecords>; 3],
        keys: Arc<Keys>,
        options: Options,
    ) -> Self {
        let log = MemoryLog(vec![records.clone(), orders.clone(), catalog.clone()]);
        let mailbox = DevMailbox::new(Arc::new(clock.clone()));
        let revocations = Arc::new(Revocations::default());
        let ports = Ports {
            records: records.clone(),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SystemRandom),
            mailer: mailbox.clone(),
            keys: keys.clone(),
            events: Arc::new(log),
            revocations: revocations.clone(),
        };
        let passwords = PasswordOptions { threads: 1, waiting: 64, memory_kib: 8, passes: 1 };
        let options = Options { passwords, ..options };
        let accounts = Accounts::new(options, ports, &mut Registry::default());
        let clock_port = Arc::new(clock.clone());
        let ports = gateway::Ports {
            keys: keys.clone(),
            revocations,
            events: records.clone(),
            limits: None,
            accounts: None,
            clock: clock_port,
        };
        let gateway = gateway::create(gateway::Options::default(), ports);
        gateway.load().await.unwrap();
        let router = gateway.protect(super::routes().with_state(accounts.clone()).split_for_parts().0).into_router();
        Self { clock, records, mailbox, keys, gateway, orders, catalog, accounts, router }
    }

    /// The access token of somebody of the shop, who has no account here.
    pub(super) fn token_of_staff(&self, role: AccountRole) -> String {
        let (user, session) = (UserId([7; 16]), SessionId([7; 16]));
        let identity = Identity { user, session, roles: Roles::default().with(role), unlimited: false };
        self.keys.tokens.sign(&identity, self.clock.now(), Duration::from_hours(1))
    }

    /// The address that the last event names.
    pub(super) fn address_of_last_event(&self) -> String {
        let events = self.records.events();
        let data: serde_json::Value = serde_json::from_str(&events.last().expect("an event").data).expect("JSON");
        data["address"].as_str().expect("an address").to_owned()
    }

    pub(super) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        self.send_with(method, path, token, body, &[]).await
    }

    pub(super) async fn send_with(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        self.accounts.mails.deliver_due().await.unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text, body }
    }

    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: &serde_json::Value) -> Answer {
        self.send("POST", path, token, &body.to_string()).await
    }

    pub(super) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, "").await
    }

    pub(super) async fn delete(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("DELETE", path, token, "").await
    }

    /// The code in the newest e-mail to an address.
    pub(super) fn code(&self, email: &str) -> String {
        let text = self.mailbox.newest(email).expect("an e-mail");
        let mut codes = text.lines().filter(|line| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()));
        codes.next().expect("a code on a line of its own").to_owned()
    }

    pub(super) async fn ask_for_code(&self, email: &str) -> String {
        let sent = self.post("/api/v1/auth/email-codes", None, &json!({ "email": email })).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        self.code(email)
    }

    /// The verification token of an address.
    pub(super) async fn verify(&self, email: &str) -> String {
        let code = self.ask_for_code(email).await;
        let body = json!({ "email": email, "code": code });
        let verified = self.post("/api/v1/auth/email-codes/verify", None, &body).await;
        verified.body["verification_token"].as_str().expect("a token").to_owned()
    }

    pub(super) async fn sign_up(&self, email: &str) {
        let token = self.verify(email).await;
        let body = json!({ "email": email, "password": PASSWORD, "name": format!("{email}'s name"),
            "address": "1 Main Street", "verification_token": token });
        let made = self.post("/api/v1/auth/signup", None, &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }

    pub(super) async fn log_in(&self, email: &str) -> Device {
        self.log_in_at(email, "a device").await
    }

    pub(super) async fn log_in_at(&self, email: &str, device: &str) -> Device {
        let body = json!({ "email": email, "password": PASSWORD, "device": device });
        Device::of(&self.post("/api/v1/auth/login", None, &body).await).expect("logged in")
    }

    /// New tokens, unless they are refused.
    pub(super) async fn refresh(&self, token: &str) -> Option<Device> {
        Device::of(&self.post("/api/v1/auth/refresh", None, &json!({ "refresh_token": token })).await)
    }

    /// Makes somebody with these roles, and logs them in.
    pub(super) async fn staff(&self, email: &str, roles: Roles) -> Device {
        let ports = admin::Ports {
            records: self.records.clone(),
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(SystemRandom),
            keys: self.keys.clone(),
        };
        admin::add_account(&ports, roles, email, &PASSWORD.into()).await.expect("an account");
        self.log_in(email).await
    }

    /// Whose device it is.
    pub(super) async fn user_of(&self, device: &Device) -> UserId {
        let me = self.get("/api/v1/me", Some(&device.access)).await;
        me.body["user_id"].as_str().expect("an id").parse().expect("an id")
    }

    /// Makes the e-mail address of somebody unreadable, as a broken disk does.
    pub(super) async fn break_email(&self, user: UserId) {
        let mut stored = self.records.load::<User>(user).await.unwrap().expect("an account");
        stored.record.email = vec![0; 40];
        self.records.commit(Unit::new().update(&stored)).await.unwrap();
    }

    /// The session's id of a device.
    pub(super) async fn session_of(&self, device: &Device) -> String {
        let list = self.get("/api/v1/me/sessions", Some(&device.access)).await;
        let mut items = list.body["items"].as_array().unwrap().iter();
        items.find(|item| item["current"] == true).unwrap()["session_id"].as_str().unwrap().to_owned()
    }

    /// What could not be handled.
    pub(super) async fn dead_letters(&self) -> usize {
        self.records.select(Query::all(DeadLetter::TABLE, u32::MAX)).await.unwrap().len()
    }

    /// How many rows there are.
    pub(super) async fn count_rows(&self) -> usize {
        let mut count = 0;
        for table in TABLES {
            count += self.records.select(Query::all(table, u32::MAX)).await.unwrap().len();
        }
        count
    }

    /// Every byte of every row.
    pub(super) async fn all_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for table in TABLES {
            for row in self.records.select(Query::all(table, u32::MAX)).await.unwrap() {
                for value in row.values {
                    match value {
                        Value::Text(text) => bytes.extend(text.into_bytes()),
                        Value::Blob(blob) => bytes.extend(blob),
                        Value::Integer(_) | Value::Null => {}
                    }
                    bytes.push(0);
                }
            }
        }
        bytes
    }
}

impl Device {
    fn of(answer: &Answer) -> Option<Self> {
        let token = |name: &str| Some(answer.body[name].as_str()?.to_owned());
        Some(Self { access: token("access_token")?, refresh: token("refresh_token")? })
    }
}
