//! The outbox: events in the order of their commits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::EventId;
use firstcome_core::ports::{LoggedEvent, PortError};
use firstcome_core::records::{Comparison, Query, Value};
use firstcome_core::time::Time;

use super::fault::Fault;
use super::own::{BARRIER, LAST_EVENT, OUTBOX, PUBLISHED};
use super::server::Engine;
use super::session::Session;
use super::value::Param;
use super::{SqlRecords, dialect, select};
use crate::outbox::Outbox;

/// How often a waiting reader looks for events of other processes.
const LOOK: Duration = Duration::from_millis(250);
/// Published events that are kept, for whoever wants to compare.
const KEPT: i64 = if cfg!(test) { 100 } else { 100_000 };
/// Events that are forgotten at once.
const FORGOTTEN: i64 = if cfg!(test) { 20 } else { 1_000 };

#[async_trait]
impl Outbox for SqlRecords {
    async fn after(&self, sequence: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let query = Query::all(&OUTBOX, limit).filter("position", Comparison::Greater(Value::Integer(sequence)));
        let selection = select::selection(self.server.engine, query);
        let rows = self.sessions.rows(&selection.sql, &selection.params, &dialect::kinds(&OUTBOX)).await?;
        let wrong = || PortError::Corrupt(format!("{}: a row of the outbox is no event", self.server.name));
        let events: Vec<LoggedEvent> =
            rows.into_iter().map(|row| event(row).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        if let Some(last) = events.last() {
            self.wait_for_disk(last.position).await?;
        }
        Ok(events)
    }

    async fn last(&self) -> Result<i64, PortError> {
        let last = self.stored_position(LAST_EVENT).await?;
        self.wait_for_disk(last).await?;
        Ok(last)
    }

    async fn published(&self, sequence: i64) -> Result<(), PortError> {
        self.set_position("greatest(VERSION, NUMBER)", PUBLISHED, sequence).await?;
        self.forget(sequence - KEPT).await
    }

    async fn wait(&self, sequence: i64) -> Result<(), PortError> {
        let mut announced = self.shared.announced.subscribe();
        loop {
            if *announced.borrow_and_update() > sequence || self.stored_position(LAST_EVENT).await? > sequence {
                return Ok(());
            }
            // Commits of this process wake us at once; for those of others we look.
            let _ = tokio::time::timeout(LOOK, announced.changed()).await;
        }
    }
}

impl SqlRecords {
    /// Returns when all events up to this one are on the disk.
    ///
    /// MariaDB and MySQL show a commit to others when it is in the log, and answer it when the log is on the disk. A
    /// power cut in between takes back what was seen, and the number would be given to another event. Whatever is
    /// committed later stands behind it in the log, so that when one of our own commits was answered, it is safe.
    async fn wait_for_disk(&self, sequence: i64) -> Result<(), PortError> {
        if *self.shared.announced.borrow() < sequence {
            if self.server.engine != Engine::Postgres {
                self.set_position("VERSION + NUMBER", BARRIER, 1).await?;
            }
            self.shared.announce(sequence);
        }
        Ok(())
    }

    /// Forgets published events up to this one, some at a time.
    async fn forget(&self, up_to: i64) -> Result<(), PortError> {
        let before = self.forgotten.load(Ordering::Relaxed);
        if up_to < before + FORGOTTEN {
            return Ok(());
        }
        let engine = self.server.engine;
        let (of, position) = (engine.quoted(OUTBOX.name), engine.quoted("position"));
        let sql = match engine {
            Engine::Postgres => {
                format!("DELETE FROM {of} WHERE {position} <= least($1, (SELECT min({position}) + $2 FROM {of}))")
            }
            Engine::MariaDb | Engine::MySql => {
                format!("DELETE FROM {of} WHERE {position} <= ? ORDER BY {position} LIMIT ?")
            }
        };
        self.sessions.execute(&sql.into(), &[Param::number(up_to), Param::number(FORGOTTEN)]).await?;
        // What an earlier process left is caught up with, because this begins at zero.
        self.forgotten.fetch_max(before.max(up_to - FORGOTTEN), Ordering::Relaxed);
        Ok(())
    }
}

fn event(row: Vec<Value>) -> Option<LoggedEvent> {
    match <[Value; 7]>::try_from(row).ok()? {
        [
            Value::Integer(position),
            Value::Blob(id),
            Value::Text(kind),
            Value::Text(subject),
            Value::Integer(at),
            Value::Text(data),
            _,
        ] => Some(LoggedEvent { position, id: EventId(id.try_into().ok()?), kind, subject, at: Time(at), data }),
        _ => None,
    }
}

/// Refuses a database whose outbox holds more than was counted: it was put together from parts of different times.
pub(super) async fn check(session: &mut Session) -> Result<(), PortError> {
    let name = session.server.name.clone();
    let outside = |fault: Fault| fault.into_port_error(&name);
    let engine = session.server.engine;
    let (outbox, position) = (engine.quoted(OUTBOX.name), engine.quoted("position"));
    let (positions, version, consumer) =
        (engine.quoted("positions"), engine.quoted("version"), engine.quoted("consumer"));
    let stored = format!("SELECT max({position}) FROM {outbox}");
    let counted = format!("SELECT {version} FROM {positions} WHERE {consumer} = '{LAST_EVENT}'");
    // In this order: others may commit meanwhile.
    let stored = session.number(&stored, &[]).await.map_err(outside)?;
    let counted = session.number(&counted, &[]).await.map_err(outside)?;
    match counted {
        Some(counted) if stored.unwrap_or(0) <= counted => Ok(()),
        counted => Err(PortError::Corrupt(format!(
            "{name}: the outbox ends at {stored:?}, but {counted:?} events were counted: restore the database as a whole"
        ))),
    }
}
