//! Writes events to a topic, in order, each acknowledged by all copies that are in sync.

use firstcome_core::ports::{LoggedEvent, PortError};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;

use crate::kafka::KafkaOptions;
use crate::kafka::aside::Aside;
use crate::kafka::event_log::message;
use crate::kafka::event_log::place::Place;
use crate::kafka::options::unavailable;

/// The producer of one relay.
pub(in crate::kafka) struct Publisher {
    producer: Aside<FutureProducer>,
    role: &'static str,
    topic: String,
}

impl Publisher {
    /// A producer for a role's topic, given by its full name.
    pub(in crate::kafka) fn new(options: &KafkaOptions, role: &'static str, topic: String) -> Result<Self, PortError> {
        let mut config = options.client();
        config
            .set("acks", "all")
            // In order and once, as long as this producer lives; for what is left there is the rule of the readers.
            .set("enable.idempotence", "true")
            .set("linger.ms", "1")
            .set("compression.type", "lz4")
            // The topic's own limit decides.
            .set("message.max.bytes", "16777216")
            // What is not acknowledged by then is looked for in the topic.
            .set("message.timeout.ms", "10000");
        let producer = config.create().map_err(|error| unavailable(&error))?;
        Ok(Self { producer: Aside::new(producer), role, topic })
    }

    /// Writes events that follow a place. Returns the offset of the last one when all of them are acknowledged.
    pub(in crate::kafka) async fn publish(&self, events: &[LoggedEvent], place: Place) -> Result<i64, PortError> {
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            let record = FutureRecord::to(&self.topic)
                .partition(0)
                .key(&event.subject)
                .payload(&event.data)
                .headers(message::headers(event, place, self.role));
            deliveries.push(self.producer.send_result(record).map_err(|(error, _)| self.refused(event, &error))?);
        }
        let mut last = place.offset - 1;
        for (event, delivery) in events.iter().zip(deliveries) {
            let delivered =
                delivery.await.map_err(|_| PortError::Unavailable("Kafka: the producer ended".to_owned()))?;
            let delivered = delivered.map_err(|(error, _)| self.refused(event, &error))?;
            last = last.max(delivered.offset);
        }
        Ok(last)
    }

    fn refused(&self, event: &LoggedEvent, error: &KafkaError) -> PortError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => PortError::Misused(format!(
                "event {} of {} ({} bytes) is larger than the topic's max.message.bytes",
                event.position,
                self.topic,
                event.data.len()
            )),
            _ => unavailable(error),
        }
    }
}
