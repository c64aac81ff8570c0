//! Topics: created by the program with what its promises need.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ports::PortError;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::KafkaOptions;
use super::aside::Aside;
use super::knock::knock;
use super::options::unavailable;
use super::reader::Reader;

/// The topic of the ledger, without the prefix.
pub const JOURNAL: &str = "journal";
/// How long Kafka may take to create a topic.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it is waited before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long it is asked why it did not.
const LOOK: Duration = Duration::from_secs(2);

/// Bytes of a message at most; one is a batch of records.
const LARGEST_MESSAGE: &str = "8388608";

/// Creates a topic that keeps everything for ever, if it is not there.
///
/// One partition, on purpose: the topic is one total order, its offsets are the positions that every projection keeps,
/// and one partition takes several times what a ledger can decide (see `docs/performance.md`).
pub async fn ensure(options: &KafkaOptions, name: &str) -> Result<(), PortError> {
    let admin: AdminClient<DefaultClientContext> = options.client().create().map_err(|error| unavailable(&error))?;
    let admin = Arc::new(Aside::new(admin));
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
    let results = match admin.create_topics([&new], &patience).await {
        Ok(results) => results,
        Err(error) => return Err(unreachable(options, &error).await),
    };
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            // Who may not create topics may have had them made by somebody else.
            Err((_, RDKafkaErrorCode::TopicAuthorizationFailed)) if is_there(&admin, topic.clone()).await => {}
            Err((topic, code)) => {
                return Err(PortError::Unavailable(format!("Kafka does not create the topic {topic}: {code}")));
            }
        }
    }
    Ok(())
}

async fn is_there(admin: &Arc<Aside<AdminClient<DefaultClientContext>>>, topic: String) -> bool {
    let admin = Arc::clone(admin);
    let asked = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(Some(&topic), PATIENCE)).await;
    let found = asked.ok().and_then(Result::ok);
    found.is_some_and(|found| found.topics().iter().any(|topic| !topic.partitions().is_empty()))
}

/// Creates a topic like [`ensure`] and refuses one in which something is, or was.
pub async fn must_be_empty(options: &KafkaOptions, name: &str) -> Result<(), PortError> {
    ensure(options, name).await?;
    let topic = options.topic(name);
    let reader = Reader::look(options, &topic)?;
    let began = Instant::now();
    let end = loop {
        match reader.range().await {
            Ok(range) => break range.end,
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            // Of a topic that was made a moment ago not every broker knows who leads it.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    if end == 0 {
        return Ok(());
    }
    Err(PortError::Misused(format!(
        "the topic {topic} is not empty: give the cluster another kafka.prefix, or delete the topic"
    )))
}

/// Kafka did not do what was asked of it first.
async fn unreachable(options: &KafkaOptions, error: &KafkaError) -> PortError {
    let why = knock(options, LOOK).await.map_or_else(|closed| closed.why, |_| error.to_string());
    let servers = &options.servers;
    PortError::Unavailable(format!(
        "Kafka does not answer at {servers} ({why}): see that it runs, and that kafka.servers, user and password are right"
    ))
}
