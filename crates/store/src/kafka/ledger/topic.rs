//! The journal's topic, and reading it.

use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::PortError;
use firstcome_core::time::Time;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::inbox::Read;
use super::shared::Shared;
use crate::kafka::KafkaOptions;
use crate::kafka::options::{is_of_group, unavailable};
pub(super) use crate::kafka::topics::JOURNAL;

/// Bytes of a message at most, as the topic is created.
pub(super) const LARGEST: usize = 8 << 20;
/// Bytes that are worth an answer to a reader at leisure.
const ENOUGH: usize = 256 << 10;
/// How long the reader waits for a message before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// How long Kafka may be silent while its topic is caught up with.
const SILENCE: Duration = Duration::from_secs(30);

/// The key of an offer's records.
pub(super) fn key_of(offer: OfferNumber) -> Vec<u8> {
    offer.0.to_string().into_bytes()
}

/// The offer that a key is of.
pub(super) fn offer_of(key: &[u8]) -> Option<OfferNumber> {
    std::str::from_utf8(key).ok()?.parse().ok().map(OfferNumber)
}

/// A consumer of the journal's topic that stands nowhere yet, whose answers may be held back for `leisure`.
pub(super) fn consumer(options: &KafkaOptions, leisure: Duration) -> Result<BaseConsumer, PortError> {
    let mut config = options.client();
    // It joins no group; the client library only asks for a name.
    config.set("group.id", options.topic(JOURNAL)).set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false").set("auto.offset.reset", "error");
    let (wait, enough) = if leisure.is_zero() { (100, 1) } else { (leisure.as_millis(), ENOUGH) };
    config.set("fetch.wait.max.ms", wait.to_string()).set("fetch.min.bytes", enough.to_string());
    config.set("fetch.error.backoff.ms", "20");
    config.set("fetch.queue.backoff.ms", "5").set("queued.max.messages.kbytes", "16384");
    config.set("check.crcs", "true").set("allow.auto.create.topics", "false");
    config.create().map_err(|error| unavailable(&error))
}

/// A message as the engine takes it.
fn read(message: &BorrowedMessage<'_>) -> Read {
    Read {
        position: message.offset() + 1,
        key: message.key().unwrap_or_default().to_vec(),
        bytes: message.payload().unwrap_or_default().to_vec(),
        appended: message.timestamp().to_millis().map(Time::from_millis),
    }
}

/// Reads messages up to where the topic ends now; blocks, and gives up when Kafka is silent.
pub(super) struct Catching<'a> {
    consumer: &'a BaseConsumer,
    options: &'a KafkaOptions,
    /// The position of the last message.
    pub(super) end: i64,
    heard: Instant,
}

impl<'a> Catching<'a> {
    /// Refuses a topic whose beginning is gone.
    pub(super) fn up(consumer: &'a BaseConsumer, options: &'a KafkaOptions) -> Result<Self, PortError> {
        let name = options.topic(JOURNAL);
        let began = Instant::now();
        // A topic that was made a moment ago may not be known to every broker yet.
        let (low, end) = loop {
            match consumer.fetch_watermarks(&name, 0, SILENCE) {
                Err(error) if began.elapsed() > SILENCE => return Err(unavailable(&error)),
                Err(_) => std::thread::sleep(LOOK),
                Ok(watermarks) => break watermarks,
            }
        };
        if low > 0 {
            let reason = format!("the topic {name} begins at offset {low}: its first records are gone");
            return Err(PortError::Lost(reason));
        }
        Ok(Self { consumer, options, end, heard: Instant::now() })
    }

    /// Goes on behind `position`.
    pub(super) fn from(&mut self, position: i64) -> Result<(), PortError> {
        let mut partitions = TopicPartitionList::new();
        let added = partitions.add_partition_offset(&self.options.topic(JOURNAL), 0, Offset::Offset(position));
        self.heard = Instant::now();
        added.and_then(|()| self.consumer.assign(&partitions)).map_err(|error| unavailable(&error))
    }

    /// The next message.
    pub(super) fn next(&mut self) -> Result<Read, PortError> {
        loop {
            match self.consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    self.heard = Instant::now();
                    return Ok(read(&message));
                }
                Some(Err(error)) if is_lost(&error) => {
                    return Err(PortError::Lost(format!("the journal's topic cannot be read: {error}")));
                }
                Some(Err(error)) => tracing::debug!(%error, "reading the journal's topic"),
                None => {}
            }
            if self.heard.elapsed() > SILENCE {
                return Err(PortError::Unavailable("Kafka does not give the journal's records".to_owned()));
            }
        }
    }
}

/// Whether the topic is not the one that was read before; everything else passes.
fn is_lost(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::LogTruncation)
    )
}

/// Feeds the inbox until it is closed.
pub(super) fn follow(shared: &Shared, consumer: &BaseConsumer) {
    while !shared.inbox.is_closed() {
        match consumer.poll(LOOK) {
            None => {}
            Some(Ok(message)) => {
                if !shared.inbox.read(read(&message)) {
                    return;
                }
                shared.lanes.ring();
            }
            Some(Err(error)) if is_lost(&error) => {
                let reason = format!("the journal's topic in Kafka is not the one that was read so far: {error}");
                shared.inbox.lost(PortError::Lost(reason));
                shared.lanes.ring();
                return;
            }
            Some(Err(error)) if is_of_group(&error) => {}
            Some(Err(error)) => {
                shared.inbox.unreachable(error.to_string());
                shared.lanes.ring();
            }
        }
    }
}
