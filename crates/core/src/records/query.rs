//! Selecting rows.

use super::{Field, Table, Value};

/// How a column is compared with a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// Equal. Nothing equals an empty value; see [`Comparison::IsNull`].
    Is(Value),
    /// Equal to one of these.
    IsOneOf(Vec<Value>),
    /// Less.
    Less(Value),
    /// Less or equal.
    AtMost(Value),
    /// Greater.
    Greater(Value),
    /// Greater or equal.
    AtLeast(Value),
    /// A text that contains this one, letters A to Z in either case.
    Contains(String),
    /// A text that has one of these in it, byte for byte; none has one of nothing.
    HasOneOf(Vec<String>),
    /// Empty.
    IsNull,
}

/// A condition on a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// The column's name.
    pub column: &'static str,
    /// The comparison that must hold.
    pub comparison: Comparison,
}

/// Which end comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Rows of a table that meet every filter, ordered by a column and then by primary key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The table.
    pub table: &'static Table,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The column that orders, an empty value as the smallest; ties are ordered by primary key in the same direction.
    pub order: (&'static str, Direction),
    /// Only rows strictly after this value of the ordering column and this primary key; stable under inserts.
    pub after: Option<(Value, Value)>,
    /// At most so many.
    pub limit: u32,
}

impl Query {
    /// All rows of a table in the order of its primary key, at most `limit`.
    pub fn all(table: &'static Table, limit: u32) -> Self {
        let order = (table.key().name, Direction::Ascending);
        Self { table, filters: Vec::new(), order, after: None, limit }
    }

    /// Adds a condition.
    #[must_use]
    pub fn filter(mut self, column: &'static str, comparison: Comparison) -> Self {
        self.filters.push(Filter { column, comparison });
        self
    }

    /// Adds the condition that a column equals a value.
    #[must_use]
    pub fn is(self, column: &'static str, value: impl Field) -> Self {
        self.filter(column, Comparison::Is(value.to_value()))
    }

    /// Orders by a column.
    #[must_use]
    pub fn order_by(mut self, column: &'static str, direction: Direction) -> Self {
        self.order = (column, direction);
        self
    }

    /// Whether the values can be a place in this list: of the kinds that the ordering column and the primary key hold.
    pub fn has_place(&self, (value, key): &(Value, Value)) -> bool {
        let order = self.table.columns.iter().find(|column| column.name == self.order.0);
        order.is_some_and(|order| order.takes(value)) && self.table.key().takes(key)
    }

    /// Starts after a row.
    #[must_use]
    pub fn after(mut self, place: Option<(Value, Value)>) -> Self {
        self.after = place;
        self
    }
}
