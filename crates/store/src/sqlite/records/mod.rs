//! `Records` in one SQLite file: rows, events and consumers' positions of one role.
//!
//! One thread writes the file. It takes every unit of work that waits, judges each on its own inside one transaction,
//! syncs once, and answers all of them, so that a commit costs its share of a sync. Reads run beside it on connections
//! of their own and see what is on the disk.

mod checkpoint;
mod judge;
mod queue;
mod readers;
mod schema;
mod select;
mod statements;
mod table;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use firstcome_core::ids::EventId;
use firstcome_core::ports::{Committed, LoggedEvent, PortError, Records};
use firstcome_core::records::{Query, Row, Table, Unit, Value, check_keys, check_query, check_unit};
use firstcome_core::time::Time;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::{Semaphore, watch};

use self::queue::Queue;
use self::writer::Shared;
use super::connection::{open, port_error};
use super::readers::Readers;

/// Kibibytes of pages that the writer may keep.
const WRITER_CACHE: u32 = 65_536;
/// Long selects that run at the same time.
const LONG_SELECTS: usize = 4;
/// Long selects that run or wait; the next is refused.
const WAITING_SELECTS: usize = 256;
/// Keys that are looked up on the caller's thread.
const FEW_KEYS: usize = 64;

/// The database of one role in one SQLite file.
pub struct SqliteRecords {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    long_selects: Arc<Semaphore>,
    /// Places for long selects that run or wait.
    waiting: Arc<Semaphore>,
    /// For each table the statement that reads a row by its key.
    by_key: Vec<String>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteRecords {
    /// Opens a file, makes it if it is not there, and makes it hold these tables.
    pub fn open(path: impl Into<PathBuf>, tables: &'static [&'static Table]) -> Result<Arc<Self>, PortError> {
        let path = path.into();
        let connection = open(&path, WRITER_CACHE)?;
        Self::start(path, connection, tables)
    }

    fn start(
        path: PathBuf,
        mut connection: Connection,
        tables: &'static [&'static Table],
    ) -> Result<Arc<Self>, PortError> {
        schema::prepare(&mut connection, &path, tables)?;
        sync_what_a_crash_left(&connection, &path)?;
        let last = last_event(&connection).map_err(|error| port_error(&path, &error))?;
        let shared = Arc::new(Shared {
            path: path.clone(),
            tables,
            queue: Queue::default(),
            announced: watch::Sender::new(last),
            failed: watch::Sender::new(None),
            #[cfg(test)]
            broken: std::sync::atomic::AtomicBool::default(),
        });
        let writer = spawn_writer(connection, Arc::clone(&shared))?;
        Ok(Arc::new(Self {
            shared,
            readers: Arc::new(Readers::new(path)),
            long_selects: Arc::new(Semaphore::new(LONG_SELECTS)),
            waiting: Arc::new(Semaphore::new(WAITING_SELECTS)),
            by_key: tables.iter().map(|table| select::by_key(table)).collect(),
            writer: Some(writer),
        }))
    }

    /// Every consumer with its position, for a move to another database.
    pub fn positions(&self) -> Result<Vec<(String, i64)>, PortError> {
        self.readers.read(|connection| {
            let mut statement = connection.prepare("SELECT consumer, position FROM positions ORDER BY consumer")?;
            let positions = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            positions.collect()
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Returns when the file can take no more writes because the disk failed. The process must end then: commits that
    /// were answered are safe, but nobody knows about the last ones that were not.
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

    /// [`Records::get`] for threads that may block.
    pub fn get_blocking(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        Ok(self.get_many_blocking(table, &[key])?.pop())
    }

    /// [`Records::get_many`] for threads that may block.
    pub fn get_many_blocking(&self, table: &'static Table, keys: &[Value]) -> Result<Vec<Row>, PortError> {
        let position = check_keys(self.shared.tables, table, keys)?;
        self.readers.rows(table, &self.by_key[position], keys)
    }

    /// [`Records::select`] for threads that may block.
    pub fn select_blocking(&self, query: Query) -> Result<Vec<Row>, PortError> {
        check_query(self.shared.tables, &query)?;
        let table = query.table;
        self.readers.select(table, &select::selection(query))
    }

    /// Where the position of the last event that this process has committed can be watched.
    pub(super) fn announced(&self) -> watch::Receiver<i64> {
        self.shared.announced.subscribe()
    }

    /// The position of the last event of any process.
    pub(super) fn last_event(&self) -> Result<i64, PortError> {
        self.readers.read(last_event)
    }

    /// Events behind a position, in order.
    pub(super) fn events(&self, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        let sql =
            "SELECT position, id, kind, subject, at, data FROM outbox WHERE position > ?1 ORDER BY position LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let events = statement.query_map([after, limit], |row| {
                Ok(LoggedEvent {
                    position: row.get(0)?,
                    id: EventId(row.get(1)?),
                    kind: row.get(2)?,
                    subject: row.get(3)?,
                    at: Time(row.get(4)?),
                    data: row.get(5)?,
                })
            })?;
            events.collect()
        })
    }

    /// Runs a long read where it holds up nobody. It keeps its turn until it is done, also when nobody waits for it any more.
    async fn long<T: Send + 'static>(
        &self,
        action: impl FnOnce(&Readers) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let stopped = |reason: String| PortError::Unavailable(format!("{}: {reason}", self.path().display()));
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| PortError::Overloaded)?;
        let turn = Arc::clone(&self.long_selects).acquire_owned().await.map_err(|error| stopped(error.to_string()))?;
        let readers = Arc::clone(&self.readers);
        let read = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            action(&readers)
        });
        let read = read.await;
        read.map_err(|error| stopped(error.to_string()))?
    }
}

