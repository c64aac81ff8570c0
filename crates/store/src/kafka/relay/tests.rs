//! Outboxes are carried to real Kafka, whatever happens on the way.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{EventLog as _, LoggedEvent, PortError};
use tokio::task::JoinHandle;

use super::Relay;
use crate::kafka::testing::{MemoryOutbox, ROLE, event, events, options, options_at, raw};
use crate::kafka::{KafkaEventLog, KafkaOptions};

fn start(options: &KafkaOptions, outbox: &Arc<MemoryOutbox>) -> JoinHandle<PortError> {
    let relay = Relay::new(options.clone(), ROLE, Arc::clone(outbox) as Arc<_>);
    tokio::spawn(async move { relay.run().await })
}

async fn stop(relay: JoinHandle<PortError>) {
    relay.abort();
    assert!(relay.await.is_err_and(|error| error.is_cancelled()), "the relay ran until it was stopped");
}

/// Readers see events 1 to `last`, once and in order.
async fn assert_all(options: &KafkaOptions, last: i64) {
    let log = KafkaEventLog::new(options, [ROLE]);
    let mut seen = Vec::new();
    while seen.len() < last as usize {
        let some = log.read(ROLE, seen.len() as i64, 1_000).await.expect("readable");
        assert!(!some.is_empty(), "after {}", seen.len());
        seen.extend(some);
    }
    assert_eq!(seen, events(0, last));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_carried_in_order_and_once() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(3)));
    let relay = start(&options, &outbox);
    for last in [4, 10, 11, 2_000, 2_001] {
        outbox.commit(last);
        outbox.noted(last).await;
    }
    stop(relay).await;
    assert_eq!(raw(&options).await, (1..=2_001).collect::<Vec<_>>());
    assert_all(&options, 2_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_delivered_once() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(0)));
    let relay = Relay::new(options.clone(), ROLE, Arc::clone(&outbox) as Arc<_>);
    for last in [0, 1_300, 1_300, 1_301] {
        outbox.commit(last);
        relay.deliver().await.expect("delivered");
        assert_eq!(raw(&options).await, (1..=last).collect::<Vec<_>>());
    }
    assert_all(&options, 1_301).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_follows_a_relay() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(0)));
    let log = KafkaEventLog::new(&options, [ROLE]);
    let relay = start(&options, &outbox);
    for number in 1..=100 {
        outbox.commit(number);
        log.wait(ROLE, number - 1).await.expect("an event");
        assert_eq!(log.read(ROLE, number - 1, 10).await.expect("readable"), [event(number)]);
    }
    stop(relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_of_one_role() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(1_500)));
    let relays = [start(&options, &outbox), start(&options, &outbox)];
    for last in 1_501..1_700 {
        outbox.commit(last);
        tokio::task::yield_now().await;
    }
    outbox.commit(3_000);
    outbox.noted(3_000).await;
    for relay in relays {
        stop(relay).await;
    }
    assert_all(&options, 3_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_publishing_and_noting() {
    let options = options();
    let relay = start(&options, &Arc::new(MemoryOutbox::deaf(20)));
    KafkaEventLog::new(&options, [ROLE]).wait(ROLE, 19).await.expect("it has published");
    stop(relay).await;
    // The next one finds them in the topic and goes on behind them.
    let outbox = Arc::new(MemoryOutbox::with(30));
    let relay = start(&options, &outbox);
    outbox.noted(30).await;
    stop(relay).await;
    assert_eq!(raw(&options).await, (1..=30).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(0)));
    for round in 1..=25 {
        outbox.commit(round * 200);
        let relay = start(&options, &outbox);
        tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
        stop(relay).await;
    }
    let relay = start(&options, &outbox);
    outbox.noted(5_000).await;
    stop(relay).await;
    assert_all(&options, 5_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_time_or_shop_is_refused() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(10)));
    let relay = start(&options, &outbox);
    outbox.noted(10).await;
    stop(relay).await;
    // A backup: it has seen less than was published.
    let older = start(&options, &Arc::new(MemoryOutbox::with(9)));
    assert!(matches!(older.await.expect("no panic"), PortError::Corrupt(_)));
    // Another shop: the same number is another event.
    let strange = Arc::new(MemoryOutbox::with(0));
    strange.replace((1..=12).map(|number| LoggedEvent { id: event(99).id, ..event(number) }));
    assert!(matches!(start(&options, &strange).await.expect("no panic"), PortError::Corrupt(_)));
    // Another topic: what was published before is not there.
    let other = KafkaOptions { prefix: format!("{}-other", options.prefix), ..options.clone() };
    assert!(matches!(start(&other, &outbox).await.expect("no panic"), PortError::Corrupt(_)));
    assert_eq!(raw(&options).await, (1..=10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events() {
    let (options, outbox) = (options(), Arc::new(MemoryOutbox::with(0)));
    let sized = |number, megabytes: usize| LoggedEvent { data: noise(megabytes << 20), ..event(number) };
    outbox.replace([sized(1, 3), sized(2, 7), event(3)].into_iter());
    let log = KafkaEventLog::new(&options, [ROLE]);
    let relay = start(&options, &outbox);
    log.wait(ROLE, 2).await.expect("an event");
    assert_eq!(log.read(ROLE, 0, 10).await.expect("readable"), [sized(1, 3), sized(2, 7), event(3)]);
    // One that Kafka never takes is no reason to try for ever.
    outbox.replace([event(3), sized(4, 9)].into_iter());
    assert!(matches!(relay.await.expect("no panic"), PortError::Misused(_)));
}

/// Text of this length that cannot be made smaller.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + (state >> 58) as u8)
    };
    (0..length).map(letter).collect()
}

/// A Kafka that only this test has, because it is stopped.
struct OwnKafka(tempfile::TempDir);

impl OwnKafka {
    fn start() -> (Self, String) {
        let own = Self(tempfile::tempdir().expect("a folder"));
        let lines = own.run(&["up", "kafka"]);
        let address = lines.lines().find_map(|line| line.strip_prefix("export FIRSTCOME_TEST_KAFKA="));
        (own, address.expect("its address").to_owned())
    }

    fn run(&self, arguments: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/servers");
        let run = Command::new(script).args(arguments).env("FIRSTCOME_SERVERS", self.0.path().join("servers")).output();
        let output = run.expect("the script");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_stops_and_comes_back() {
    let (kafka, address) = tokio::task::spawn_blocking(OwnKafka::start).await.expect("Kafka");
    let (options, outbox) = (options_at(address), Arc::new(MemoryOutbox::with(100)));
    let log = KafkaEventLog::new(&options, [ROLE]);
    let relay = start(&options, &outbox);
    log.wait(ROLE, 99).await.expect("an event");
    let kafka = tokio::task::spawn_blocking(move || {
        kafka.run(&["stop", "kafka"]);
        kafka
    });
    let kafka = kafka.await.expect("stopped");
    outbox.commit(200);
    tokio::time::sleep(Duration::from_secs(5)).await;
    outbox.commit(300);
    // What was read before is still there.
    assert_eq!(log.read(ROLE, 0, 1_000).await.expect("readable"), events(0, 100));
    let kafka = tokio::task::spawn_blocking(move || {
        kafka.run(&["start", "kafka"]);
        kafka
    });
    let kafka = kafka.await.expect("started");
    outbox.commit(400);
    log.wait(ROLE, 399).await.expect("an event");
    assert_eq!(log.read(ROLE, 0, 1_000).await.expect("readable"), events(0, 400));
    outbox.noted(400).await;
    stop(relay).await;
    tokio::task::spawn_blocking(move || drop(kafka)).await.expect("down");
}
