//! What is said of a real Kafka.

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigEntry, ConfigResource, ConfigSource, NewTopic, OwnedResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;

use super::{TopicUse, check, copies};
use crate::check::{CheckLine, CheckState};
use crate::kafka::reader::Reader;
use crate::kafka::testing::{Broker, MemoryOutbox, ROLE, options, options_at, raw};
use crate::kafka::{KafkaOptions, Relay, topics};

/// The journal, and what these roles write.
fn used(roles: &[&str]) -> Vec<TopicUse> {
    std::iter::once(TopicUse::journal()).chain(roles.iter().map(|role| TopicUse::events(role, true))).collect()
}

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
    let lines = check(&options, &used(&[ROLE])).await;
    assert_eq!(worst(&lines, "reachable"), CheckState::Ok);
    assert_eq!(worst(&lines, "version"), CheckState::Ok);
    assert_eq!(worst(&lines, "auto.create"), CheckState::Ok);
    assert_eq!(worst(&lines, ".journal"), CheckState::Ok);
    assert_eq!(worst(&lines, ".events.payments"), CheckState::Ok);
    // One copy is only good for tests, and it says so.
    assert_eq!(worst(&lines, "copies"), CheckState::Warn);
    assert_eq!(lines.len(), 6);
    // It has created nothing.
    assert_eq!(said(&check(&options, &used(&[])).await, "not there yet"), CheckState::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_runs() {
    let options = options();
    let outbox = std::sync::Arc::new(MemoryOutbox::with(3));
    let relay = Relay::new(options.clone(), ROLE, std::sync::Arc::clone(&outbox) as _);
    let running = tokio::spawn(async move { relay.run().await });
    topics::ensure(&options, "journal").await.expect("a topic");
    outbox.noted(3).await;
    let lines = check(&options, &used(&[ROLE])).await;
    assert_eq!(worst(&lines, "topic test-"), CheckState::Ok, "{lines:?}");
    // To try it, nothing was written.
    outbox.commit(5);
    outbox.noted(5).await;
    assert_eq!(raw(&options).await, [1, 2, 3, 4, 5]);
    let journal = Reader::look(&options, &options.topic("journal")).expect("a reader");
    assert_eq!(journal.range().await.expect("its range"), 0..0);
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
    let lines = check(&strict, &used(&["payments", "orders"])).await;
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
fn an_old_kafka_is_refused() {
    let speaks = |version: Option<&str>| {
        let name = "inter.broker.protocol.version".to_owned();
        let entry = |version: &str| ConfigEntry {
            name: name.clone(),
            value: Some(version.to_owned()),
            source: ConfigSource::Default,
            is_read_only: true,
            is_default: true,
            is_sensitive: false,
        };
        let entries = version.map(entry).into_iter().collect();
        super::cluster::version(&ConfigResource { specifier: OwnedResourceSpecifier::Broker(1), entries }).state
    };
    assert_eq!(speaks(None), CheckState::Ok, "since 4.0 there is no such setting");
    assert_eq!(speaks(Some("3.9-IV0")), CheckState::Fail);
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
    let lines = check(&options_at("127.0.0.1:1".to_owned()), &used(&[ROLE])).await;
    assert_eq!(worst(&lines, "reachable"), CheckState::Fail);
    let line = lines.last().expect("a line").to_string();
    assert!(line.contains("127.0.0.1:1") && line.contains("refused") && line.contains("kafka.servers"), "{line}");
}

/// A Kafka that asks who comes. Everybody needs the rights that they use.
#[tokio::test(flavor = "multi_thread")]
async fn rights_and_passwords() {
    let broker = Broker::start_with("FIRSTCOME_KAFKA_USERS", "1");
    let as_user = |user: &str, password: &str, prefix: &KafkaOptions| KafkaOptions {
        servers: broker.address("FIRSTCOME_TEST_KAFKA_USERS"),
        user: Some((user.to_owned(), password.to_owned().into())),
        ..prefix.clone()
    };
    let (there, new) = (options(), options());
    let shop = as_user("shop", "secret", &there);
    for topic in ["journal", "events.payments"] {
        topics::ensure(&shop, topic).await.expect("who may do everything makes topics");
    }
    let good = check(&shop, &used(&[ROLE])).await;
    assert!(good.iter().all(|line| line.state <= CheckState::Warn), "{good:#?}");

    let reader = as_user("reader", "secret", &there);
    let lines = check(&reader, &used(&[ROLE])).await;
    assert_eq!(said(&lines, "cannot be written to"), CheckState::Fail);
    assert!(!lines.iter().any(|line| line.found.contains("cannot be read")), "{lines:#?}");
    let reads = check(&reader, &[TopicUse::events(ROLE, false)]).await;
    assert!(reads.iter().all(|line| line.state <= CheckState::Warn), "who only reads needs no more: {reads:#?}");
    assert_eq!(
        said(&check(&as_user("reader", "secret", &new), &used(&[])).await, "cannot be created"),
        CheckState::Fail
    );
    topics::ensure(&reader, "journal").await.expect("what others have made need not be made");

    let lines = check(&as_user("stranger", "secret", &there), &used(&[])).await;
    assert_eq!(worst(&lines, ".journal"), CheckState::Fail, "{lines:#?}");

    let refused = check(&as_user("shop", "wrong", &there), &used(&[])).await;
    let line = refused.last().expect("a line").to_string();
    assert!(line.contains("kafka.password") && !line.contains("wrong"), "{line}");
    let journal = Reader::look(&shop, &shop.topic("journal")).expect("a reader");
    assert_eq!(journal.range().await.expect("its range"), 0..0, "nobody wrote anything");
}
