//! Durable rows of one role.

use async_trait::async_trait;

use super::PortError;
use crate::records::{Query, Row, Table, Unit, Value};

/// What came of a unit of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    /// All of it is durable.
    Done,
    /// None of it happened: the write at this index met another version, an existing key, or a unique index. Read
    /// again and decide anew. For the consumer's position, which is judged before the writes, the index is one past the
    /// last write.
    Conflict(usize),
}

/// The database of one role: a unit of work commits whole and durably, or not at all.
///
/// - [`Records::commit`] answers `Done` only when everything is on the disk; readers see only such commits.
/// - Units from different callers may share one sync; each is judged on its own.
/// - A unit whose future is dropped before it answers may commit all the same.
/// - A table exists from the moment that the adapter was opened with it.
#[async_trait]
pub trait Records: Send + Sync + 'static {
    /// The row with this primary key.
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError>;
    /// The rows with these primary keys, those that exist, in the order of the keys.
    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError>;
    /// The rows that a query selects.
    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError>;
    /// Commits a unit of work.
    async fn commit(&self, unit: Unit) -> Result<Committed, PortError>;
    /// Up to where a consumer has come; 0 before its first commit.
    async fn position(&self, consumer: &'static str) -> Result<i64, PortError>;
}
