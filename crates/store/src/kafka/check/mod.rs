//! Whether Kafka is fit for a shop, for whoever runs it.

mod cluster;
#[cfg(test)]
mod tests;
mod topic;

use std::time::Duration;

use self::cluster::Cluster;
use super::KafkaOptions;
use super::event_log::topic_of;
use super::options::unavailable;
use super::topics::JOURNAL;
use crate::check::CheckLine;

/// How long Kafka may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at Kafka and at the topics of the ledger and of these roles. It creates and changes nothing; to see that it may
/// write, it appends to every topic that exists a message which says nothing and which every reader skips.
pub async fn check(options: &KafkaOptions, roles: &[&str]) -> Vec<CheckLine> {
    let mut lines = vec![copies(options)];
    let cluster = match Cluster::look(options).await {
        Ok(cluster) => cluster,
        Err(error) => {
            let advice = "start Kafka, and see that the address, the user and the password are right";
            lines.push(CheckLine::fail("Kafka: reachable", unavailable(&error).to_string(), advice));
            return lines;
        }
    };
    lines.extend(cluster.lines(options).await);
    let events = roles.iter().map(|role| topic_of(role));
    for name in std::iter::once(JOURNAL.to_owned()).chain(events) {
        lines.extend(topic::lines(options, &cluster, &name).await);
    }
    lines
}

/// What the configuration asks for.
fn copies(options: &KafkaOptions) -> CheckLine {
    let what = "Kafka: copies of every topic, as configured";
    let found = format!("{}, of which {} must have a record", options.replication, options.min_in_sync);
    if options.min_in_sync > options.replication {
        CheckLine::fail(what, found, "more copies must have a record than there are: nothing could be written")
    } else if options.min_in_sync < 2 {
        CheckLine::warn(what, found, "use 3 and 2: with one copy, sales are lost with a disk")
    } else if options.min_in_sync == options.replication {
        CheckLine::warn(what, found, "use one copy more: as it is, nothing can be written while one broker is away")
    } else {
        CheckLine::ok(what, found)
    }
}
