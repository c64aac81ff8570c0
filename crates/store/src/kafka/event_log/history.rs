//! Events that are older than the window, read from Kafka again.

use std::sync::Arc;

use firstcome_core::ports::{LoggedEvent, PortError};
use parking_lot::Mutex;

use super::PATIENCE;
use super::place::Place;
use crate::kafka::KafkaOptions;
use crate::kafka::reader::Reader;

/// Readers that are kept for whoever reads on.
const CURSORS: usize = 2;
/// Messages that are rather read than jumped over.
const NEAR: i64 = 1_024;
/// Looks at the log while the place of an event is searched.
const LOOKS: usize = 64;

/// Reads a topic from any event on.
pub(super) struct History {
    options: KafkaOptions,
    topic: String,
    /// The latest used last.
    cursors: Mutex<Vec<Cursor>>,
    /// Looks where the log ends.
    end: Mutex<Option<Arc<Reader>>>,
}

/// A reader and its place.
struct Cursor {
    reader: Reader,
    place: Place,
}

impl History {
    /// The history of the topic with this full name.
    pub(super) fn new(options: KafkaOptions, topic: String) -> Self {
        Self { options, topic, cursors: Mutex::default(), end: Mutex::default() }
    }

    /// Events after a position, at most `limit`. Those up to `until` are known to be in the log.
    pub(super) async fn read(&self, after: i64, limit: usize, until: i64) -> Result<Vec<LoggedEvent>, PortError> {
        let mut cursor = match self.kept(after) {
            Some(cursor) => cursor,
            None => self.open(after).await?,
        };
        let mut events = Vec::new();
        while events.len() < limit && cursor.place.last < until {
            let message = cursor.reader.next_within(PATIENCE).await?;
            events.extend(cursor.place.take(&message).filter(|event| event.position > after));
        }
        // What comes next is in the window.
        if cursor.place.last < until {
            self.keep(cursor);
        }
        Ok(events)
    }

    /// Where the log ends now.
    pub(super) async fn end(&self) -> Result<i64, PortError> {
        Ok(self.looker()?.range().await?.end)
    }

    fn looker(&self) -> Result<Arc<Reader>, PortError> {
        let mut kept = self.end.lock();
        if let Some(reader) = &*kept {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(Reader::look(&self.options, &self.topic)?);
        *kept = Some(Arc::clone(&reader));
        Ok(reader)
    }

    fn kept(&self, after: i64) -> Option<Cursor> {
        let mut cursors = self.cursors.lock();
        let found = cursors.iter().position(|cursor| cursor.place.last == after)?;
        Some(cursors.remove(found))
    }

    fn keep(&self, cursor: Cursor) {
        let mut cursors = self.cursors.lock();
        cursors.push(cursor);
        if cursors.len() > CURSORS {
            cursors.remove(0);
        }
    }

    /// A cursor not far before the event after a position.
    async fn open(&self, after: i64) -> Result<Cursor, PortError> {
        let reader = Reader::look(&self.options, &self.topic)?;
        let place = search(&reader, after).await?;
        reader.seek(place.offset)?;
        Ok(Cursor { reader, place })
    }
}

/// Finds a place before which no event after a position is, by bisection.
///
/// Only `place` must be right, and it always is, because a place that a message tells of is a fact. `end` is a guess: a
/// repeated message can make it too small, and then more is read than needed.
async fn search(reader: &Reader, after: i64) -> Result<Place, PortError> {
    let mut place = Place::default();
    let mut end = reader.range().await?.end;
    for _ in 0..LOOKS {
        if end - place.offset <= NEAR {
            break;
        }
        let middle = place.offset + (end - place.offset) / 2;
        match Place::found(reader, middle, end).await? {
            Some(found) if found.last <= after && found.offset > place.offset => place = found,
            _ => end = middle,
        }
    }
    Ok(place)
}
