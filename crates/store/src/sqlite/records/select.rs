//! Queries as SQL.

use std::fmt::Write as _;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Direction, Filter, Index, Kind, Query, Table, Value};

use super::schema::{column_list, quoted};
use super::values::check_value;

/// Values that one statement may take.
const MOST_VALUES: usize = 30_000;
/// Rows that a query may return and still be called short.
const SHORT: u32 = 256;

/// A query as SQL with its parameters.
pub(super) struct Selection {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    /// Whether it reads about as many rows as it returns, and few.
    pub(super) short: bool,
}

/// The rows with a key.
pub(super) fn by_key(table: &Table) -> String {
    let key = quoted(table.key().name);
    format!("SELECT {}, version FROM {} WHERE {key} = ?1", column_list(table), quoted(table.name))
}

/// The rows that a query selects.
pub(super) fn selection(query: Query) -> Result<Selection, PortError> {
    let table = query.table;
    let short = is_short(&query);
    let mut builder = Builder { table, sql: String::with_capacity(256), values: Vec::new() };
    builder.sql = format!("SELECT {}, version FROM {} WHERE 1", column_list(table), quoted(table.name));
    for filter in query.filters {
        builder.filter(filter)?;
    }
    let (order, direction) = query.order;
    if let Some((value, key)) = query.after {
        builder.after(order, direction, value, key)?;
    }
    builder.order(order, direction)?;
    builder.sql.push_str(" LIMIT ");
    builder.value(Value::Integer(i64::from(query.limit)));
    if builder.values.len() > MOST_VALUES {
        return Err(PortError::Misused(format!("a query over {} with {} values", table.name, builder.values.len())));
    }
    Ok(Selection { sql: builder.sql, values: builder.values, short })
}

struct Builder {
    table: &'static Table,
    sql: String,
    values: Vec<Value>,
}

impl Builder {
    fn column(&self, name: &str) -> Result<usize, PortError> {
        let unknown = || PortError::Misused(format!("table {} has no column {name}", self.table.name));
        self.table.position(name).ok_or_else(unknown)
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string has no way to fail.
        let _ = self.sql.write_fmt(text);
    }

    fn value(&mut self, value: Value) {
        self.sql.push('?');
        self.values.push(value);
    }

    /// `AND column operator value`.
    fn compare(&mut self, column: usize, operator: &str, value: Value) -> Result<(), PortError> {
        let declared = &self.table.columns[column];
        if value != Value::Null {
            check_value(self.table, declared, &value)?;
        }
        self.add(format_args!(" AND {} {operator} ", quoted(declared.name)));
        self.value(value);
        Ok(())
    }

    fn filter(&mut self, filter: Filter) -> Result<(), PortError> {
        let column = self.column(filter.column)?;
        let name = quoted(filter.column);
        match filter.comparison {
            Comparison::IsNull => self.add(format_args!(" AND {name} IS NULL")),
            Comparison::Is(value) => self.compare(column, "=", value)?,
            Comparison::Less(value) => self.compare(column, "<", value)?,
            Comparison::AtMost(value) => self.compare(column, "<=", value)?,
            Comparison::Greater(value) => self.compare(column, ">", value)?,
            Comparison::AtLeast(value) => self.compare(column, ">=", value)?,
            Comparison::IsOneOf(values) => {
                self.add(format_args!(" AND {name} IN ("));
                for (position, value) in values.into_iter().enumerate() {
                    check_value(self.table, &self.table.columns[column], &value)?;
                    self.sql.push_str(if position == 0 { "" } else { ", " });
                    self.value(value);
                }
                self.sql.push(')');
            }
            Comparison::Contains(text) => {
                if self.table.columns[column].kind != Kind::Text {
                    return Err(PortError::Misused(format!("column {} holds no text", filter.column)));
                }
                // SQLite's `lower` knows the letters A to Z and leaves all other bytes alone.
                self.add(format_args!(" AND instr(lower({name}), "));
                self.value(Value::Text(text.to_ascii_lowercase()));
                self.sql.push_str(") > 0");
            }
        }
        Ok(())
    }

    /// Rows behind this place, where an empty value stands before all others.
    fn after(&mut self, order: &str, direction: Direction, value: Value, key: Value) -> Result<(), PortError> {
        let column = self.column(order)?;
        let operator = match direction {
            Direction::Ascending => ">",
            Direction::Descending => "<",
        };
        check_value(self.table, self.table.key(), &key)?;
        if column == 0 {
            return self.compare(0, operator, key);
        }
        check_value(self.table, &self.table.columns[column], &value)?;
        let (order, key_name) = (quoted(order), quoted(self.table.key().name));
        let nullable = self.table.columns[column].nullable;
        if value == Value::Null {
            let others =
                if direction == Direction::Ascending { format!(" OR {order} IS NOT NULL") } else { String::new() };
            self.add(format_args!(" AND (({order} IS NULL AND {key_name} {operator} "));
            self.value(key);
            self.add(format_args!("){others})"));
            return Ok(());
        }
        let others =
            if nullable && direction == Direction::Descending { format!(" OR {order} IS NULL") } else { String::new() };
        self.add(format_args!(" AND (({order}, {key_name}) {operator} ("));
        self.value(value);
        self.sql.push_str(", ");
        self.value(key);
        self.add(format_args!("){others})"));
        Ok(())
    }

    fn order(&mut self, order: &str, direction: Direction) -> Result<(), PortError> {
        let column = self.column(order)?;
        let direction = match direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        let (order, key) = (quoted(order), quoted(self.table.key().name));
        self.add(format_args!(" ORDER BY {order} {direction}"));
        if column != 0 {
            self.add(format_args!(", {key} {direction}"));
        }
        Ok(())
    }
}

/// Whether an index, or the key, leads straight to the rows in their order.
fn is_short(query: &Query) -> bool {
    let equal = |filter: &Filter| matches!(filter.comparison, Comparison::Is(_));
    let key = query.table.key().name;
    if query.filters.iter().any(|filter| filter.column == key && equal(filter)) {
        return true;
    }
    if query.limit > SHORT {
        return false;
    }
    // Every filter is an equality on a leading column of the index, or a bound on the column that orders.
    let bound = |filter: &Filter| {
        filter.column == query.order.0 && !matches!(filter.comparison, Comparison::IsOneOf(_) | Comparison::Contains(_))
    };
    let nullable = |name: &str| query.table.columns.iter().any(|column| column.name == name && column.nullable);
    let leads = |columns: &[&str], unique: bool| {
        let fixed = columns
            .iter()
            .take_while(|column| query.filters.iter().any(|filter| filter.column == **column && equal(filter)))
            .count();
        let covered = query.filters.iter().all(|filter| columns[..fixed].contains(&filter.column) || bound(filter));
        let next = columns.get(fixed).copied().unwrap_or(key);
        // Rows that are empty in the first column are not in the index.
        let complete = fixed > 0 || !nullable(next);
        (unique && fixed == columns.len()) || (covered && complete && next == query.order.0)
    };
    leads(&[key], true) || query.table.indexes.iter().any(|index: &Index| leads(index.columns, index.unique))
}
