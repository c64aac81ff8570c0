//! What the tests against a real Kafka share.

mod broker;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use firstcome_core::ids::EventId;
use firstcome_core::ports::{LoggedEvent, PortError};
use firstcome_core::time::Time;
use parking_lot::Mutex;
use tokio::sync::watch;

pub(super) use broker::Broker;

use super::KafkaOptions;
use super::event_log::{message, topic_of};
use super::reader::Reader;
use crate::outbox::Outbox;

/// The role whose topic is tested.
pub(super) const ROLE: &str = "payments";

/// Kafka's address, from `scripts/servers`.
pub(super) fn server() -> String {
    std::env::var("FIRSTCOME_TEST_KAFKA").expect("FIRSTCOME_TEST_KAFKA is set; see scripts/servers")
}

/// Kafka as the tests reach it, with a prefix of its own.
pub(crate) fn options() -> KafkaOptions {
    options_at(server())
}

/// The same for a Kafka at another address.
pub(super) fn options_at(servers: String) -> KafkaOptions {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("test-{}-{now}-{count}", std::process::id());
    KafkaOptions { servers, user: None, prefix, replication: 1, min_in_sync: 1 }
}

/// The event with this number. Its text says which.
pub(super) fn event(position: i64) -> LoggedEvent {
    LoggedEvent {
        position,
        id: EventId::derived(&[&position.to_be_bytes()]),
        kind: "payment.done".to_owned(),
        subject: format!("order-{}", position % 7),
        at: Time(1_764_000_000_000_000 + position),
        data: format!("{{\"number\":{position},\"text\":\"한정판\"}}"),
    }
}

/// Events from the one after `after` to `last`.
pub(super) fn events(after: i64, last: i64) -> Vec<LoggedEvent> {
    (after + 1..=last).map(event).collect()
}

/// The numbers of all messages of the role's topic, as they are there: repeated ones too. 0 for what no relay wrote.
pub(super) async fn raw(options: &KafkaOptions) -> Vec<i64> {
    let reader = Reader::look(options, &options.topic(&topic_of(ROLE))).expect("a reader");
    let end = reader.range().await.expect("the topic exists").end;
    reader.seek(0).expect("the beginning");
    let mut numbers = Vec::new();
    while (numbers.len() as i64) < end {
        let message = reader.next_within(Duration::from_secs(10)).await.expect("a message");
        numbers.push(message::decode(&message).map_or(0, |(event, _)| event.position));
    }
    numbers
}

/// An outbox in memory, which forgets what it may.
pub(super) struct MemoryOutbox {
    events: Mutex<Vec<LoggedEvent>>,
    last: watch::Sender<i64>,
    /// What was noted last.
    noted: AtomicI64,
    /// Notes that something is published are not taken: whoever brings one waits for ever.
    deaf: bool,
}

impl MemoryOutbox {
    /// An outbox with events up to a number.
    pub(super) fn with(last: i64) -> Self {
        let noted = AtomicI64::new(0);
        Self { events: Mutex::new(events(0, last)), last: watch::Sender::new(last), noted, deaf: false }
    }

    /// The same, whose relays are never able to note what they have published.
    pub(super) fn deaf(last: i64) -> Self {
        Self { deaf: true, ..Self::with(last) }
    }

    /// Commits events up to a number.
    pub(super) fn commit(&self, last: i64) {
        let mut all = self.events.lock();
        let before = *self.last.borrow();
        all.extend(events(before, last));
        self.last.send_replace(last);
    }

    /// Makes it the outbox of another database.
    pub(super) fn replace(&self, events: impl Iterator<Item = LoggedEvent>) {
        let mut all = self.events.lock();
        *all = events.collect();
        self.last.send_replace(all.last().map_or(0, |event| event.position));
    }

    /// Returns when everything up to a number is noted as published.
    pub(super) async fn noted(&self, number: i64) {
        let noted = async {
            while self.noted.load(Ordering::Relaxed) < number {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Only so that a test that fails does not run for ever.
        tokio::time::timeout(Duration::from_secs(90), noted).await.expect("a relay notes it");
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn after(&self, sequence: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        let events = self.events.lock();
        Ok(events.iter().filter(|event| event.position > sequence).take(limit).cloned().collect())
    }

    async fn last(&self) -> Result<i64, PortError> {
        Ok(*self.last.borrow())
    }

    async fn published(&self, sequence: i64) -> Result<(), PortError> {
        if self.deaf && sequence > 0 {
            std::future::pending::<()>().await;
        }
        self.noted.fetch_max(sequence, Ordering::Relaxed);
        self.events.lock().retain(|event| event.position >= sequence);
        Ok(())
    }

    async fn wait(&self, sequence: i64) -> Result<(), PortError> {
        let waited = self.last.subscribe().wait_for(|last| *last > sequence).await.map(|_| ());
        waited.map_err(|_| PortError::Unavailable("dropped".to_owned()))
    }
}
