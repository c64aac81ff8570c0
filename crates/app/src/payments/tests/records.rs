//! A database in memory whose commits and reads can be harmed.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{Query, Row, Table, Unit, Value};
use firstcome_core::testkit::MemoryRecords;

use crate::harm::Steps;

pub(super) struct HarmedRecords {
    pub(super) inner: Arc<MemoryRecords>,
    pub(super) steps: Arc<Steps>,
}

fn unavailable<T>() -> Result<T, PortError> {
    Err(PortError::Unavailable("harmed".to_owned()))
}

#[async_trait]
impl Records for HarmedRecords {
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        self.steps.pass("get", async || self.inner.get(table, key.clone()).await, unavailable).await
    }
    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError> {
        self.inner.get_many(table, keys).await
    }
    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.steps.pass("select", async || self.inner.select(query.clone()).await, unavailable).await
    }
    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        self.steps.pass("commit", async || self.inner.commit(unit.clone()).await, unavailable).await
    }
    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        self.inner.position(consumer).await
    }
}
