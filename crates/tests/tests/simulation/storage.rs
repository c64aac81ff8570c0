//! The shop's databases as the roles see them: the real ones behind gates, and failing now and then.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ports::{Committed, EventLog, LoggedEvent, PortError, Records};
use firstcome_core::records::{Query, Row, Table, Unit, Value};

use super::faults::{Faults, Harm};
use super::gates::{Gates, at_once};

pub(super) fn broken<T>() -> Result<T, PortError> {
    Err(PortError::Unavailable("as the seed wants it".to_owned()))
}

/// The database of one role.
pub(super) struct GatedRecords {
    pub(super) inner: Arc<dyn Records>,
    pub(super) gates: Arc<Gates>,
    pub(super) faults: Arc<Faults>,
}

impl GatedRecords {
    async fn read<T>(&self, work: impl Future<Output = Result<T, PortError>> + Send) -> Result<T, PortError> {
        self.gates.pass().await;
        if self.faults.strike(self.faults.weather.storage, 2_000) { broken() } else { at_once(work) }
    }
}

#[async_trait]
impl Records for GatedRecords {
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        self.read(self.inner.get(table, key)).await
    }

    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError> {
        self.read(self.inner.get_many(table, keys)).await
    }

    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.read(self.inner.select(query)).await
    }

    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        self.read(self.inner.position(consumer)).await
    }

    /// Fails before its effect, or after it: then nobody knows.
    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        let storage = self.faults.weather.storage;
        self.gates.pass().await;
        if self.faults.strike(storage, 1_000) {
            return broken();
        }
        let committed = at_once(self.inner.commit(unit));
        self.gates.tell();
        self.gates.pass().await;
        if self.faults.strike(storage, 1_000) { broken() } else { committed }
    }
}

/// What the roles tell each other.
pub(super) struct GatedLog {
    pub(super) inner: Arc<dyn EventLog>,
    pub(super) gates: Arc<Gates>,
    pub(super) faults: Arc<Faults>,
}

#[async_trait]
impl EventLog for GatedLog {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        self.gates.pass().await;
        let mut events = at_once(self.inner.read(topic, after, limit))?;
        if self.faults.harm == Some(Harm::DropsAnEvent) {
            events.retain(|event| event.kind != "refund.approved");
        }
        Ok(events)
    }

    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        self.gates.until(|| at_once(self.inner.read(topic, after, 1)).map(|events| !events.is_empty())).await
    }
}
