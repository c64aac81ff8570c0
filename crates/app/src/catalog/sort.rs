//! The orders in which lists are given. A cursor says of which order it is, so that it is not taken for a place in another.
//!
//! A page begins behind a place, not behind a count: what is new, changed or gone elsewhere moves nothing. What changes its
//! own place while somebody reads is found at the old place, at the new one, or at both.

use firstcome_core::codes::ErrorCode;
use firstcome_core::records::{Comparison, Direction, Field as _, Kind, Query, Record, Value};

use super::store::{OfferRow, ProductRow};
use crate::http::{Outcome, PageParameters, Problem};

/// An order of the rows of a table.
pub(super) struct Sort<R: 'static> {
    /// As requests call it.
    name: &'static str,
    column: &'static str,
    direction: Direction,
    /// What of a row decides its place.
    value: fn(&R) -> Value,
}

use Direction::{Ascending, Descending};

/// The orders of products; the first when nothing is said.
pub(super) const PRODUCTS: &[Sort<ProductRow>] = &[
    Sort { name: "newest", column: "created_at", direction: Descending, value: |row| row.created_at.to_value() },
    Sort { name: "name", column: "sort_name", direction: Ascending, value: |row| row.sort_name.to_value() },
    Sort { name: "-name", column: "sort_name", direction: Descending, value: |row| row.sort_name.to_value() },
];

/// The orders of offers; the first when nothing is said.
pub(super) const OFFERS: &[Sort<OfferRow>] = &[
    Sort { name: "-opens_at", column: "opens_at", direction: Descending, value: |row| row.opens_at.to_value() },
    Sort { name: "opens_at", column: "opens_at", direction: Ascending, value: |row| row.opens_at.to_value() },
    Sort { name: "newest", column: "created_at", direction: Descending, value: |row| row.created_at.to_value() },
    Sort { name: "name", column: "sort_name", direction: Ascending, value: |row| row.sort_name.to_value() },
    Sort { name: "-name", column: "sort_name", direction: Descending, value: |row| row.sort_name.to_value() },
    Sort { name: "price", column: "price", direction: Ascending, value: |row| row.price.to_value() },
    Sort { name: "-price", column: "price", direction: Descending, value: |row| row.price.to_value() },
];

impl<R: Record> Sort<R> {
    /// The order that a parameter names.
    pub(super) fn named(all: &'static [Self], name: Option<&str>) -> Outcome<&'static Self> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(&all[0]) };
        all.iter().find(|sort| sort.name == name).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|sort| sort.name).collect();
            malformed(&format!("sort is one of {}", names.join(", ")))
        })
    }

    /// The query in this order, from where the page begins.
    pub(super) fn within(&self, query: Query, page: &PageParameters) -> Outcome<Query> {
        let column = R::TABLE.columns.iter().find(|column| column.name == self.column).expect("a column of the table");
        let mut query = query.order_by(self.column, self.direction);
        if column.nullable {
            // An index leaves out what is empty, and serves who says that it wants none of that.
            let least = if column.kind == Kind::Text { "".to_value() } else { i64::MIN.to_value() };
            query = query.filter(self.column, Comparison::AtLeast(least));
        }
        let Some((Value::Text(place), key)) = &page.after else {
            return if page.after.is_none() { Ok(query) } else { Err(no_cursor()) };
        };
        let value = place.split_once('=').filter(|(name, _)| *name == self.name).map(|(_, value)| value);
        let value = match (value, column.kind) {
            (Some(text), Kind::Text) => Value::Text(text.to_owned()),
            (Some(number), _) => Value::Integer(number.parse().map_err(|_| no_cursor())?),
            (None, _) => return Err(no_cursor()),
        };
        let place = (value, key.clone());
        if query.has_place(&place) { Ok(query.after(Some(place))) } else { Err(no_cursor()) }
    }

    /// The place of a row, for a query.
    pub(super) fn after(&self, row: &R) -> (Value, Value) {
        ((self.value)(row), row.key())
    }

    /// The place of a row, for a cursor.
    pub(super) fn place(&self, row: &R) -> (Value, Value) {
        let value = match (self.value)(row) {
            Value::Text(text) => text,
            Value::Integer(number) => number.to_string(),
            Value::Null | Value::Blob(_) => String::new(),
        };
        (Value::Text(format!("{}={value}", self.name)), row.key())
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(ErrorCode::MalformedRequest).detail(detail)
}

fn no_cursor() -> Problem {
    malformed("cursor must be the next_cursor of the page before, of a list with the same sort")
}
