//! `EventLog` over topics of Kafka: `<prefix>.events.<role>`, one for each role, one partition, kept for ever.
//!
//! [`crate::kafka::Relay`] writes them. What is in a topic counts by the rule of [`place`]; the positions that readers
//! see are the numbers of the events, not offsets.

mod history;
pub(crate) mod message;
pub(crate) mod place;
mod tail;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ports::{EventLog, LoggedEvent, PortError};

use self::history::History;
use self::tail::{Recent, Tail};
use super::KafkaOptions;

/// How long what is in the log may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The short name of the topic that a role writes.
pub(crate) fn topic_of(role: &str) -> String {
    format!("events.{role}")
}

/// Reads the topics of the roles. A topic is followed from its first use on; the latest events are kept in memory.
pub struct KafkaEventLog {
    topics: HashMap<&'static str, Topic>,
}

struct Topic {
    options: KafkaOptions,
    name: String,
    tail: OnceLock<Tail>,
    history: History,
}

impl KafkaEventLog {
    /// The log of these roles. Nothing is asked of Kafka before the first read.
    pub fn new(options: &KafkaOptions, roles: impl IntoIterator<Item = &'static str>) -> Arc<Self> {
        Arc::new(Self { topics: roles.into_iter().map(|role| (role, Topic::new(options, role))).collect() })
    }

    fn topic(&self, role: &'static str) -> Result<&Topic, PortError> {
        self.topics.get(role).ok_or_else(|| PortError::Misused(format!("there is no topic {role}")))
    }
}

impl Topic {
    fn new(options: &KafkaOptions, role: &str) -> Self {
        let name = topic_of(role);
        let history = History::new(options.clone(), options.topic(&name));
        Self { options: options.clone(), name, tail: OnceLock::new(), history }
    }

    fn tail(&self) -> &Tail {
        self.tail.get_or_init(|| Tail::start(self.options.clone(), self.name.clone()))
    }

    async fn read(&self, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        let mut events: Vec<LoggedEvent> = Vec::new();
        while events.len() < limit {
            let (from, room) = (events.last().map_or(after, |event| event.position), limit - events.len());
            match self.tail().recent(from, room).await? {
                Recent::Events(recent) => {
                    events.extend(recent);
                    break;
                }
                // What is older comes first, and then what is in memory.
                Recent::Older(until) => events.extend(self.history.read(from, room, until).await?),
                Recent::Ahead => self.come_up_to(from).await?,
            }
        }
        Ok(events)
    }

    /// A reader comes from another process, which has read more than this one; or from another log.
    async fn come_up_to(&self, position: i64) -> Result<(), PortError> {
        self.tail().read_up_to(self.history.end().await?).await?;
        match self.tail().recent(position, 0).await? {
            Recent::Ahead => Err(PortError::Lost(format!(
                "a reader of the topic {} has handled event {position}, which is not there: it is not the same log",
                self.options.topic(&self.name)
            ))),
            Recent::Events(_) | Recent::Older(_) => Ok(()),
        }
    }
}

#[async_trait]
impl EventLog for KafkaEventLog {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        self.topic(topic)?.read(after, limit).await
    }

    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        self.topic(topic)?.tail().event_after(after).await
    }

    async fn catch_up(&self, topic: &'static str) -> Result<(), PortError> {
        let topic = self.topic(topic)?;
        topic.tail().read_up_to(topic.history.end().await?).await
    }
}