/// A point read takes a few microseconds, a hop to another thread fifteen to twenty: it runs where it is called.
#[async_trait]
impl Records for SqliteRecords {
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        self.get_blocking(table, key)
    }

    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError> {
        if keys.len() <= FEW_KEYS {
            return self.get_many_blocking(table, &keys);
        }
        let position = check_keys(self.shared.tables, table, &keys)?;
        let sql = self.by_key[position].clone();
        self.long(move |readers| readers.rows(table, &sql, &keys)).await
    }

    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        check_query(self.shared.tables, &query)?;
        let table = query.table;
        let selection = select::selection(query);
        if selection.short {
            return self.readers.select(table, &selection);
        }
        self.long(move |readers| readers.select(table, &selection)).await
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        check_unit(self.shared.tables, &unit)?;
        let answer = self.shared.queue.push(unit)?;
        let gone = || PortError::Unavailable(format!("{}: the writer has ended", self.path().display()));
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        let sql = "SELECT position FROM positions WHERE consumer = ?1";
        let stored = self
            .readers
            .read(|connection| connection.prepare_cached(sql)?.query_row([consumer], |row| row.get(0)).optional())?;
        Ok(stored.unwrap_or(0))
    }
}

impl Drop for SqliteRecords {
    fn drop(&mut self) {
        self.shared.queue.close(PortError::Unavailable(format!("{}: closed", self.path().display())));
        // The writer's connection should be the last: it folds the log into the file when it closes.
        self.readers.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so already.
            let _ = writer.join();
        }
    }
}

fn spawn_writer(connection: Connection, shared: Arc<Shared>) -> Result<JoinHandle<()>, PortError> {
    let file = shared.path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let path = shared.path.clone();
    std::thread::Builder::new()
        .name(format!("write-{file}"))
        .spawn(move || writer::run(&connection, &shared))
        .map_err(|error| PortError::Unavailable(format!("{}: no thread: {error}", path.display())))
}

/// Commits that a killed process had written but not synced are readable again after a restart. A checkpoint syncs the
/// log before it copies from it, so from here on they are durable like all others.
fn sync_what_a_crash_left(connection: &Connection, path: &Path) -> Result<(), PortError> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(|error| port_error(path, &error))
}

fn last_event(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(position), 0) FROM outbox")?.query_row([], |row| row.get(0))
}
