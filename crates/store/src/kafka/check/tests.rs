//! What is said of a real Kafka.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use super::{check, copies};
use crate::check::{CheckLine, CheckState};
use crate::kafka::testing::{MemoryOutbox, ROLE, options, options_at, raw};
use crate::kafka::{KafkaOptions, Relay, topics};

fn worst(lines: &[CheckLine], about: &str) -> CheckState {
    let states = lines.iter().filter(|line| line.what.contains(about)).map(|line| line.state);
    states.max().unwrap_or_else(|| panic!("nothing about {about}: {lines:?}"))
}

fn said(lines: &[CheckLine], text: &str) -> CheckState {
    let line = lines.iter().find(|line| line.found.contains(text));
    line.unwrap_or_else(|| panic!("nobody says {text}: {lines:?}")).state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_shop() {
    let options = options();
    let lines = check(&options, &[ROLE]).await;
    assert_eq!(worst(&lines, "reachable"), CheckState::Ok);
    assert_eq!(worst(&lines, "version"), CheckState::Ok);
    assert_eq!(worst(&lines, "auto.create"), CheckState::Ok);
    assert_eq!(worst(&lines, ".journal"), CheckState::Ok);
    assert_eq!(worst(&lines, ".events.payments"), CheckState::Ok);
    // One copy is only good for tests, and it says so.
    assert_eq!(worst(&lines, "copies"), CheckState::Warn);
    assert_eq!(lines.len(), 6);
    // It has created nothing.
    assert_eq!(said(&check(&options, &[]).await, "not there yet"), CheckState::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_runs() {
    let options = options();
    let outbox = std::sync::Arc::new(MemoryOutbox::with(3));
    let relay = Relay::new(options.clone(), ROLE, std::sync::Arc::clone(&outbox) as _);
    let running = tokio::spawn(async move { relay.run().await });
    topics::ensure(&options, "journal").await.expect("a topic");
    outbox.noted(3).await;
    let lines = check(&options, &[ROLE]).await;
    assert_eq!(worst(&lines, "topic test-"), CheckState::Ok, "{lines:?}");
    // What was written to try it disturbs nobody.
    outbox.commit(5);
    outbox.noted(5).await;
    assert_eq!(raw(&options).await, [1, 2, 3, 0, 4, 5]);
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_named() {
    let options = options();
    let admin: AdminClient<DefaultClientContext> = options.client().create().expect("a client");
    let (journal, events) = (options.topic("journal"), options.topic("events.payments"));
    let forgetful = NewTopic::new(&journal, 1, TopicReplication::Fixed(1))
        .set("retention.ms", "3600000")
        .set("cleanup.policy", "compact")
        .set("unclean.leader.election.enable", "true");
    let split = NewTopic::new(&events, 2, TopicReplication::Fixed(1));
    admin.create_topics([&forgetful, &split], &AdminOptions::new()).await.expect("two topics");
    let strict = KafkaOptions { replication: 3, min_in_sync: 2, ..options.clone() };
    let lines = check(&strict, &["payments", "orders"]).await;
    for text in [
        "retention.ms is 3600000",
        "cleanup.policy is compact",
        "unclean.leader.election.enable is true",
        "message.timestamp.type is CreateTime",
        "min.insync.replicas is 1",
        "1 copies, 1 of them in sync",
        "2 partitions",
        "cannot be created",
        "1 broker(s)",
    ] {
        assert!(said(&lines, text) > CheckState::Ok, "{text}");
    }
    assert!(lines.iter().all(|line| line.state == CheckState::Ok || line.advice.is_some()));
}

#[test]
fn what_is_configured() {
    let line = |replication, min_in_sync| copies(&KafkaOptions { replication, min_in_sync, ..options() }).state;
    assert_eq!(line(3, 2), CheckState::Ok);
    assert_eq!(line(1, 1), CheckState::Warn);
    assert_eq!(line(2, 2), CheckState::Warn);
    assert_eq!(line(2, 3), CheckState::Fail);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kafka() {
    // Nobody listens on this port.
    let lines = check(&options_at("127.0.0.1:1".to_owned()), &[ROLE]).await;
    assert_eq!(worst(&lines, "reachable"), CheckState::Fail);
}
