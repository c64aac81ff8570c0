//! Rust structs as rows.

use super::{Direction, Field, Query, Row, Table, Value, WrongValue};
use crate::ports::{PortError, Records};

/// A struct that is a row of one table. Declare it with [`crate::record!`].
pub trait Record: Sized + Send + 'static {
    /// Its table.
    const TABLE: &'static Table;
    /// Its values in the order of the columns.
    fn to_values(&self) -> Vec<Value>;
    /// Reads it back.
    fn from_values(values: Vec<Value>) -> Result<Self, WrongValue>;
    /// Its primary key.
    fn key(&self) -> Value;
}

/// A record with the version that it was loaded at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// See [`Row::version`].
    pub version: i64,
}

fn stored<R: Record>(row: Row) -> Result<Stored<R>, PortError> {
    let record =
        R::from_values(row.values).map_err(|error| PortError::Corrupt(format!("table {}: {error}", R::TABLE.name)))?;
    Ok(Stored { record, version: row.version })
}

/// Typed reading.
pub trait RecordsExt {
    /// The record with this key.
    fn load<R: Record>(
        &self,
        key: impl Field + Send,
    ) -> impl Future<Output = Result<Option<Stored<R>>, PortError>> + Send;
    /// The records that a query over `R::TABLE` selects.
    fn list<R: Record>(&self, query: Query) -> impl Future<Output = Result<Vec<Stored<R>>, PortError>> + Send;
    /// Every record that the filters of a query over `R::TABLE` select, in the order of the primary key, read in pages of
    /// the query's limit.
    fn every<R: Record>(&self, query: Query) -> impl Future<Output = Result<Vec<Stored<R>>, PortError>> + Send;
}

impl<T: Records + ?Sized> RecordsExt for T {
    async fn load<R: Record>(&self, key: impl Field + Send) -> Result<Option<Stored<R>>, PortError> {
        self.get(R::TABLE, key.to_value()).await?.map(stored).transpose()
    }

    async fn list<R: Record>(&self, query: Query) -> Result<Vec<Stored<R>>, PortError> {
        if !std::ptr::eq(query.table, R::TABLE) && query.table.name != R::TABLE.name {
            return Err(PortError::Misused(format!("query over {} read as {}", query.table.name, R::TABLE.name)));
        }
        self.select(query).await?.into_iter().map(stored).collect()
    }

    async fn every<R: Record>(&self, query: Query) -> Result<Vec<Stored<R>>, PortError> {
        let query = query.order_by(R::TABLE.key().name, Direction::Ascending);
        let mut rows: Vec<Stored<R>> = Vec::new();
        loop {
            let last = rows.last().map(|row| (row.record.key(), row.record.key()));
            let page = self.list::<R>(query.clone().after(last)).await?;
            let is_last = page.is_empty() || page.len() < query.limit as usize;
            rows.extend(page);
            if is_last {
                return Ok(rows);
            }
        }
    }
}

/// Declares a struct that is a row: `record! { struct Name in "table" { key: Type, ... } indexes [ ... ] }`.
///
/// The first field is the primary key; every field's type implements [`Field`]. An index is
/// `unique "name" (columns)` or `index "name" (columns)`. With `append only` behind the indexes rows stay as they were
/// inserted.
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident in $table:literal {
            $(#[$key_meta:meta])* $key_visibility:vis $key:ident: $key_type:ty,
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $field_type:ty,)*
        }
        indexes [ $($uniqueness:ident $index:literal ($($column:literal),+)),* $(,)? ]
        $(append $only:ident)?
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $(#[$key_meta])* $key_visibility $key: $key_type,
            $($(#[$field_meta])* $field_visibility $field: $field_type,)*
        }

        impl $crate::records::Record for $name {
            const TABLE: &'static $crate::records::Table = &$crate::records::Table {
                name: $table,
                columns: &[
                    $crate::record!(@column $key $key_type),
                    $($crate::record!(@column $field $field_type),)*
                ],
                indexes: &[$($crate::records::Index {
                    name: $index,
                    columns: &[$($column),+],
                    unique: $crate::record!(@uniqueness $uniqueness),
                },)*],
                append_only: $crate::record!(@append $($only)?),
            };

            fn to_values(&self) -> Vec<$crate::records::Value> {
                vec![
                    $crate::records::Field::to_value(&self.$key),
                    $($crate::records::Field::to_value(&self.$field),)*
                ]
            }

            fn from_values(values: Vec<$crate::records::Value>) -> Result<Self, $crate::records::WrongValue> {
                let mut values = values.into_iter();
                let mut next = || values.next().ok_or($crate::records::WrongValue("complete row"));
                Ok(Self {
                    $key: $crate::records::Field::from_value(next()?)?,
                    $($field: $crate::records::Field::from_value(next()?)?,)*
                })
            }

            fn key(&self) -> $crate::records::Value {
                $crate::records::Field::to_value(&self.$key)
            }
        }
    };
    (@column $name:ident $type:ty) => {
        $crate::records::Column {
            name: stringify!($name),
            kind: <$type as $crate::records::Field>::KIND,
            nullable: <$type as $crate::records::Field>::NULLABLE,
        }
    };
    (@append only) => { true };
    (@append) => { false };
    (@uniqueness unique) => { true };
    (@uniqueness index) => { false };
}

/// Declares an enum that is kept, and shown in JSON, as the given texts.
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:tt,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
        $visibility enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// The text that stands for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::records::WrongValue;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::records::WrongValue(stringify!($name))),
                }
            }
        }

        impl $crate::records::Field for $name {
            const KIND: $crate::records::Kind = $crate::records::Kind::Text;
            fn to_value(&self) -> $crate::records::Value {
                $crate::records::Value::Text(self.as_str().to_owned())
            }
            fn from_value(value: $crate::records::Value) -> Result<Self, $crate::records::WrongValue> {
                <String as $crate::records::Field>::from_value(value)?.parse()
            }
        }
    };
}
