//! Rows as data: tables are declared once, and every adapter makes its own SQL from the declaration.
//!
//! A value is an integer, a text or bytes, so that a table has the same columns in every engine.

mod check;
mod field;
mod query;
mod record;
mod table;
mod unit;

pub use check::{check_keys, check_query, check_table, check_unit};
pub use field::{Field, Json, WrongValue};
pub use query::{Comparison, Direction, Filter, Query};
pub use record::{Record, RecordsExt, Stored};
pub use table::{Column, Index, Kind, Row, Table, Value};
pub use unit::{NewEvent, Unit, Write};
