//! The promises about events once more, when they go through Kafka.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ports::{EventLog, LoggedEvent, PortError};
use firstcome_core::testkit::records::{Opened, RecordsHarness, TOPIC};
use tokio::task::AbortHandle;

use super::database::{Database, Place};
use crate::kafka::{KafkaEventLog, KafkaOptions, Relay, testing};
use crate::outbox::Outbox;
use crate::sql::SqlRecords;

/// A database and a topic that belong together. Everyone who opens it brings a relay, as processes of one role do.
pub(super) struct Relayed<P: Place> {
    database: Database<P>,
    kafka: KafkaOptions,
}

#[async_trait]
impl<P: Place> RecordsHarness for Relayed<P> {
    async fn fresh() -> Self {
        Self { database: Database::new().await, kafka: testing::options() }
    }

    async fn open(&self) -> Opened {
        let records = self.database.records().await;
        let relay = Relay::new(self.kafka.clone(), TOPIC, Arc::clone(&records) as _);
        let relay = tokio::spawn(async move { panic!("the relay ended: {}", relay.run().await) });
        let log = KafkaEventLog::new(&self.kafka, [TOPIC]);
        Opened { log: Arc::new(Current { log, records: Arc::clone(&records), relay: relay.abort_handle() }), records }
    }
}

/// The log, which is read when everything that was committed has arrived in it.
struct Current {
    log: Arc<KafkaEventLog>,
    records: Arc<SqlRecords>,
    relay: AbortHandle,
}

#[async_trait]
impl EventLog for Current {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        let last = self.records.last().await?;
        if last > 0 {
            self.log.wait(topic, last - 1).await?;
        }
        self.log.read(topic, after, limit).await
    }

    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        self.log.wait(topic, after).await
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.relay.abort();
    }
}
