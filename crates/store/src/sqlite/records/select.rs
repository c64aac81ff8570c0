//! Queries as SQL.

use std::fmt::Write as _;

use firstcome_core::records::{Comparison, Direction, Filter, Index, Query, Table, Value};

use super::schema::{column_list, quoted};

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

/// The rows that a query selects. Its columns and values were checked.
pub(super) fn selection(query: Query) -> Selection {
    let table = query.table;
    let short = is_short(&query);
    let mut builder = Builder { table, sql: String::with_capacity(256), values: Vec::new() };
    builder.sql = format!("SELECT {}, version FROM {} WHERE 1", column_list(table), quoted(table.name));
    for filter in query.filters {
        builder.filter(filter);
    }
    let (order, direction) = query.order;
    if let Some((value, key)) = query.after {
        builder.after(order, direction, value, key);
    }
    builder.order(order, direction);
    builder.sql.push_str(" LIMIT ");
    builder.value(Value::Integer(i64::from(query.limit)));
    Selection { sql: builder.sql, values: builder.values, short }
}

struct Builder {
    table: &'static Table,
    sql: String,
    values: Vec<Value>,
}

impl Builder {
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string has no way to fail.
        let _ = self.sql.write_fmt(text);
    }

    fn value(&mut self, value: Value) {
        self.sql.push('?');
        self.values.push(value);
    }

    /// `AND column operator value`.
    fn compare(&mut self, name: &str, operator: &str, value: Value) {
        self.add(format_args!(" AND {} {operator} ", quoted(name)));
        self.value(value);
    }

    fn filter(&mut self, filter: Filter) {
        let name = filter.column;
        match filter.comparison {
            Comparison::IsNull => self.add(format_args!(" AND {} IS NULL", quoted(name))),
            Comparison::Is(value) => self.compare(name, "=", value),
            Comparison::Less(value) => self.compare(name, "<", value),
            Comparison::AtMost(value) => self.compare(name, "<=", value),
            Comparison::Greater(value) => self.compare(name, ">", value),
            Comparison::AtLeast(value) => self.compare(name, ">=", value),
            Comparison::IsOneOf(values) => {
                self.add(format_args!(" AND {} IN (", quoted(name)));
                for (position, value) in values.into_iter().enumerate() {
                    self.sql.push_str(if position == 0 { "" } else { ", " });
                    self.value(value);
                }
                self.sql.push(')');
            }
            Comparison::Contains(text) => {
                // SQLite's `lower` knows the letters A to Z and leaves all other bytes alone.
                self.add(format_args!(" AND instr(lower({}), ", quoted(name)));
                self.value(Value::Text(text.to_ascii_lowercase()));
                self.sql.push_str(") > 0");
            }
            Comparison::HasOneOf(parts) => {
                self.sql.push_str(" AND (0");
                for part in parts {
                    self.add(format_args!(" OR instr({}, ", quoted(name)));
                    self.value(Value::Text(part));
                    self.sql.push_str(") > 0");
                }
                self.sql.push(')');
            }
        }
    }

    /// Rows behind this place, where an empty value stands before all others.
    fn after(&mut self, order: &str, direction: Direction, value: Value, key: Value) {
        let key_name = self.table.key().name;
        let operator = match direction {
            Direction::Ascending => ">",
            Direction::Descending => "<",
        };
        if order == key_name {
            return self.compare(key_name, operator, key);
        }
        let nullable = self.table.columns.iter().any(|column| column.name == order && column.nullable);
        let (order, key_name) = (quoted(order), quoted(key_name));
        if value == Value::Null {
            self.add(format_args!(" AND (({order} IS NULL AND {key_name} {operator} "));
            self.value(key);
            self.sql.push(')');
            if direction == Direction::Ascending {
                self.add(format_args!(" OR {order} IS NOT NULL"));
            }
        } else {
            self.add(format_args!(" AND (({order}, {key_name}) {operator} ("));
            self.value(value);
            self.sql.push_str(", ");
            self.value(key);
            self.sql.push(')');
            if direction == Direction::Descending && nullable {
                self.add(format_args!(" OR {order} IS NULL"));
            }
        }
        self.sql.push(')');
    }

    fn order(&mut self, order: &str, direction: Direction) {
        let key = self.table.key().name;
        let direction = match direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        self.add(format_args!(" ORDER BY {} {direction}", quoted(order)));
        if order != key {
            self.add(format_args!(", {} {direction}", quoted(key)));
        }
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
        let scattered =
            matches!(filter.comparison, Comparison::IsOneOf(_) | Comparison::Contains(_) | Comparison::HasOneOf(_));
        filter.column == query.order.0 && !scattered
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
