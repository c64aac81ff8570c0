//! What is asked of the brokers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::PATIENCE;
use crate::check::CheckLine;
use crate::kafka::KafkaOptions;
use crate::kafka::aside::Aside;
use crate::kafka::knock::{Closed, knock};

/// How often a topic is looked for that must be there, and how long it is waited in between.
const LOOKS: usize = 15;
const PAUSE: Duration = Duration::from_millis(200);

/// The brokers and the topics, as they were when they were asked for.
pub(super) struct Cluster {
    pub(super) admin: Arc<Aside<AdminClient<DefaultClientContext>>>,
    /// Where each broker is.
    brokers: HashMap<i32, String>,
    /// The partitions of each topic.
    pub(super) topics: HashMap<String, Vec<Partition>>,
}

/// A partition of a topic.
#[derive(Clone)]
pub(super) struct Partition {
    /// How many copies it has.
    pub(super) copies: usize,
    /// How many of them have everything.
    pub(super) in_sync: usize,
}

impl Cluster {
    /// Asks Kafka; a line says why it does not answer.
    pub(super) async fn look(options: &KafkaOptions) -> Result<Self, CheckLine> {
        let closed = |why: &str, advice| {
            CheckLine::fail("Kafka: reachable", format!("no answer from {}: {why}", options.servers), advice)
        };
        let metadata = knock(options, PATIENCE).await.map_err(|Closed { why, refused }| {
            let address = "start Kafka, and see that kafka.servers names its brokers";
            closed(&why, if refused { "see that kafka.user and kafka.password are right" } else { address })
        })?;
        let admin = options.client().create::<AdminClient<DefaultClientContext>>();
        let admin =
            Arc::new(Aside::new(admin.map_err(|error| closed(&error.to_string(), "see that its settings are right"))?));
        let broker = |broker: &rdkafka::metadata::MetadataBroker| format!("{}:{}", broker.host(), broker.port());
        let brokers = metadata.brokers().iter().map(|found| (found.id(), broker(found))).collect();
        Ok(Self { admin, brokers, topics: topics(&metadata) })
    }

    /// Looks for a topic that must be there: of one made a moment ago not every broker knows.
    pub(super) async fn look_again(&self, topic: &str) -> Option<Vec<Partition>> {
        for _ in 0..LOOKS {
            let (admin, name) = (Arc::clone(&self.admin), topic.to_owned());
            let asked = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(Some(&name), PATIENCE)).await;
            let mut found = asked.ok().and_then(Result::ok).map(|metadata| topics(&metadata)).unwrap_or_default();
            if let Some(partitions) = found.remove(topic).filter(|partitions| !partitions.is_empty()) {
                return Some(partitions);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// The settings of a topic or a broker.
    pub(super) async fn settings(&self, of: ResourceSpecifier<'_>) -> Result<ConfigResource, RDKafkaErrorCode> {
        let patience = AdminOptions::new().request_timeout(Some(PATIENCE));
        let described = self.admin.describe_configs([&of], &patience).await;
        let described = described.map_err(|error| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))?;
        described.into_iter().next().unwrap_or(Err(RDKafkaErrorCode::Fail))
    }

    /// What is to be said of the brokers.
    pub(super) async fn lines(&self, options: &KafkaOptions) -> Vec<CheckLine> {
        let mut places: Vec<&str> = self.brokers.values().map(String::as_str).collect();
        places.sort_unstable();
        let found = format!("{} broker(s): {}", places.len(), places.join(", "));
        let mut lines = vec![if places.len() < usize::try_from(options.replication).unwrap_or(0) {
            let advice = "start more brokers, or set kafka.replication lower: new topics cannot be created";
            CheckLine::down("Kafka: reachable", found, advice)
        } else {
            CheckLine::ok("Kafka: reachable", found)
        }];
        let Some(broker) = self.brokers.keys().min() else { return lines };
        match self.settings(ResourceSpecifier::Broker(*broker)).await {
            Ok(settings) => lines.extend([version(&settings), automatic_topics(&settings)]),
            Err(code) => lines.push(CheckLine::warn(
                "Kafka: version",
                format!("not told: {code}"),
                "see yourself that it is 4.0 or later; the user may be given the right to describe the cluster's configs",
            )),
        }
        lines
    }
}

fn topics(metadata: &Metadata) -> HashMap<String, Vec<Partition>> {
    let partition = |found: &rdkafka::metadata::MetadataPartition| Partition {
        copies: found.replicas().len(),
        in_sync: found.isr().len(),
    };
    let partitions = |topic: &rdkafka::metadata::MetadataTopic| topic.partitions().iter().map(partition).collect();
    metadata.topics().iter().map(|topic| (topic.name().to_owned(), partitions(topic))).collect()
}

/// Brokers do not say their version. Those before 4.0 say which version they speak among themselves.
pub(super) fn version(settings: &ConfigResource) -> CheckLine {
    match settings.get("inter.broker.protocol.version").and_then(|entry| entry.value.as_deref()) {
        Some(old) => CheckLine::fail("Kafka: version", old, "upgrade to Kafka 4.0 or later"),
        None => CheckLine::ok("Kafka: version", "4.0 or later"),
    }
}

fn automatic_topics(settings: &ConfigResource) -> CheckLine {
    let what = "Kafka: auto.create.topics.enable";
    match settings.get("auto.create.topics.enable").and_then(|entry| entry.value.as_deref()) {
        Some("false") => CheckLine::ok(what, "false"),
        found => {
            let advice = "set it to false: a topic that a mistyped name creates forgets after a week";
            CheckLine::warn(what, found.unwrap_or("not told"), advice)
        }
    }
}
