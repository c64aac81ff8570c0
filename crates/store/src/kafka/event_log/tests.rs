//! What readers see of a topic, whatever was written to it.

use std::time::Duration;

use firstcome_core::ports::{EventLog as _, PortError};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::place::Place;
use super::{KafkaEventLog, topic_of};
use crate::kafka::relay::publish::Publisher;
use crate::kafka::testing::{ROLE, event, events, options};
use crate::kafka::{KafkaOptions, topics};

/// A topic that is written by hand.
struct Written {
    options: KafkaOptions,
    publisher: Publisher,
}

impl Written {
    async fn new() -> Self {
        let options = options();
        topics::ensure(&options, &topic_of(ROLE)).await.expect("a topic");
        let topic = options.topic(&topic_of(ROLE));
        Self { publisher: Publisher::new(&options, ROLE, topic).expect("a publisher"), options }
    }

    /// Writes events as a relay does that has read up to a place, in batches. Returns the offset after them.
    async fn write(&self, after: i64, last: i64, place: Place) -> i64 {
        let written = self.publisher.publish(&events(after, last), place).await.expect("Kafka takes it");
        written + 1
    }

    /// Writes events up to a number, nothing else having been written.
    async fn write_in_batches(&self, last: i64) -> i64 {
        let mut place = Place::default();
        while place.last < last {
            let next = (place.last + 500).min(last);
            place = Place { offset: self.write(place.last, next, place).await, last: next };
        }
        place.offset
    }

    async fn write_rubbish(&self) {
        let producer: FutureProducer = self.options.client().create().expect("a producer");
        let topic = self.options.topic(&topic_of(ROLE));
        let record = FutureRecord::<str, str>::to(&topic).key("rubbish").payload("rubbish");
        producer.send(record, Duration::from_secs(5)).await.expect("Kafka takes it");
    }

    fn log(&self) -> std::sync::Arc<KafkaEventLog> {
        KafkaEventLog::new(&self.options, [ROLE])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_begins_anywhere() {
    let written = Written::new().await;
    written.write_in_batches(10_000).await;
    // From the beginning, in steps, with one log and its kept cursors.
    let log = written.log();
    let mut all = Vec::new();
    while all.len() < 10_000 {
        let some = log.read(ROLE, all.len() as i64, 512).await.expect("readable");
        assert!(!some.is_empty(), "after {}", all.len());
        all.extend(some);
    }
    assert_eq!(all, events(0, 10_000));
    assert_eq!(log.read(ROLE, 10_000, 10).await.expect("readable"), []);
    assert_eq!(log.read(ROLE, 0, 20_000).await.expect("readable"), all);
    // In the middle: older than the window, at its border, in it, and at the end.
    for after in [1, 499, 500, 501, 999, 1_023, 1_024, 1_807, 1_808, 1_809, 5_000, 9_999] {
        let log = written.log();
        let some = log.read(ROLE, after, 3).await.expect("readable");
        assert_eq!(some, events(after, (after + 3).min(10_000)), "after {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_stray_and_foreign_messages_are_not_there() {
    let written = Written::new().await;
    written.write_rubbish().await;
    let start = Place { offset: 1, last: 0 };
    let end = written.write(0, 10, start).await;
    // Another relay, which has read as much as the first, repeats some and goes on.
    written.write(3, 12, start).await;
    // A message whose predecessor never came, and the same once more in its place.
    written.write(13, 15, Place { offset: end, last: 10 }).await;
    written.write_rubbish().await;
    written.write(12, 14, Place { offset: end, last: 10 }).await;
    written.write(0, 2, Place::default()).await;
    written.write_rubbish().await;
    for after in 0..14 {
        let some = written.log().read(ROLE, after, 100).await.expect("readable");
        assert_eq!(some, events(after, 14), "after {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_are_found_behind_many_repeated_ones() {
    let written = Written::new().await;
    let end = written.write_in_batches(9_000).await;
    // A relay that was asleep since the beginning repeats a lot, and only then the log goes on.
    let mut after = 0;
    while after < 6_000 {
        written.write(after, after + 500, Place { offset: 10.min(after), last: 10.min(after) }).await;
        after += 500;
    }
    written.write(9_000, 9_100, Place { offset: end, last: 9_000 }).await;
    for after in [0, 1, 700, 899, 900, 908, 8_999, 9_000, 9_099] {
        let some = written.log().read(ROLE, after, 2).await.expect("readable");
        assert_eq!(some, events(after, (after + 2).min(9_100)), "after {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_an_event_comes() {
    let written = Written::new().await;
    let log = written.log();
    assert_eq!(log.read(ROLE, 0, 10).await.expect("readable"), []);
    let waiting = {
        let log = std::sync::Arc::clone(&log);
        tokio::spawn(async move { log.wait(ROLE, 0).await })
    };
    tokio::task::yield_now().await;
    written.write(0, 1, Place::default()).await;
    waiting.await.expect("no panic").expect("an event");
    assert_eq!(log.read(ROLE, 0, 10).await.expect("readable"), [event(1)]);
    // What is there already needs no waiting.
    log.wait(ROLE, 0).await.expect("an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_another_log_is_refused() {
    let written = Written::new().await;
    written.write(0, 5, Place::default()).await;
    let log = written.log();
    assert!(matches!(log.read(ROLE, 6, 10).await, Err(PortError::Lost(_))));
    assert_eq!(log.read(ROLE, 5, 10).await.expect("readable"), []);
    assert!(matches!(log.read("orders", 0, 1).await, Err(PortError::Misused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_further_than_this_process_is_served() {
    let written = Written::new().await;
    let mut place = Place { offset: written.write(0, 1, Place::default()).await, last: 1 };
    let log = written.log();
    for next in 2..50 {
        assert!(log.read(ROLE, place.last, 1).await.is_ok());
        place = Place { offset: written.write(place.last, next, place).await, last: next };
        // Kafka has it; this process may not have read it yet.
        assert_eq!(log.read(ROLE, next, 1).await.expect("readable"), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_is_refused() {
    let written = Written::new().await;
    written.write(0, 5, Place::default()).await;
    let log = written.log();
    assert_eq!(log.read(ROLE, 0, 10).await.expect("readable"), events(0, 5));
    let topic = written.options.topic(&topic_of(ROLE));
    let admin: AdminClient<DefaultClientContext> = written.options.client().create().expect("a client");
    admin.delete_topics(&[&topic], &AdminOptions::new()).await.expect("deleted");
    topics::ensure(&written.options, &topic_of(ROLE)).await.expect("a topic");
    assert!(matches!(log.wait(ROLE, 5).await, Err(PortError::Lost(_))));
    assert!(matches!(log.read(ROLE, 0, 10).await, Err(PortError::Lost(_))));
}
