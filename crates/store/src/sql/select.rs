//! Queries as SQL.

use std::fmt::Write as _;
use std::sync::Arc;

use firstcome_core::records::{Comparison, Direction, Filter, Kind, Query, Table, Value};

use super::dialect::column_list;
use super::server::Engine;
use super::value::Param;

/// A query as SQL with its parameters.
pub(super) struct Selection {
    pub(super) sql: Arc<str>,
    pub(super) params: Vec<Param<'static>>,
}

/// The rows that a query selects. Its columns and values were checked.
pub(super) fn selection(engine: Engine, query: Query) -> Selection {
    let table = query.table;
    let mut builder = Builder { engine, table, sql: String::with_capacity(256), params: Vec::new() };
    builder.add(format_args!(
        "SELECT {} FROM {} WHERE {}",
        column_list(engine, table),
        engine.quoted(table.name),
        builder.truth(true)
    ));
    for filter in query.filters {
        builder.filter(filter);
    }
    let (order, direction) = query.order;
    if let Some((value, key)) = query.after {
        builder.after(order, direction, value, key);
    }
    builder.order(order, direction);
    builder.sql.push_str(" LIMIT ");
    builder.value(Kind::Integer, Value::Integer(i64::from(query.limit)));
    Selection { sql: builder.sql.into(), params: builder.params }
}

struct Builder {
    engine: Engine,
    table: &'static Table,
    sql: String,
    params: Vec<Param<'static>>,
}

