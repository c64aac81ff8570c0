//! Taking over the journal of another ledger: the same records, in the same order, in an empty topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firstcome_core::ports::{JournalEntry, PortError};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};

use super::topic::{self, JOURNAL, LARGEST};
use crate::kafka::options::unavailable;
use crate::kafka::{KafkaOptions, topics};

/// How long Kafka may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// What became of the records.
#[derive(Clone, Default)]
struct Fate {
    acknowledged: Arc<AtomicUsize>,
    failure: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Fate {}

impl ProducerContext<NoCustomPartitioner> for Fate {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => *self.failure.lock() = Some(error.to_string()),
        }
    }
}

/// An empty topic that is being filled. Everything blocks.
pub struct AdoptedJournal {
    producer: ThreadedProducer<Fate>,
    fate: Fate,
    topic: String,
    sent: usize,
}

impl AdoptedJournal {
    /// Creates the journal's topic; refused when something is in it.
    pub async fn begin(options: &KafkaOptions) -> Result<Self, PortError> {
        topics::must_be_empty(options, JOURNAL).await?;
        let mut config = options.client();
        config.set("enable.idempotence", "true").set("acks", "all").set("compression.type", "lz4");
        config.set("message.max.bytes", LARGEST.to_string()).set("linger.ms", "5");
        let fate = Fate::default();
        let producer = config.create_with_context(fate.clone()).map_err(|error| unavailable(&error))?;
        Ok(Self { producer, fate, topic: options.topic(JOURNAL), sent: 0 })
    }

    /// Appends the next record. Positions must be 1, 2, 3 and so on, because consumers go on from theirs.
    pub fn append(&mut self, entry: &JournalEntry) -> Result<(), PortError> {
        self.sent += 1;
        if entry.position != self.sent as i64 {
            return Err(PortError::Misused(format!("record {} is at position {}", self.sent, entry.position)));
        }
        let (key, bytes) = (topic::key_of(entry.record.offer), entry.record.encode());
        loop {
            let record = BaseRecord::with_opaque_to(&self.topic, ()).partition(0).key(&key).payload(&bytes);
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                // Its queue is full; the records in it are on their way.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(unavailable(&error)),
            }
        }
    }

    /// Waits until every record is acknowledged. Returns how many there are.
    pub fn finish(self) -> Result<usize, PortError> {
        self.producer.flush(SILENCE).map_err(|error| unavailable(&error))?;
        if let Some(failure) = self.fate.failure.lock().take() {
            return Err(PortError::Unavailable(format!("Kafka: {failure}")));
        }
        let acknowledged = self.fate.acknowledged.load(Ordering::Relaxed);
        if acknowledged != self.sent {
            return Err(PortError::Unavailable(format!("Kafka acknowledged {acknowledged} of {} records", self.sent)));
        }
        Ok(self.sent)
    }
}
