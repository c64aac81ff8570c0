//! Whether Kafka is fit for a shop, for whoever runs it.

mod cluster;
mod rights;
#[cfg(test)]
mod tests;
mod topic;

use std::time::Duration;

use futures_util::future::join_all;

use self::cluster::Cluster;
use super::KafkaOptions;
use super::event_log::topic_of;
use super::topics::JOURNAL;
use crate::check::CheckLine;

/// How long Kafka may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(8);

/// A topic, and what is done with it.
#[derive(Debug, Clone)]
pub struct TopicUse {
    name: String,
    writes: bool,
}

impl TopicUse {
    /// The ledger's journal, which whoever reads it also writes.
    pub fn journal() -> Self {
        Self { name: JOURNAL.to_owned(), writes: true }
    }

    /// The events of a role, which it alone writes.
    pub fn events(role: &str, writes: bool) -> Self {
        Self { name: topic_of(role), writes }
    }
}

/// Looks at Kafka and at these topics. It creates, changes and appends nothing.
pub async fn check(options: &KafkaOptions, topics: &[TopicUse]) -> Vec<CheckLine> {
    let mut lines = vec![copies(options)];
    let cluster = match Cluster::look(options).await {
        Ok(cluster) => cluster,
        Err(line) => {
            lines.push(line);
            return lines;
        }
    };
    lines.extend(cluster.lines(options).await);
    lines.extend(join_all(topics.iter().map(|topic| topic::lines(options, &cluster, topic))).await.concat());
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
