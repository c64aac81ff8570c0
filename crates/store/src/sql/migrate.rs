//! Bringing a database up to the declared tables.
//!
//! What can be added without touching a row is added: tables, columns that may be empty, indexes. Every step is numbered
//! and kept in the table `meta`. Any number of processes may do this at once: one does it, the others find it done. A
//! database that has more than is declared is left as it is, so that an older program can go on beside a newer one.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Index, Table, Value};

use super::dialect::{Put, TableSql};
use super::fault::Fault;
use super::options::SqlOptions;
use super::own::{BARRIER, LAST_EVENT, META, OWN, POSITIONS, PUBLISHED};
use super::schema::{check_declarations, drop_index_sql, fingerprint, index_sql, missing_columns, table_sql};
use super::server::Engine;
use super::session::Session;
use super::value::Param;

/// How long a step may take, and another process may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(600);

/// Brings a role's database up to its tables. Returns the steps that were taken.
pub async fn migrate(
    options: &SqlOptions,
    role: &str,
    tables: &'static [&'static Table],
) -> Result<Vec<String>, PortError> {
    check_declarations(tables)?;
    let address = options.address()?;
    let outside = |fault: Fault| fault.into_port_error(&address.name);
    let mut session = Session::connect(&address, options.connect_timeout, PATIENCE).await.map_err(outside)?;
    session.server.check_fitness()?;
    let steps = Migration { session: &mut session, role, tables, taken: Vec::new() }.run().await?;
    session.close().await;
    Ok(steps)
}

/// Refuses a database that is not this role's, or lacks something.
pub(super) async fn verify(session: &mut Session, role: &str, tables: &[&'static Table]) -> Result<(), PortError> {
    let engine = session.server.engine;
    let name = session.server.name.clone();
    let outside = |fault: Fault| fault.into_port_error(&name);
    let advice = "run `firstcome migrate` first";
    let present = session.tables().await.map_err(outside)?;
    if !check_owner(session, role, &present).await? {
        return Err(PortError::Misused(format!("{name}: the database is empty: {advice}")));
    }
    if session.fact("schema").await.map_err(outside)?.as_ref() == Some(&fingerprint(engine, tables)) {
        return Ok(());
    }
    let steps = missing(session, tables).await?;
    match steps.first() {
        None => Ok(()),
        Some(first) => {
            let count = steps.len();
            Err(PortError::Misused(format!(
                "{name}: the database lacks {count} step(s), first `{}`: {advice}",
                first.sql
            )))
        }
    }
}

/// [`check_owner`] for whoever has not looked yet.
pub(super) async fn owner(session: &mut Session, role: &str) -> Result<bool, PortError> {
    let name = session.server.name.clone();
    let present = session.tables().await.map_err(|fault| fault.into_port_error(&name))?;
    check_owner(session, role, &present).await
}

/// Whether the database is this role's; false when it is nobody's. Refuses that of another.
async fn check_owner(session: &mut Session, role: &str, present: &[String]) -> Result<bool, PortError> {
    let name = session.server.name.clone();
    if !present.iter().any(|table| table == META.name) {
        return match present.first() {
            None => Ok(false),
            Some(table) => Err(PortError::Misused(format!(
                "{name}: the database holds a table `{table}` that is not ours: create an empty one for the role {role}"
            ))),
        };
    }
    let owner = session.fact("role").await.map_err(|fault| fault.into_port_error(&name))?;
    match owner {
        Some(owner) if owner != role => Err(PortError::Misused(format!(
            "{name}: the database belongs to the role {owner}: create another for the role {role} and name it in its URL"
        ))),
        owner => Ok(owner.is_some()),
    }
}

/// Something to be added.
struct Step {
    sql: String,
    /// The index that is made.
    index: Option<&'static Index>,
}

struct Migration<'a> {
    session: &'a mut Session,
    role: &'a str,
    tables: &'a [&'static Table],
    taken: Vec<String>,
}

