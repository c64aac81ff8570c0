//! One topic, read message by message from a place that is chosen.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::PortError;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaOptions;
use super::aside::Aside;
use super::options::{is_of_group, unavailable};

/// How long Kafka may take to say where a topic ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// The partition that a topic has.
const ONLY: i32 = 0;

/// A reader of a topic's one partition. It belongs to no group and commits nothing: whoever reads keeps the place.
pub(crate) struct Reader {
    consumer: Arc<Aside<StreamConsumer>>,
    topic: String,
}

impl Reader {
    /// A reader that follows the topic with this full name. It reads nothing before [`Reader::seek`].
    pub(crate) fn follow(options: &KafkaOptions, topic: &str) -> Result<Self, PortError> {
        Self::open(options, topic, "500")
    }

    /// A reader for looking here and there: before it reads at another place, the request at the place before must have
    /// been answered, so it never asks Kafka to wait until there is something to read.
    pub(crate) fn look(options: &KafkaOptions, topic: &str) -> Result<Self, PortError> {
        Self::open(options, topic, "1")
    }

    fn open(options: &KafkaOptions, topic: &str, longest_answer: &str) -> Result<Self, PortError> {
        let mut config = options.client();
        config
            // A name must be given; without a subscription nobody joins it.
            .set("group.id", &options.prefix)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            // A place that the log does not have is damage, never a reason to begin somewhere else.
            .set("auto.offset.reset", "error")
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", longest_answer)
            .set("fetch.error.backoff.ms", "100")
            // A reader that has emptied its queue goes on at once, not after a second.
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "4096")
            // For members of groups; a reader may rest as long as it likes.
            .set("max.poll.interval.ms", "86400000");
        let consumer: StreamConsumer = config.create().map_err(|error| unavailable(&error))?;
        Ok(Self { consumer: Arc::new(Aside::new(consumer)), topic: topic.to_owned() })
    }

    /// Reads on from this offset.
    pub(crate) fn seek(&self, offset: i64) -> Result<(), PortError> {
        let mut place = TopicPartitionList::with_capacity(1);
        place
            .add_partition_offset(&self.topic, ONLY, Offset::Offset(offset))
            .and_then(|()| self.consumer.assign(&place))
            .map_err(|error| unavailable(&error))
    }

    /// The offsets that the topic has now.
    pub(crate) async fn range(&self) -> Result<Range<i64>, PortError> {
        let (consumer, topic) = (Arc::clone(&self.consumer), self.topic.clone());
        let asked = tokio::task::spawn_blocking(move || consumer.fetch_watermarks(&topic, ONLY, PATIENCE)).await;
        let (low, high) = asked
            .map_err(|error| PortError::Unavailable(format!("Kafka: {error}")))?
            .map_err(|error| unavailable(&error))?;
        Ok(low..high)
    }

    /// The next message, as soon as there is one. Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> Result<BorrowedMessage<'_>, PortError> {
        loop {
            match self.consumer.recv().await {
                Ok(message) => return Ok(message),
                Err(error) if is_passing(&error) => tracing::debug!(topic = self.topic, %error, "waiting for Kafka"),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// The next message, if it comes in time.
    pub(crate) async fn next_within(&self, patience: Duration) -> Result<BorrowedMessage<'_>, PortError> {
        let next = tokio::time::timeout(patience, self.next()).await;
        next.unwrap_or_else(|_| Err(PortError::Unavailable(format!("Kafka: nothing comes from {}", self.topic))))
    }

    fn failed(&self, error: &KafkaError) -> PortError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => PortError::Lost(format!(
                "the topic {} no longer has what was read from it: it was cut off, or made anew",
                self.topic
            )),
            _ => unavailable(error),
        }
    }
}

/// Whether the client mends it by itself.
fn is_passing(error: &KafkaError) -> bool {
    let passes = matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::PartitionEOF
        )
    );
    passes || is_of_group(error)
}
