//! Whether a topic may be read and written to. Kafka's client cannot ask for that, so it is tried, and nothing is appended:
//! a topic in which something was written is no longer one that a shop can be moved into.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use super::PATIENCE;
use crate::check::CheckLine;
use crate::kafka::KafkaOptions;
use crate::kafka::aside::Aside;
use crate::kafka::options::is_of_group;

/// Acknowledgements that no broker takes. It looks at the rights first and then refuses the request, whatever is in it.
const REFUSED: &str = "2";

/// What the user may not do, or what could not be found out.
pub(super) async fn faults(options: &KafkaOptions, topic: &str, writes: bool) -> Vec<CheckLine> {
    let line = |what: &str, right: &str, tried: KafkaResult<()>| {
        let error = tried.err()?;
        let (topic, found) = (format!("topic {topic}"), format!("cannot be {what}: {error}"));
        Some(if is_missing_right(&error) {
            CheckLine::fail(topic, found, format!("give the user the right to {right} topics with kafka.prefix"))
        } else {
            let advice =
                "see that the addresses that the brokers advertise can be reached from here, and that they run";
            CheckLine::down(topic, found, advice)
        })
    };
    let mut faults = Vec::new();
    faults.extend(line("read", "read", read(options, topic).await));
    if writes {
        faults.extend(line("written to", "write to", write(options, topic).await));
    }
    faults
}

fn is_missing_right(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(code, Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed))
}

/// Reads what comes after the last message: that nothing does is an answer too.
async fn read(options: &KafkaOptions, topic: &str) -> KafkaResult<()> {
    let mut config = options.client();
    config.set("group.id", &options.prefix).set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    config.set("allow.auto.create.topics", "false").set("fetch.wait.max.ms", "10");
    let consumer = Arc::new(Aside::new(config.create::<BaseConsumer>()?));
    let mut end = TopicPartitionList::new();
    end.add_partition_offset(topic, 0, Offset::End)?;
    consumer.assign(&end)?;
    let polled = Arc::clone(&consumer);
    let answer = tokio::task::spawn_blocking(move || {
        loop {
            return match polled.poll(PATIENCE) {
                None => Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => Ok(()),
                Some(Err(error)) if is_of_group(&error) => continue,
                Some(Err(error)) => Err(error),
            };
        }
    });
    answer.await.map_err(|_| KafkaError::Canceled)?
}

/// Sends a message that is refused for what it asks for, unless it is refused for who sends it.
async fn write(options: &KafkaOptions, topic: &str) -> KafkaResult<()> {
    let mut config = options.client();
    config.set("acks", REFUSED).set("message.timeout.ms", PATIENCE.as_millis().to_string());
    let producer = Aside::new(config.create::<FutureProducer>()?);
    let nothing = FutureRecord::<str, str>::to(topic).partition(0).payload("");
    match producer.send(nothing, PATIENCE).await {
        Ok(_) | Err((KafkaError::MessageProduction(RDKafkaErrorCode::InvalidRequiredAcks), _)) => Ok(()),
        Err((error, _)) => Err(error),
    }
}
