//! Whether values fit the columns that they are for.

use firstcome_core::ports::PortError;
use firstcome_core::records::{Column, Kind, Row, Table, Unit, Value, Write};

use super::statements::position_of;

/// A value that fits its column.
pub(super) fn check_value(table: &Table, column: &Column, value: &Value) -> Result<(), PortError> {
    let fits = match value {
        Value::Null => column.nullable,
        Value::Integer(_) => column.kind == Kind::Integer,
        Value::Text(_) => column.kind == Kind::Text,
        Value::Blob(_) => column.kind == Kind::Blob,
    };
    if fits { Ok(()) } else { Err(misused(table, &format!("a value does not fit column {}", column.name))) }
}

fn misused(table: &Table, reason: &str) -> PortError {
    PortError::Misused(format!("table {}: {reason}", table.name))
}

/// A table that the adapter was opened with.
pub(super) fn check_table(tables: &'static [&'static Table], table: &'static Table) -> Result<usize, PortError> {
    position_of(tables.iter().copied(), table).ok_or_else(|| misused(table, "was not declared when this was opened"))
}

/// A unit of which every write fits its table, so that the transaction cannot fail for its sake.
pub(super) fn check_unit(tables: &'static [&'static Table], unit: &Unit) -> Result<(), PortError> {
    let mut recent = None;
    unit.writes.iter().try_for_each(|write| {
        let (Write::Insert(table, _) | Write::Update(table, _) | Write::Advance(table, _) | Write::Delete(table, _)) =
            write;
        if !recent.is_some_and(|recent| std::ptr::eq(recent, *table)) {
            check_table(tables, table)?;
            recent = Some(*table);
        }
        match write {
            Write::Insert(_, row) | Write::Update(_, row) | Write::Advance(_, row) => check_row(table, row),
            Write::Delete(_, key) => check_value(table, table.key(), key),
        }
    })
}

fn check_row(table: &Table, row: &Row) -> Result<(), PortError> {
    if row.values.len() != table.columns.len() {
        return Err(misused(table, "a row has another number of values than the table has columns"));
    }
    table.columns.iter().zip(&row.values).try_for_each(|(column, value)| check_value(table, column, value))
}
