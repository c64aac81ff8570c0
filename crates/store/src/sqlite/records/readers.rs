//! Connections for reading. They see a commit when it is on the disk, not before: SQLite writes a transaction to the
//! log, syncs the log (`synchronous=FULL`), and only then publishes it in the log's index, which is what readers look at
//! (`walFrames` in `wal.c`). What a crash had left in the log is synced when the file is opened again.

use std::path::PathBuf;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Row, Table, Value};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _};

use super::select::Selection;
use super::table::Bound;
use crate::sqlite::connection::{open_reader, port_error};

/// Connections that are kept when nobody reads.
const KEPT: usize = 8;
/// Kibibytes of pages that each may keep.
const CACHE: u32 = 8_192;

/// Reads of one file, from any number of threads.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    /// Runs a read on a connection of its own. There are as many as threads that read at the same moment.
    pub(super) fn read<T>(&self, action: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, PortError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path, CACHE)?,
        };
        let answer = action(&connection).map_err(|error| port_error(&self.path, &error));
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        answer
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.idle.lock().clear();
    }

    /// The rows with these keys.
    pub(super) fn rows(&self, table: &Table, sql: &str, keys: &[Value]) -> Result<Vec<Row>, PortError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                rows.extend(statement.query_row([Bound(key)], |row| row_of(table, row)).optional()?);
            }
            Ok(rows)
        })
    }

    /// The rows of a selection.
    pub(super) fn select(&self, table: &Table, selection: &Selection) -> Result<Vec<Row>, PortError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&selection.sql)?;
            for (position, value) in selection.values.iter().enumerate() {
                statement.raw_bind_parameter(position + 1, Bound(value))?;
            }
            let mut found = statement.raw_query();
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push(row_of(table, row)?);
            }
            Ok(rows)
        })
    }
}

/// A row of all columns and the version.
fn row_of(table: &Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let count = table.columns.len();
    let values = (0..count).map(|position| value_of(row, position)).collect::<rusqlite::Result<_>>()?;
    Ok(Row { values, version: row.get(count)? })
}

fn value_of(row: &rusqlite::Row<'_>, position: usize) -> rusqlite::Result<Value> {
    use rusqlite::types::{Type, ValueRef};
    Ok(match row.get_ref(position)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text)?.to_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(position, "of a declared table".to_owned(), Type::Real));
        }
    })
}
