//! Appending to the journal's topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ports::PortError;
use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};

use super::inbox::Report;
use super::shared::Shared;
use super::topic::{JOURNAL, LARGEST};
use crate::kafka::options::unavailable;

/// How long a producer may do nothing but fail before another takes its place. One that a broker which is just coming back told
/// of no broker at all knows of none for ever (librdkafka, issue 5301).
const FAILING: Duration = Duration::from_secs(10);

pub(super) struct Context(Arc<Shared>);

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        self.0.inbox.unreachable(reason.to_owned());
        self.0.lanes.ring();
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, id: usize) {
        let failed = result.as_ref().err().map(|(error, _)| error.to_string());
        self.0.inbox.report(Report { id, failed });
        self.0.lanes.ring();
    }
}

/// Appends messages, each with an id by which its fate is reported to the inbox.
pub(super) struct Appender {
    shared: Arc<Shared>,
    topic: String,
    producer: ThreadedProducer<Context>,
    fails: Fails,
}

/// Since when nothing that was appended has arrived.
#[derive(Default)]
struct Fails(Option<Instant>);

impl Fails {
    fn heard(&mut self, arrived: bool, now: Instant) {
        self.0 = if arrived { None } else { self.0.or(Some(now)) };
    }

    fn are_too_many(&self, now: Instant) -> bool {
        self.0.is_some_and(|since| now.duration_since(since) > FAILING)
    }
}

impl Appender {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, PortError> {
        let topic = shared.options.kafka.topic(JOURNAL);
        let producer = Self::producer(&shared)?;
        Ok(Self { shared, topic, producer, fails: Fails::default() })
    }

    fn producer(shared: &Arc<Shared>) -> Result<ThreadedProducer<Context>, PortError> {
        let mut config = shared.options.kafka.client();
        let patience = shared.options.patience.as_millis().to_string();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("compression.type", "lz4");
        config.set("delivery.timeout.ms", &patience).set("request.timeout.ms", &patience);
        config.set("message.max.bytes", LARGEST.to_string()).set("retry.backoff.ms", "20");
        config.create_with_context(Context(shared.clone())).map_err(|error| unavailable(&error))
    }

    /// What became of a message.
    pub(super) fn heard(&mut self, arrived: bool) {
        self.fails.heard(arrived, Instant::now());
    }

    pub(super) fn append(&mut self, id: usize, key: &[u8], bytes: &[u8]) -> Result<(), PortError> {
        if let Some((code, reason)) = self.producer.client().fatal_error() {
            tracing::error!(?code, reason, "the producer of the journal begins anew");
            self.begin_anew()?;
        } else if self.fails.are_too_many(Instant::now()) {
            tracing::warn!("nothing of the journal arrives; its producer begins anew");
            self.begin_anew()?;
        }
        let record = BaseRecord::with_opaque_to(&self.topic, id).partition(0).key(key).payload(bytes);
        self.producer.send(record).map_err(|(error, _)| unavailable(&error))
    }

    /// Takes another producer. What this one has under way is reported as failed when it goes.
    fn begin_anew(&mut self) -> Result<(), PortError> {
        self.producer = Self::producer(&self.shared)?;
        self.fails = Fails::default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_that_does_nothing_but_fail_is_worth_nothing_after_a_while() {
        let began = Instant::now();
        let after = |tenths: u32| began + FAILING / 10 * tenths;
        let mut fails = Fails::default();
        assert!(!fails.are_too_many(after(90)), "nothing was appended");
        fails.heard(false, began);
        fails.heard(false, after(9));
        assert!(!fails.are_too_many(after(10)));
        assert!(fails.are_too_many(after(11)), "it counts from the first");
        fails.heard(true, after(11));
        fails.heard(false, after(12));
        assert!(!fails.are_too_many(after(21)));
        assert!(fails.are_too_many(after(23)));
    }
}
