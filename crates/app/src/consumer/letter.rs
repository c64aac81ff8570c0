//! What is kept of an event that could not be handled.

use firstcome_core::ids::EventId;
use firstcome_core::ports::{JournalEntry, LoggedEvent};
use firstcome_core::record;
use firstcome_core::time::Time;

record! {
    /// An event that could not be handled. Seen and replayed by an operator.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct DeadLetter in "dead_letters" {
        /// Names the letter: the event's place under the consumer's name.
        pub id: EventId,
        /// Who could not handle it.
        pub consumer: String,
        /// Where it was read.
        pub topic: String,
        /// Its place in the topic, where a replay reads it again: topics and the journal are kept for ever.
        pub position: i64,
        /// The event's kind.
        pub kind: String,
        /// What it is about.
        pub subject: String,
        /// The event as it was read, for whoever looks into the database: JSON, if it is any.
        pub data: String,
        /// Why it could not be handled.
        pub reason: String,
        /// When it was given up.
        pub at: Time,
        /// When an operator's replay succeeded.
        pub replayed_at: Option<Time>,
        /// When a replay began of which nobody knows yet how it ended.
        pub replay_began: Option<Time>,
    }
    indexes [index "dead_letters_by_time" ("at"), index "dead_letters_by_replay" ("replayed_at", "at")]
}

/// Something that comes from a source in order.
pub trait Item: Clone + Send + Sync + 'static {
    /// Its place; strictly increasing.
    fn position(&self) -> i64;
    /// When it was written.
    fn at(&self) -> Time;
    /// What is kept of it as a dead letter: kind, subject and data.
    fn describe(&self) -> (String, String, String);
}

impl Item for LoggedEvent {
    fn position(&self) -> i64 {
        self.position
    }
    fn at(&self) -> Time {
        self.at
    }
    fn describe(&self) -> (String, String, String) {
        (self.kind.clone(), self.subject.clone(), self.data.clone())
    }
}

impl Item for JournalEntry {
    fn position(&self) -> i64 {
        self.position
    }
    fn at(&self) -> Time {
        self.record.at
    }
    fn describe(&self) -> (String, String, String) {
        let record = &self.record;
        let data = serde_json::json!({ "first_seq": record.first_seq, "events": record.events.len() });
        ("journal".to_owned(), record.offer.to_string(), data.to_string())
    }
}

impl DeadLetter {
    /// The letter of an item that its consumer gives up.
    pub(super) fn new(consumer: &str, topic: &str, item: &impl Item, reason: String, at: Time) -> Self {
        let (kind, subject, data) = item.describe();
        let position = item.position();
        Self {
            id: EventId::derived(&[consumer.as_bytes(), topic.as_bytes(), &position.to_be_bytes()]),
            consumer: consumer.to_owned(),
            topic: topic.to_owned(),
            position,
            kind,
            subject,
            data,
            reason,
            at,
            replayed_at: None,
            replay_began: None,
        }
    }

    /// Whether an item is the one that the letter is about.
    pub(super) fn is_about(&self, item: &impl Item) -> bool {
        let (kind, subject, _) = item.describe();
        (item.position(), &kind, &subject) == (self.position, &self.kind, &self.subject)
    }
}
