//! `Records` in a database of MariaDB, MySQL or PostgreSQL: rows, events and consumers' positions of one role.
//!
//! A few tasks write. Each takes the units of work that wait, judges them in memory on rows that it has locked, and
//! commits them in one transaction of few statements ([`plan`], [`transaction`]); what the database refuses is halved
//! until the culprit is found, and that is judged write by write. So a commit costs its share of a round trip and of a
//! sync, and is judged as if it were alone. Reads run beside it on connections of their own.
//!
//! - Commits are READ COMMITTED with row locks; several processes may have the same database open.
//! - Events get numbers without gaps in the order of their commits: the row that counts them is locked last, until the end
//!   of the transaction.
//! - A server that is away is an error of every call; when it is back, the next call connects again.
//! - Texts that a key or an index holds have at most 255 characters, and bytes 255 bytes; more is refused as misuse.
//! - MariaDB and MySQL without a binary log let readers see a commit a moment before it is on the disk. The outbox waits
//!   for the disk before it hands an event out.

mod catalog;
mod check;
mod dialect;
mod fault;
mod migrate;
mod options;
mod outbox;
mod own;
mod plan;
mod queue;
mod schema;
mod select;
mod server;
mod session;
mod sessions;
#[cfg(test)]
mod tests;
mod transaction;
mod value;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use async_trait::async_trait;
use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{Query, Row, Table, Unit, Value, check_keys, check_query, check_unit};
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::check::check;
pub use self::migrate::migrate;
pub use self::options::SqlOptions;

use self::dialect::TableSql;
use self::fault::Fault;
use self::own::{OUTBOX, POSITIONS};
use self::queue::Queue;
use self::server::{Engine, Server};
use self::session::Session;
use self::sessions::Sessions;
use self::transaction::Statements;
use self::value::Param;
use self::writer::Shared;

/// The database of one role.
pub struct SqlRecords {
    shared: Arc<Shared>,
    sessions: Sessions,
    server: Arc<Server>,
    tables: &'static [&'static Table],
    /// Up to where published events were forgotten.
    forgotten: AtomicI64,
}

