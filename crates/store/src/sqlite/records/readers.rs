//! Reading rows of declared tables. What a crash had left in the log is synced when the file is opened again, so what is
//! read is on the disk.

use firstcome_core::ports::PortError;
use firstcome_core::records::{Row, Table, Value};
use rusqlite::{Connection, OptionalExtension as _};

use super::select::Selection;
use super::table::Bound;
use crate::sqlite::readers::{Readers, at_once};

impl Readers {
    /// The rows with these keys.
    pub(super) fn rows(&self, table: &Table, sql: &str, keys: &[Value]) -> Result<Vec<Row>, PortError> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                rows.extend(statement.query_row([Bound(key)], |row| row_of(table, row)).optional()?);
            }
            Ok(rows)
        };
        if keys.len() > 1 { self.read(|connection| at_once(connection, read)) } else { self.read(read) }
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
