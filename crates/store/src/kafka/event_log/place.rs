//! Where a reader of a log of events is, and which events it accepts.
//!
//! A topic may contain an event more than once: two relays publish it, or one that died before it knew that it had
//! published. All readers agree on what the log says, because each accepts an event iff its number is one more than the
//! last accepted: what remains is every event once, in order, without a gap.
//!
//! Every message carries a [`Place`] that its relay had read up to: "before this offset, the last accepted event is
//! this". So whoever looks at any message of the topic can go on from there, without having read what is before it.

use firstcome_core::ports::{LoggedEvent, PortError};
use rdkafka::message::Message;

use super::message;
use crate::kafka::KafkaOptions;
use crate::kafka::reader::Reader;

/// A reader has read everything before an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    /// What is read next.
    pub(crate) offset: i64,
    /// The number of the last event that was accepted before it; 0 for none.
    pub(crate) last: i64,
}

impl Place {
    /// Moves on by a message. Returns its event if it is accepted.
    pub(crate) fn take(&mut self, message: &impl Message) -> Option<LoggedEvent> {
        if message.offset() < self.offset {
            return None;
        }
        self.offset = message.offset() + 1;
        // A message that no relay has written is not there, for anyone, ever.
        let (event, _) = message::decode(message)?;
        if event.position != self.last + 1 {
            return None;
        }
        self.last = event.position;
        Some(event)
    }

    /// A place near the end of the topic with this full name.
    pub(crate) async fn near_end(options: &KafkaOptions, topic: &str) -> Result<Self, PortError> {
        let reader = Reader::look(options, topic)?;
        let range = reader.range().await?;
        if range.start > 0 {
            return Err(PortError::Lost(format!(
                "the topic {topic} has lost its beginning: its first {} messages are deleted",
                range.start
            )));
        }
        let mut back = 1;
        while back <= range.end {
            if let Some(place) = Self::found(&reader, range.end - back, range.end).await? {
                return Ok(place);
            }
            // Nobody but relays should write here; whatever somebody else wrote is stepped over.
            back *= 2;
        }
        Ok(Self::default())
    }

    /// The place that the first message of a relay at or after an offset tells of, if there is one before `end`.
    pub(super) async fn found(reader: &Reader, offset: i64, end: i64) -> Result<Option<Self>, PortError> {
        reader.seek(offset)?;
        loop {
            let message = reader.next_within(super::PATIENCE).await?;
            // What was fetched for the place before.
            if message.offset() < offset {
                continue;
            }
            if message.offset() >= end {
                return Ok(None);
            }
            if let Some((_, place)) = message::decode(&message) {
                return Ok(Some(place));
            }
            if message.offset() + 1 >= end {
                return Ok(None);
            }
        }
    }
}