impl Migration<'_> {
    async fn run(mut self) -> Result<Vec<String>, PortError> {
        let name = self.session.server.name.clone();
        let outside = |fault: Fault| fault.into_port_error(&name);
        // With PostgreSQL all of it is one transaction; MySQL commits each statement by itself, and a half done migration
        // is gone on with.
        self.session.plain("BEGIN").await.map_err(outside)?;
        self.session.lock_schema().await.map_err(outside)?;
        let present = self.session.tables().await.map_err(outside)?;
        check_owner(self.session, self.role, &present).await?;
        if !present.iter().any(|table| table == META.name) {
            let sql = table_sql(self.session.server.engine, &META);
            self.session.plain(&sql).await.map_err(outside)?;
            self.note(sql).await.map_err(outside)?;
        }
        self.session.set_fact("role", self.role).await.map_err(outside)?;
        for step in missing(self.session, self.tables).await? {
            self.take(step).await?;
        }
        for consumer in [LAST_EVENT, PUBLISHED, BARRIER] {
            self.session.begin_at_zero(consumer).await.map_err(outside)?;
        }
        let fingerprint = fingerprint(self.session.server.engine, self.tables);
        self.session.set_fact("schema", &fingerprint).await.map_err(outside)?;
        self.session.plain("COMMIT").await.map_err(outside)?;
        Ok(self.taken)
    }

    async fn take(&mut self, step: Step) -> Result<(), PortError> {
        let name = self.session.server.name.clone();
        let outside = |fault: Fault| match (fault, step.index) {
            (Fault::Taken(reason), Some(index)) => PortError::Misused(format!(
                "{name}: index {} cannot be made: rows agree in its columns: {reason}",
                index.name
            )),
            (fault, _) => fault.into_port_error(&name),
        };
        self.session.plain(&step.sql).await.map_err(outside)?;
        if let Some(index) = step.index {
            self.session.set_fact(&index_fact(index), &step.sql).await.map_err(outside)?;
        }
        self.note(step.sql.clone()).await.map_err(outside)
    }

    /// Numbers a step and keeps it.
    async fn note(&mut self, sql: String) -> Result<(), Fault> {
        let count = match self.session.server.engine {
            Engine::Postgres => "SELECT count(*) FROM \"meta\" WHERE \"name\" LIKE 'step:%'",
            Engine::MariaDb | Engine::MySql => "SELECT count(*) FROM `meta` WHERE `name` LIKE 'step:%'",
        };
        let number = self.session.number(count, &[]).await?.unwrap_or(0) + 1;
        self.session.set_fact(&format!("step:{number:06}"), &sql).await?;
        self.taken.push(sql);
        Ok(())
    }
}

fn index_fact(index: &Index) -> String {
    format!("index:{}", index.name)
}

/// What a database lacks, in the order in which it can be added.
async fn missing(session: &mut Session, tables: &[&'static Table]) -> Result<Vec<Step>, PortError> {
    let name = session.server.name.clone();
    let outside = |fault: Fault| fault.into_port_error(&name);
    let engine = session.server.engine;
    let present = session.tables().await.map_err(outside)?;
    let indexes = session.indexes().await.map_err(outside)?;
    let mut steps = Vec::new();
    let step = |sql: String| Step { sql, index: None };
    for table in OWN.iter().chain(tables).copied() {
        if present.iter().any(|name| name == table.name) {
            let columns = session.columns(table.name).await.map_err(outside)?;
            let named = |error| match error {
                PortError::Misused(reason) => PortError::Misused(format!("{name}: {reason}")),
                other => other,
            };
            steps.extend(missing_columns(engine, table, &columns).map_err(named)?.into_iter().map(step));
        } else {
            steps.push(step(table_sql(engine, table)));
        }
        for index in table.indexes {
            let wanted = index_sql(engine, table, index);
            let there = indexes.iter().any(|name| name == index.name);
            if there && session.fact(&index_fact(index)).await.map_err(outside)?.as_ref() == Some(&wanted) {
                continue;
            }
            if there {
                steps.push(step(drop_index_sql(engine, table, index)));
            }
            steps.push(Step { sql: wanted, index: Some(index) });
        }
    }
    Ok(steps)
}

impl Session {
    /// Waits until no other process changes the schema of this database.
    async fn lock_schema(&mut self) -> Result<(), Fault> {
        if self.server.engine == Engine::Postgres {
            return self.plain("SELECT pg_advisory_xact_lock(hashtext('firstcome'))").await;
        }
        // Such a lock is the server's, not the database's, and ends with the session. Its name may have 64 characters.
        let sql = "SELECT GET_LOCK(CONCAT('firstcome ', SHA1(DATABASE())), 600)";
        match self.number(sql, &[]).await? {
            Some(1) => Ok(()),
            _ => Err(Fault::Refused("another process has been changing the schema for too long".to_owned())),
        }
    }

    /// A fact about the database.
    async fn fact(&mut self, name: &str) -> Result<Option<String>, Fault> {
        let engine = self.server.engine;
        let (value, of, key) = (engine.quoted("value"), engine.quoted(META.name), engine.quoted("name"));
        let mark = if engine == Engine::Postgres { "$1" } else { "?" };
        let sql: Arc<str> = format!("SELECT {value} FROM {of} WHERE {key} = {mark}").into();
        Ok(self.texts(&sql, &[Param::text(name)]).await?.pop())
    }

    async fn set_fact(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let values = [Value::Text(name.to_owned()), Value::Text(value.to_owned())];
        let table = TableSql::new(self.server.engine, &META);
        for (sql, params, _) in table.replace(&[Put { values: &values, version: 1 }]) {
            self.execute(sql, &params).await?;
        }
        Ok(())
    }

    /// Adds a consumer that has read nothing, if it is not there.
    async fn begin_at_zero(&mut self, consumer: &str) -> Result<(), Fault> {
        let values = [Value::Text(consumer.to_owned())];
        let table = TableSql::new(self.server.engine, &POSITIONS);
        let there = table.read(&[&values[0]]);
        let (sql, params, _) = &there[0];
        if !self.rows(sql, params, &table.kinds).await?.is_empty() {
            return Ok(());
        }
        for (sql, params, _) in table.insert(&[Put { values: &values, version: 0 }]) {
            self.execute(sql, &params).await?;
        }
        Ok(())
    }
}
