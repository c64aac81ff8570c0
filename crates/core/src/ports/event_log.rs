//! Messages between roles: at least once, in order per topic, resumed after a restart.

use async_trait::async_trait;

use super::PortError;
use crate::ids::EventId;
use crate::time::Time;

/// A message as a consumer sees it; the envelope of CloudEvents 1.0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedEvent {
    /// Its place in the topic; strictly increasing.
    pub position: i64,
    /// Names the message.
    pub id: EventId,
    /// The kind, for example `payment.done`.
    pub kind: String,
    /// What it is about, for example an order's id.
    pub subject: String,
    /// When it was written.
    pub at: Time,
    /// The message itself, as JSON; see [`crate::events`].
    pub data: String,
}

/// Reads what roles have announced. A topic is the name of the role that writes it.
///
/// Writing is part of [`super::Records::commit`]: an event is in the log if and only if the state change that it tells
/// of is durable. A consumer keeps its position in the same commit as its effects, so that twice is once.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Events of a topic after `position`, in order, at most `limit`. Positions begin at 1.
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError>;
    /// Returns when there is an event after `position`, at the latest a second after it was written by another process.
    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError>;
    /// Returns when everything that was in the topic at the call can be read here; an error says that nobody knows. At
    /// once where every [`EventLog::read`] asks the topic itself.
    async fn catch_up(&self, _topic: &'static str) -> Result<(), PortError> {
        Ok(())
    }
}
