//! A database of its own for each test.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ports::{EventLog, LoggedEvent, PortError};
use firstcome_core::records::Table;
use firstcome_core::testkit::records::{Opened, RecordsHarness, TABLES, TOPIC};

use crate::outbox::Outbox;
use crate::sql::session::Session;
use crate::sql::{SqlOptions, SqlRecords};

/// The role of most tests.
pub(super) const ROLE: &str = "tested";

/// A server that the environment names.
pub(super) trait Place: Send + Sync + 'static {
    /// The variable with its address.
    const VARIABLE: &'static str;
    /// What `scripts/servers` calls it.
    const SERVER: &'static str;
    /// The module of its tests.
    const MODULE: &'static str;
    const CREATE: &'static str;
    const DROP: &'static str;
}

/// MariaDB.
pub(super) struct MariaDb;

impl Place for MariaDb {
    const VARIABLE: &'static str = "FIRSTCOME_TEST_MARIADB";
    const SERVER: &'static str = "mariadb";
    const MODULE: &'static str = "mariadb";
    const CREATE: &'static str = "CREATE DATABASE NAME";
    const DROP: &'static str = "DROP DATABASE IF EXISTS NAME";
}

/// PostgreSQL.
pub(super) struct Postgres;

impl Place for Postgres {
    const VARIABLE: &'static str = "FIRSTCOME_TEST_POSTGRES";
    const SERVER: &'static str = "postgresql";
    const MODULE: &'static str = "postgres";
    const CREATE: &'static str = "CREATE DATABASE NAME TEMPLATE template0 ENCODING 'UTF8'";
    const DROP: &'static str = "DROP DATABASE IF EXISTS NAME WITH (FORCE)";
}

/// An empty database, which ends with the value.
pub(super) struct Database<P: Place> {
    name: String,
    server: String,
    place: PhantomData<P>,
}

impl<P: Place> Database<P> {
    /// Makes one on the server that all tests share.
    pub(super) async fn new() -> Self {
        let server = std::env::var(P::VARIABLE);
        Self::on(server.unwrap_or_else(|_| panic!("{} names no server: see scripts/servers", P::VARIABLE))).await
    }

    /// Makes one on a server.
    pub(super) async fn on(server: String) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(&server, &P::DROP.replace("NAME", &name)).await;
        run(&server, &P::CREATE.replace("NAME", &name)).await;
        Self { name, server, place: PhantomData }
    }

    /// How it is reached.
    pub(super) fn options(&self) -> SqlOptions {
        let base = self.server.trim_end_matches("/postgres").trim_end_matches('/');
        let mut options = SqlOptions::new(format!("{base}/{}", self.name));
        options.readers = 3;
        // Servers of tests are slow when many tests run.
        options.timeout = Duration::from_secs(30);
        options
    }

    /// Opens it for a role.
    pub(super) async fn open_for(
        &self,
        role: &str,
        tables: &'static [&'static Table],
    ) -> Result<Arc<SqlRecords>, PortError> {
        SqlRecords::open(self.options(), role, tables).await
    }

    /// Opens it with the tables of the conformance tests.
    pub(super) async fn records(&self) -> Arc<SqlRecords> {
        self.open_for(ROLE, TABLES).await.expect("opens")
    }

    /// Runs a statement in it.
    pub(super) async fn run(&self, sql: &str) {
        self.session().await.plain(sql).await.expect("runs");
    }

    /// A connection to it.
    pub(super) async fn session(&self) -> Session {
        let address = self.options().address().expect("an address");
        Session::connect(&address, Duration::from_secs(10), Duration::from_secs(30)).await.expect("connects")
    }
}

async fn run(server: &str, sql: &str) {
    let server =
        if server.starts_with("mysql") { format!("{}/mysql", server.trim_end_matches('/')) } else { server.to_owned() };
    let address = SqlOptions::new(server).address().expect("an address");
    let session = Session::connect(&address, Duration::from_secs(30), Duration::from_secs(120)).await;
    session.expect("connects").plain(sql).await.expect("runs");
}

impl<P: Place> Drop for Database<P> {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), P::DROP.replace("NAME", &self.name));
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(run(&server, &sql));
        };
        // A test that panics already has said what matters.
        let _ = std::thread::spawn(work).join();
    }
}

/// An outbox read directly, as an event log.
pub(super) struct Direct(pub(super) Arc<SqlRecords>);

#[async_trait]
impl EventLog for Direct {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        assert_eq!(topic, TOPIC);
        self.0.after(after, limit).await
    }

    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        assert_eq!(topic, TOPIC);
        Outbox::wait(&*self.0, after).await
    }
}

#[async_trait]
impl<P: Place> RecordsHarness for Database<P> {
    async fn fresh() -> Self {
        Self::new().await
    }

    async fn open(&self) -> Opened {
        let records = self.records().await;
        Opened { log: Arc::new(Direct(Arc::clone(&records))), records }
    }
}
