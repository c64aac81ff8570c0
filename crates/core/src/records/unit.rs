//! Units of work.

use super::{Record, Row, Stored, Table, Value};
use crate::events::RoleEvent;
use crate::ids::EventId;
use crate::time::Time;

/// One change of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// Adds a row with version 1. Conflicts when its key, or a unique index, is taken.
    Insert(&'static Table, Row),
    /// Replaces the row of the same key. Conflicts unless the stored version is the row's; stores one more.
    Update(&'static Table, Row),
    /// A projection's write: adds the row, or replaces the stored one if that has a lower version. Never conflicts on
    /// its key, and stores the row's own version.
    Advance(&'static Table, Row),
    /// Removes the row with this key, if it is there.
    Delete(&'static Table, Value),
}

/// An event to be announced with the unit of work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEvent {
    /// Names the message.
    pub id: EventId,
    /// The kind, for example `payment.done`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// When it was written.
    pub at: Time,
    /// The message, as JSON.
    pub data: String,
}

/// Writes, events and a consumer's position that commit together or not at all. Writes are judged in order, each seeing
/// those before it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// Changes of rows.
    pub writes: Vec<Write>,
    /// Events to announce.
    pub events: Vec<NewEvent>,
    /// A consumer's name, the position that it read from and the one that it has come to. Conflicts unless the stored
    /// position is the former.
    pub position: Option<(&'static str, i64, i64)>,
}

impl Unit {
    /// An empty unit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it changes no row and announces nothing.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.events.is_empty()
    }

    /// Adds a record.
    #[must_use]
    pub fn insert<R: Record>(mut self, record: &R) -> Self {
        self.writes.push(Write::Insert(R::TABLE, Row { values: record.to_values(), version: 1 }));
        self
    }

    /// Replaces a record that was loaded.
    #[must_use]
    pub fn update<R: Record>(mut self, stored: &Stored<R>) -> Self {
        let row = Row { values: stored.record.to_values(), version: stored.version };
        self.writes.push(Write::Update(R::TABLE, row));
        self
    }

    /// Adds or replaces a projected record if `version` is newer.
    #[must_use]
    pub fn advance<R: Record>(mut self, record: &R, version: i64) -> Self {
        self.writes.push(Write::Advance(R::TABLE, Row { values: record.to_values(), version }));
        self
    }

    /// Removes a record.
    #[must_use]
    pub fn delete<R: Record>(mut self, record: &R) -> Self {
        self.writes.push(Write::Delete(R::TABLE, record.key()));
        self
    }

    /// Announces an event.
    #[must_use]
    pub fn event(mut self, event: &RoleEvent, at: Time) -> Self {
        self.events.push(event.to_new(at));
        self
    }

    /// Moves a consumer on in the same commit.
    #[must_use]
    pub fn position(mut self, consumer: &'static str, from: i64, to: i64) -> Self {
        self.position = Some((consumer, from, to));
        self
    }

    /// Puts another unit's writes and events behind this one's.
    pub fn append(&mut self, other: Self) {
        self.writes.extend(other.writes);
        self.events.extend(other.events);
    }
}
