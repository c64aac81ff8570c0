//! `EventLog` over the outboxes of the roles' files.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ports::{EventLog, LoggedEvent, PortError};

use super::records::SqliteRecords;

/// How often a waiting reader looks for events of other processes.
const LOOK: Duration = Duration::from_millis(500);
/// Events that are read on the caller's thread.
const FEW: usize = 256;

/// Reads the outboxes of the roles that write topics.
pub struct SqliteEventLog {
    topics: HashMap<&'static str, Arc<SqliteRecords>>,
}

impl SqliteEventLog {
    /// The log of these topics, each written by the role with this database.
    pub fn new(topics: impl IntoIterator<Item = (&'static str, Arc<SqliteRecords>)>) -> Arc<Self> {
        Arc::new(Self { topics: topics.into_iter().collect() })
    }

    fn topic(&self, topic: &'static str) -> Result<&Arc<SqliteRecords>, PortError> {
        self.topics.get(topic).ok_or_else(|| PortError::Misused(format!("there is no topic {topic}")))
    }
}

#[async_trait]
impl EventLog for SqliteEventLog {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        let records = self.topic(topic)?;
        if limit <= FEW {
            return records.events(after, limit);
        }
        let records = Arc::clone(records);
        let read = tokio::task::spawn_blocking(move || records.events(after, limit)).await;
        read.unwrap_or_else(|error| Err(PortError::Unavailable(format!("topic {topic}: {error}"))))
    }

    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        let records = self.topic(topic)?;
        let mut announced = records.announced();
        loop {
            if *announced.borrow_and_update() > after || records.last_event()? > after {
                return Ok(());
            }
            // Commits of this process wake us at once; for those of others we look. A closed channel is a database
            // that is being dropped, and then there is nothing to wake us.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, announced.changed()).await {
                return Err(PortError::Unavailable(format!("topic {topic}: closed")));
            }
        }
    }
}
