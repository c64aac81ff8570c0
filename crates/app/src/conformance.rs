//! The roles' tests run on records in memory; these show that those keep the promises of the ports.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::records_conformance;
use firstcome_core::testkit::MemoryRecords;
use firstcome_core::testkit::records::{Opened, RecordsHarness, TABLES, TOPIC};

struct InMemory(Arc<MemoryRecords>);

#[async_trait]
impl RecordsHarness for InMemory {
    async fn fresh() -> Self {
        Self(Arc::new(MemoryRecords::new(TOPIC, TABLES)))
    }

    async fn open(&self) -> Opened {
        Opened { records: self.0.clone(), log: self.0.clone() }
    }
}

records_conformance!(InMemory);