impl SqlRecords {
    /// Opens the database of a role, with these tables. A database of another role, of a server that is too old, or that
    /// lacks something that may not be added is refused with what to do.
    pub async fn open(
        options: SqlOptions,
        role: &str,
        tables: &'static [&'static Table],
    ) -> Result<Arc<Self>, PortError> {
        schema::check_declarations(tables)?;
        if options.migrate {
            migrate(&options, role, tables).await?;
        }
        let address = options.address()?;
        let outside = |fault: Fault| fault.into_port_error(&address.name);
        let mut session =
            Session::connect(&address, options.connect_timeout, options.timeout).await.map_err(outside)?;
        let server = Arc::clone(&session.server);
        server.check_fitness()?;
        migrate::verify(&mut session, role, tables).await?;
        outbox::check(&mut session).await?;
        let sessions = Sessions::new(address.clone(), options.clone());
        let shared = Arc::new(Shared {
            statements: Statements::new(server.engine, tables),
            address,
            queue: Queue::default(),
            announced: watch::Sender::new(0),
            failed: watch::Sender::new(None),
            options,
        });
        let mut first = Some(session);
        for _ in 0..shared.options.writers.max(1) {
            tokio::spawn(writer::run(Arc::clone(&shared), first.take()));
        }
        Ok(Arc::new(Self { shared, sessions, server, tables, forgotten: AtomicI64::new(0) }))
    }

    /// Returns when a writer has ended unexpectedly. The process must end then.
    pub async fn failed(&self) -> PortError {
        let mut failed = self.shared.failed.subscribe();
        loop {
            if let Some(reason) = failed.borrow_and_update().clone() {
                return reason;
            }
            if failed.changed().await.is_err() {
                // The sender lives as long as `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Rows of a table by their keys, in no order.
    async fn rows(&self, table: &TableSql, keys: &[&Value]) -> Result<Vec<Row>, PortError> {
        let mut rows = Vec::with_capacity(keys.len());
        for (sql, params, _) in table.read(keys) {
            let found = self.sessions.rows(sql, &params, &table.kinds).await?;
            rows.extend(found.into_iter().filter_map(row));
        }
        Ok(rows)
    }
}

impl Statements {
    fn new(engine: Engine, tables: &[&'static Table]) -> Self {
        let all = tables.iter().copied().chain([&POSITIONS]);
        let name = |name: &str| engine.quoted(name);
        let (of, version, consumer) = (name(POSITIONS.name), name("version"), name(POSITIONS.key().name));
        let (outbox, columns, position) = (name(OUTBOX.name), dialect::column_list(engine, &OUTBOX), name("position"));
        let count = match engine {
            Engine::Postgres => format!(
                "WITH counted AS (UPDATE {of} SET {version} = {version} + $1 WHERE {consumer} = $2 RETURNING {version}) \
                 INSERT INTO {outbox} ({columns}) SELECT counted.{version} - $1 + place, a, b, c, d, e, 1 FROM counted, \
                 unnest($3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::text[]) WITH ORDINALITY \
                 AS event(a, b, c, d, e, place) RETURNING {position}"
            ),
            Engine::MariaDb | Engine::MySql => {
                format!("UPDATE {of} SET {version} = LAST_INSERT_ID({version} + ?) WHERE {consumer} = ?")
            }
        };
        Self {
            tables: all.map(|table| TableSql::new(engine, table)).collect(),
            outbox: TableSql::new(engine, &OUTBOX),
            count: count.into(),
        }
    }
}

/// The last value of a row that was read is its version.
fn row(mut values: Vec<Value>) -> Option<Row> {
    match values.pop() {
        Some(Value::Integer(version)) => Some(Row { values, version }),
        _ => None,
    }
}

#[async_trait]
impl Records for SqlRecords {
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        let position = check_keys(self.tables, table, std::slice::from_ref(&key))?;
        Ok(self.rows(&self.shared.statements.tables[position], &[&key]).await?.pop())
    }

    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError> {
        let position = check_keys(self.tables, table, &keys)?;
        let wanted: Vec<&Value> = keys.iter().collect();
        let rows = self.rows(&self.shared.statements.tables[position], &wanted).await?;
        let rows: HashMap<Value, Row> = rows.into_iter().map(|row| (row.values[0].clone(), row)).collect();
        Ok(keys.iter().filter_map(|key| rows.get(key).cloned()).collect())
    }

    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        check_query(self.tables, &query)?;
        let kinds = dialect::kinds(query.table);
        let selection = select::selection(self.server.engine, query);
        let rows = self.sessions.rows(&selection.sql, &selection.params, &kinds).await?;
        Ok(rows.into_iter().filter_map(row).collect())
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        check_unit(self.tables, &unit)?;
        dialect::check_lengths(&unit, self.server.longest_row())?;
        let name = &self.shared.address.name;
        let deadline = Instant::now() + self.shared.options.timeout;
        let answer = self.shared.queue.push(unit, deadline)?;
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(PortError::Unavailable(format!("{name}: the writer has ended"))),
            Err(_) => Err(PortError::Unavailable(format!("{name}: no answer in time"))),
        }
    }

    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        self.stored_position(consumer).await
    }
}

impl SqlRecords {
    async fn stored_position(&self, consumer: &str) -> Result<i64, PortError> {
        let table = self.shared.statements.tables.last().expect("positions are the last table");
        let row = self.rows(table, &[&Value::Text(consumer.to_owned())]).await?.pop();
        Ok(row.map_or(0, |row| row.version))
    }

    /// `UPDATE` of the position of one of our own consumers.
    async fn set_position(&self, set: &str, consumer: &str, number: i64) -> Result<(), PortError> {
        let engine = self.server.engine;
        let (of, version, key) = (engine.quoted(POSITIONS.name), engine.quoted("version"), engine.quoted("consumer"));
        let marks = if engine == Engine::Postgres { ["$1", "$2"] } else { ["?", "?"] };
        let set = set.replace("VERSION", &version).replace("NUMBER", marks[0]);
        let sql: Arc<str> = format!("UPDATE {of} SET {version} = {set} WHERE {key} = {}", marks[1]).into();
        self.sessions.execute(&sql, &[Param::number(number), Param::text(consumer)]).await
    }
}

impl Drop for SqlRecords {
    fn drop(&mut self) {
        self.shared.queue.close(PortError::Unavailable(format!("{}: closed", self.shared.address.name)));
    }
}