impl Builder {
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string has no way to fail.
        let _ = self.sql.write_fmt(text);
    }

    fn truth(&self, truth: bool) -> &'static str {
        match (self.engine, truth) {
            (Engine::Postgres, true) => "TRUE",
            (Engine::Postgres, false) => "FALSE",
            (_, true) => "1",
            (_, false) => "0",
        }
    }

    fn value(&mut self, kind: Kind, value: Value) {
        self.params.push(Param::Value(kind, std::borrow::Cow::Owned(value)));
        match self.engine {
            Engine::Postgres => self.add(format_args!("${}", self.params.len())),
            Engine::MariaDb | Engine::MySql => self.sql.push('?'),
        }
    }

    fn kind(&self, name: &str) -> Kind {
        self.table.position(name).map_or(Kind::Integer, |position| self.table.columns[position].kind)
    }

    /// `AND column operator value`. Nothing compares with an empty value.
    fn compare(&mut self, name: &str, operator: &str, value: Value) {
        if value == Value::Null {
            return self.add(format_args!(" AND {}", self.truth(false)));
        }
        self.add(format_args!(" AND {} {operator} ", self.engine.quoted(name)));
        self.value(self.kind(name), value);
    }

    fn filter(&mut self, filter: Filter) {
        let name = filter.column;
        match filter.comparison {
            Comparison::IsNull => self.add(format_args!(" AND {} IS NULL", self.engine.quoted(name))),
            Comparison::Is(value) => self.compare(name, "=", value),
            Comparison::Less(value) => self.compare(name, "<", value),
            Comparison::AtMost(value) => self.compare(name, "<=", value),
            Comparison::Greater(value) => self.compare(name, ">", value),
            Comparison::AtLeast(value) => self.compare(name, ">=", value),
            Comparison::IsOneOf(values) => self.among(name, values),
            Comparison::Contains(text) => self.contains(name, &text),
            Comparison::HasOneOf(parts) => self.has_one_of(name, parts),
        }
    }

    /// The last value is repeated up to a power of two, so that there are few different statements.
    fn among(&mut self, name: &str, mut values: Vec<Value>) {
        values.retain(|value| *value != Value::Null);
        let Some(last) = values.last().cloned() else {
            return self.add(format_args!(" AND {}", self.truth(false)));
        };
        values.resize(values.len().next_power_of_two(), last);
        self.add(format_args!(" AND {} IN (", self.engine.quoted(name)));
        for (position, value) in values.into_iter().enumerate() {
            self.sql.push_str(if position == 0 { "" } else { ", " });
            self.value(self.kind(name), value);
        }
        self.sql.push(')');
    }

    /// Only the letters A to Z have two cases here. PostgreSQL's `lower` knows no others in the collation "C"; MySQL's
    /// does, so there the text is a pattern in which each of these letters stands for both.
    fn contains(&mut self, name: &str, text: &str) {
        let column = self.engine.quoted(name);
        match self.engine {
            Engine::Postgres => {
                self.add(format_args!(" AND strpos(lower({column}), "));
                self.value(Kind::Text, Value::Text(text.to_ascii_lowercase()));
                self.sql.push_str(") > 0");
            }
            Engine::MariaDb | Engine::MySql if text.is_empty() => {
                self.add(format_args!(" AND {column} IS NOT NULL"));
            }
            Engine::MariaDb | Engine::MySql => {
                self.add(format_args!(" AND {column} REGEXP "));
                self.value(Kind::Text, Value::Text(text.chars().map(pattern).collect()));
            }
        }
    }

    /// Texts are compared byte by byte here, so that these functions look for bytes.
    fn has_one_of(&mut self, name: &str, parts: Vec<String>) {
        let column = self.engine.quoted(name);
        self.add(format_args!(" AND ({}", self.truth(false)));
        for part in parts {
            let function = if self.engine == Engine::Postgres { "strpos" } else { "instr" };
            self.add(format_args!(" OR {function}({column}, "));
            self.value(Kind::Text, Value::Text(part));
            self.sql.push_str(") > 0");
        }
        self.sql.push(')');
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
        let (order_kind, key_kind) = (self.kind(order), self.kind(key_name));
        let (order, key_name) = (self.engine.quoted(order), self.engine.quoted(key_name));
        if value == Value::Null {
            self.add(format_args!(" AND (({order} IS NULL AND {key_name} {operator} "));
            self.value(key_kind, key);
            self.sql.push(')');
            if direction == Direction::Ascending {
                self.add(format_args!(" OR {order} IS NOT NULL"));
            }
        } else {
            if self.engine == Engine::Postgres {
                self.add(format_args!(" AND (({order}, {key_name}) {operator} ("));
                self.value(order_kind, value);
            } else {
                // An index serves this form, and not the comparison of pairs.
                self.add(format_args!(" AND ({order} {operator} "));
                self.value(order_kind, value.clone());
                self.add(format_args!(" OR ({order} = "));
                self.value(order_kind, value);
                self.add(format_args!(" AND {key_name} {operator} "));
            }
            self.sql.push_str(if self.engine == Engine::Postgres { ", " } else { "" });
            self.value(key_kind, key);
            self.sql.push(')');
            if direction == Direction::Descending && nullable {
                self.add(format_args!(" OR {order} IS NULL"));
            }
        }
        self.sql.push(')');
    }

    /// To MySQL an empty value is the smallest; PostgreSQL must be told, and only where there can be one, because an
    /// index is used only if it says the same.
    fn order(&mut self, order: &str, direction: Direction) {
        let key = self.table.key().name;
        let nullable = self.table.columns.iter().any(|column| column.name == order && column.nullable);
        let (direction, nulls) = match direction {
            Direction::Ascending => ("ASC", " NULLS FIRST"),
            Direction::Descending => ("DESC", " NULLS LAST"),
        };
        let nulls = if nullable && self.engine == Engine::Postgres { nulls } else { "" };
        self.add(format_args!(" ORDER BY {} {direction}{nulls}", self.engine.quoted(order)));
        if order != key {
            self.add(format_args!(", {} {direction}", self.engine.quoted(key)));
        }
    }
}

/// A character as a pattern that means it and nothing else.
fn pattern(character: char) -> String {
    match character {
        'a'..='z' | 'A'..='Z' => format!("[{}{}]", character.to_ascii_lowercase(), character.to_ascii_uppercase()),
        '0'..='9' => character.to_string(),
        other if other.is_ascii() => format!("\\x{{{:02x}}}", other as u32),
        other => other.to_string(),
    }
}
