//! One role's database: rows with their versions, announcements with their numbers, consumers with their places.

use std::sync::Arc;

use firstcome_core::events::topics;
use firstcome_core::ports::{Committed, EventLog as _, PortError, Records, RoleName};
use firstcome_core::records::{NewEvent, Query, Table, Unit, Write};
use firstcome_store::kafka::{KafkaOptions, Relay};
use firstcome_store::outbox::Outbox;
use firstcome_store::sql::SqlRecords;
use firstcome_store::sqlite::{SqliteEventLog, SqliteRecords};

use super::progress;
use crate::commands::CommandError;
use crate::config::Config;
use crate::folder::Folder;
use crate::wire;

/// Rows and announcements in one commit.
const CHUNK: u32 = 500;
/// What the outbox is called while it is read here.
const OUTBOX: &str = "outbox";

/// A role's books, and where they go.
pub(super) struct Books {
    role: RoleName,
    from: Arc<SqliteRecords>,
    to: Arc<SqlRecords>,
}

impl Books {
    /// Opens both sides; refuses a database that is not empty.
    pub(super) async fn open(folder: &Folder, config: &Config, role: RoleName) -> Result<Self, CommandError> {
        let tables = wire::tables(role);
        let from = SqliteRecords::open(folder.database(role.as_str()), tables)?;
        let to = wire::cluster::records(config, role).await?;
        let mut empty = to.last().await? == 0;
        for table in tables {
            empty &= to.select(Query::all(table, 1)).await?.is_empty();
        }
        if empty {
            return Ok(Self { role, from, to });
        }
        let role = role.as_str();
        Err(CommandError::Input(format!("the database of {role} is not empty: give databases.{role} an empty one")))
    }

    /// Whose they are.
    pub(super) fn role(&self) -> &'static str {
        self.role.as_str()
    }

    /// Copies everything, and tells the other roles what this one has announced: their places are behind it.
    pub(super) async fn relocate(&self, kafka: &KafkaOptions) -> Result<(), CommandError> {
        for table in wire::tables(self.role) {
            rows(&*self.from, &*self.to, table).await?;
        }
        announcements(&self.from, &self.to).await?;
        for (consumer, position) in self.from.positions()? {
            // A name of the program's own; there are a few, and the process ends soon.
            let consumer: &'static str = String::leak(consumer);
            commit(&*self.to, Unit::new().position(consumer, 0, position)).await?;
        }
        if topics::ALL.contains(&self.role()) {
            Relay::new(kafka.clone(), self.role(), self.to.clone()).deliver().await?;
        }
        Ok(())
    }
}

async fn rows(from: &dyn Records, to: &dyn Records, table: &'static Table) -> Result<(), CommandError> {
    let bar = progress("rows");
    let mut after = None;
    loop {
        let rows = from.select(Query::all(table, CHUNK).after(after.take())).await?;
        let Some(last) = rows.last() else { break };
        after = last.values.first().map(|key| (key.clone(), key.clone()));
        bar.inc(rows.len() as u64);
        // A projection's write keeps the row's version; what is only appended to has one version alone.
        let write = if table.append_only { Write::Insert } else { Write::Advance };
        let writes = rows.into_iter().map(|row| write(table, row)).collect();
        commit(to, Unit { writes, ..Unit::new() }).await?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Numbers are given in the order of commits from 1 on, so that the same announcements get the same ones.
async fn announcements(from: &Arc<SqliteRecords>, to: &SqlRecords) -> Result<(), CommandError> {
    let log = SqliteEventLog::new([(OUTBOX, from.clone())]);
    let bar = progress("announcements");
    let mut after = 0;
    loop {
        let events = log.read(OUTBOX, after, CHUNK as usize).await?;
        let Some(last) = events.last().map(|event| event.position) else { break };
        if last != after + events.len() as i64 {
            return Err(PortError::Corrupt(format!("there is a gap in the announcements after number {after}")).into());
        }
        after = last;
        bar.inc(events.len() as u64);
        let events = events.into_iter().map(|event| {
            let firstcome_core::ports::LoggedEvent { id, kind, subject, at, data, .. } = event;
            NewEvent { id, kind, subject, at, data }
        });
        commit(to, Unit { events: events.collect(), ..Unit::new() }).await?;
    }
    bar.finish_and_clear();
    let last = to.last().await?;
    if last == after {
        return Ok(());
    }
    Err(PortError::Corrupt(format!("{after} announcements became {last}")).into())
}

async fn commit(to: &dyn Records, unit: Unit) -> Result<(), CommandError> {
    match to.commit(unit).await? {
        Committed::Done => Ok(()),
        Committed::Conflict(write) => {
            Err(CommandError::Broken(format!("write {write} met another: somebody else writes to this database")))
        }
    }
}
