//! The promises of the ports, and what only a file can do wrong.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::records_conformance;
use firstcome_core::testkit::records::{Opened, RecordsHarness, TABLES, TOPIC};
use tempfile::TempDir;

use crate::sqlite::{SqliteEventLog, SqliteRecords};

struct Folder(TempDir);

#[async_trait]
impl RecordsHarness for Folder {
    async fn fresh() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    async fn open(&self) -> Opened {
        let records = SqliteRecords::open(self.0.path().join("tested.db"), TABLES).expect("opens");
        Opened { log: SqliteEventLog::new([(TOPIC, Arc::clone(&records))]), records }
    }
}

records_conformance!(Folder);
