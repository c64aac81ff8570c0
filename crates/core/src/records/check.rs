//! Whether calls fit the declarations of tables: every adapter refuses the same, before it does anything.

use super::{Column, Comparison, Filter, Kind, Query, Row, Table, Unit, Value, Write};
use crate::ports::PortError;

/// Bytes that one value may have; far more than anything that should stand in a row.
const LONGEST: usize = 64 << 20;
/// Values that one query may compare with. Every engine has such a bound, and this is below all of them.
const MOST_VALUES: usize = 30_000;

fn misused(table: &Table, reason: &str) -> PortError {
    PortError::Misused(format!("table {}: {reason}", table.name))
}

impl Column {
    /// Whether a row may hold this value here.
    pub fn fits(&self, value: &Value) -> bool {
        match value {
            Value::Null => self.nullable,
            Value::Integer(_) => self.kind == Kind::Integer,
            Value::Text(text) => self.kind == Kind::Text && text.len() <= LONGEST,
            Value::Blob(bytes) => self.kind == Kind::Blob && bytes.len() <= LONGEST,
        }
    }

    fn check(&self, table: &Table, value: &Value) -> Result<(), PortError> {
        if self.fits(value) {
            Ok(())
        } else {
            Err(misused(table, &format!("a value does not fit column {}", self.name)))
        }
    }
}

/// Where a table stands among those that an adapter was opened with.
///
/// One declaration can have several addresses, because each use of a constant may get its own.
pub fn check_table(tables: &[&'static Table], table: &'static Table) -> Result<usize, PortError> {
    let same = |candidate: &&'static Table| std::ptr::eq(*candidate, table) || *candidate == table;
    tables.iter().position(same).ok_or_else(|| misused(table, "was not declared when the database was opened"))
}

/// Keys to look up in a table. Returns where the table stands.
pub fn check_keys(tables: &[&'static Table], table: &'static Table, keys: &[Value]) -> Result<usize, PortError> {
    let position = check_table(tables, table)?;
    keys.iter().try_for_each(|key| table.key().check(table, key))?;
    Ok(position)
}

/// A unit of which every write fits its table.
pub fn check_unit(tables: &[&'static Table], unit: &Unit) -> Result<(), PortError> {
    let mut recent: Option<&'static Table> = None;
    unit.writes.iter().try_for_each(|write| {
        let (Write::Insert(table, _) | Write::Update(table, _) | Write::Advance(table, _) | Write::Delete(table, _)) =
            write;
        if !recent.is_some_and(|recent| std::ptr::eq(recent, *table)) {
            check_table(tables, table)?;
            recent = Some(table);
        }
        match write {
            Write::Insert(_, row) => check_row(table, row),
            _ if table.append_only => Err(misused(table, "its rows are never changed and never deleted")),
            Write::Update(_, row) | Write::Advance(_, row) => check_row(table, row),
            Write::Delete(_, key) => table.key().check(table, key),
        }
    })
}

fn check_row(table: &Table, row: &Row) -> Result<(), PortError> {
    if row.values.len() != table.columns.len() {
        return Err(misused(table, "a row has another number of values than the table has columns"));
    }
    table.columns.iter().zip(&row.values).try_for_each(|(column, value)| column.check(table, value))
}

/// A query whose columns exist and are compared with values of their kind.
pub fn check_query(tables: &[&'static Table], query: &Query) -> Result<(), PortError> {
    let table = query.table;
    check_table(tables, table)?;
    query.filters.iter().try_for_each(|filter| check_filter(table, filter))?;
    let order = column(table, query.order.0)?;
    if let Some((value, key)) = &query.after {
        order.check(table, value)?;
        table.key().check(table, key)?;
    }
    let values = query.filters.iter().map(|filter| match &filter.comparison {
        Comparison::IsOneOf(values) => values.len(),
        Comparison::HasOneOf(parts) => parts.len(),
        _ => 1,
    });
    if values.sum::<usize>() > MOST_VALUES {
        Err(misused(table, "a query compares with too many values"))
    } else {
        Ok(())
    }
}

fn check_filter(table: &Table, filter: &Filter) -> Result<(), PortError> {
    let column = column(table, filter.column)?;
    match &filter.comparison {
        Comparison::Is(value)
        | Comparison::Less(value)
        | Comparison::AtMost(value)
        | Comparison::Greater(value)
        | Comparison::AtLeast(value) => match value {
            Value::Null => Ok(()),
            value => column.check(table, value),
        },
        Comparison::IsOneOf(values) => {
            values.iter().filter(|value| **value != Value::Null).try_for_each(|value| column.check(table, value))
        }
        Comparison::Contains(_) | Comparison::HasOneOf(_) if column.kind != Kind::Text => {
            Err(misused(table, &format!("column {} holds no text", column.name)))
        }
        Comparison::Contains(_) | Comparison::HasOneOf(_) | Comparison::IsNull => Ok(()),
    }
}

fn column<'a>(table: &'a Table, name: &str) -> Result<&'a Column, PortError> {
    let position = table.position(name).ok_or_else(|| misused(table, &format!("there is no column {name}")))?;
    Ok(&table.columns[position])
}
