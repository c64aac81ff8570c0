//! What is asked of one topic.

use std::sync::Arc;

use rdkafka::admin::{AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::cluster::{Cluster, Partition};
use super::{PATIENCE, TopicUse, rights};
use crate::check::CheckLine;
use crate::kafka::KafkaOptions;

/// A setting and the value that it must have.
struct Setting {
    name: &'static str,
    value: &'static str,
    why: &'static str,
}

const SETTINGS: &[Setting] = &[
    Setting { name: "retention.ms", value: "-1", why: "otherwise what was sold is forgotten" },
    Setting { name: "retention.bytes", value: "-1", why: "otherwise what was sold is forgotten" },
    Setting { name: "cleanup.policy", value: "delete", why: "otherwise Kafka drops records in the middle" },
    Setting {
        name: "unclean.leader.election.enable",
        value: "false",
        why: "otherwise a broker that missed records may lead, and they are lost",
    },
    Setting {
        name: "message.timestamp.type",
        value: "LogAppendTime",
        why: "otherwise clocks that are wrong are not noticed",
    },
];

/// What is to be said of a topic: one line if it is as it should be, or one for each fault.
pub(super) async fn lines(options: &KafkaOptions, cluster: &Cluster, used: &TopicUse) -> Vec<CheckLine> {
    let topic = options.topic(&used.name);
    let what = format!("topic {topic}");
    let partitions = match cluster.topics.get(&topic) {
        Some(partitions) => partitions.clone(),
        None => match unseen(options, cluster, &topic, used.writes).await {
            Ok(partitions) => partitions,
            Err(line) => return vec![line],
        },
    };
    let mut faults = Vec::new();
    let summary = shape(options, &what, &partitions, &mut faults);
    match cluster.settings(ResourceSpecifier::Topic(&topic)).await {
        Ok(settings) => faults.extend(settings_faults(options, &topic, &settings)),
        Err(code) => {
            let advice = "give the user the right to describe the topic's configs";
            faults.push(CheckLine::warn(what.clone(), format!("settings not told: {code}"), advice));
        }
    }
    faults.extend(beginning(cluster, &topic).await);
    faults.extend(rights::faults(options, &topic, used.writes).await);
    if faults.is_empty() {
        let may = if used.writes { "can be read and written to" } else { "can be read" };
        faults.push(CheckLine::ok(what, format!("{summary}, kept for ever, {may}")));
    }
    faults
}

/// A topic that was not seen: whether it could be created, by whoever writes it. Nothing is. It may be there after all.
async fn unseen(
    options: &KafkaOptions,
    cluster: &Cluster,
    topic: &str,
    writes: bool,
) -> Result<Vec<Partition>, CheckLine> {
    let what = format!("topic {topic}");
    if !writes {
        return Err(CheckLine::ok(what, "not there yet, or not to be seen; another role writes it"));
    }
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(options.replication));
    let only_asking = AdminOptions::new().request_timeout(Some(PATIENCE)).validate_only(true);
    let answer = cluster.admin.create_topics([&new], &only_asking).await;
    let refused = match answer.map(|results| results.into_iter().next()) {
        Ok(Some(Ok(_)) | None) => return Err(CheckLine::ok(what, "not there yet; it can be created")),
        Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) => {
            let (found, advice) = ("is there, and the user may not see it", "give the user the right to describe it");
            return cluster.look_again(topic).await.ok_or_else(|| CheckLine::fail(what, found, advice));
        }
        Ok(Some(Err((_, code @ RDKafkaErrorCode::TopicAuthorizationFailed)))) => {
            let advice = "give the user the rights to create, describe, read and write topics with kafka.prefix";
            return Err(CheckLine::fail(what, format!("not to be seen, and it cannot be created: {code}"), advice));
        }
        Ok(Some(Err((_, code)))) => code.to_string(),
        Err(error) => error.to_string(),
    };
    let advice = "see that there are enough brokers for kafka.replication copies";
    Err(CheckLine::fail(what, format!("not there, and it cannot be created: {refused}"), advice))
}

/// Partitions and copies.
fn shape(options: &KafkaOptions, what: &str, partitions: &[Partition], faults: &mut Vec<CheckLine>) -> String {
    let [partition] = partitions else {
        let advice = "a topic must have one partition, which is its order; move the shop to another prefix";
        faults.push(CheckLine::fail(what, format!("{} partitions", partitions.len()), advice));
        return String::new();
    };
    let (copies, in_sync) = (partition.copies, partition.in_sync);
    let wanted = usize::try_from(options.replication).unwrap_or(0);
    let needed = usize::try_from(options.min_in_sync).unwrap_or(0);
    let found = format!("{copies} copies, {in_sync} of them in sync");
    if copies < wanted {
        faults.push(CheckLine::warn(what, &*found, "add copies with kafka-reassign-partitions.sh"));
    }
    if in_sync < needed {
        faults.push(CheckLine::down(what, &*found, "bring the brokers back: until then nothing can be written"));
    } else if in_sync < copies {
        faults.push(CheckLine::warn(what, &*found, "look at the brokers whose copies are behind"));
    }
    found
}

fn settings_faults(options: &KafkaOptions, topic: &str, settings: &ConfigResource) -> Vec<CheckLine> {
    let what = format!("topic {topic}");
    let found = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or("not told");
    let set = |name: &str, value: &str| format!("kafka-configs.sh --alter --topic {topic} --add-config {name}={value}");
    let fault = |setting: &Setting| {
        let found = format!("{} is {}", setting.name, found(setting.name));
        CheckLine::fail(&*what, found, format!("{}: {}", set(setting.name, setting.value), setting.why))
    };
    let mut faults: Vec<_> =
        SETTINGS.iter().filter(|setting| found(setting.name) != setting.value).map(fault).collect();
    let (name, copies) = ("min.insync.replicas", options.min_in_sync);
    if found(name).parse::<i32>().is_ok_and(|found| found < copies) {
        let advice = format!("{}: fewer copies than configured may have a record", set(name, &copies.to_string()));
        faults.push(CheckLine::fail(&*what, format!("{name} is {}", found(name)), advice));
    }
    faults
}

/// Whether the first record is still there.
async fn beginning(cluster: &Cluster, topic: &str) -> Option<CheckLine> {
    let (admin, asked) = (Arc::clone(&cluster.admin), topic.to_owned());
    let range = tokio::task::spawn_blocking(move || admin.inner().fetch_watermarks(&asked, 0, PATIENCE)).await;
    let what = format!("topic {topic}");
    match range.unwrap_or(Err(KafkaError::Canceled)) {
        Ok((0, _)) => None,
        Ok((low, _)) => {
            let advice = "every message is needed: restore the topic from a backup";
            Some(CheckLine::fail(what, format!("its first {low} messages are deleted"), advice))
        }
        Err(error) => {
            let advice = "see that the addresses that the brokers advertise can be reached from here";
            Some(CheckLine::down(what, format!("does not say where it begins: {error}"), advice))
        }
    }
}
