//! Topics: created by the program with what its promises need.

use std::time::Duration;

use firstcome_core::ports::PortError;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::KafkaOptions;
use super::options::unavailable;
use super::reader::Reader;

/// The topic of the ledger, without the prefix.
pub const JOURNAL: &str = "journal";
/// How long Kafka may take to create a topic.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes of a message at most; one is a batch of records.
const LARGEST_MESSAGE: &str = "8388608";

/// Creates a topic that keeps everything for ever, if it is not there.
///
/// One partition, on purpose: the topic is one total order, its offsets are the positions that every projection keeps,
/// and one partition takes several times what a ledger can decide (see `docs/performance.md`).
pub async fn ensure(options: &KafkaOptions, name: &str) -> Result<(), PortError> {
    let admin: AdminClient<DefaultClientContext> = options.client().create().map_err(|error| unavailable(&error))?;
    let topic = options.topic(name);
    let in_sync = options.min_in_sync.to_string();
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(options.replication))
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("cleanup.policy", "delete")
        .set("max.message.bytes", LARGEST_MESSAGE)
        .set("min.insync.replicas", &in_sync)
        .set("unclean.leader.election.enable", "false")
        .set("message.timestamp.type", "LogAppendTime");
    let patience = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    let results = admin.create_topics([&new], &patience).await.map_err(|error| unreachable(options, &error))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(PortError::Unavailable(format!("Kafka does not create the topic {topic}: {code}")));
            }
        }
    }
    Ok(())
}

/// Creates a topic like [`ensure`] and refuses one in which something is, or was.
pub async fn must_be_empty(options: &KafkaOptions, name: &str) -> Result<(), PortError> {
    ensure(options, name).await?;
    let topic = options.topic(name);
    if Reader::look(options, &topic)?.range().await?.end == 0 {
        return Ok(());
    }
    Err(PortError::Misused(format!(
        "the topic {topic} is not empty: give the cluster another kafka.prefix, or delete the topic"
    )))
}

/// Kafka did not answer the first question that is asked of it.
fn unreachable(options: &KafkaOptions, error: &KafkaError) -> PortError {
    let servers = &options.servers;
    PortError::Unavailable(format!(
        "Kafka does not answer at {servers} ({error}): see that it runs and that kafka.servers is right"
    ))
}
