//! The latest events of a topic, in memory.

use std::collections::VecDeque;

use firstcome_core::ports::LoggedEvent;

/// Events that are kept at most, and bytes of their texts.
const EVENTS: usize = 8_192;
const BYTES: usize = 8 << 20;

/// Accepted events in order, without a gap, up to the last one that was read.
#[derive(Default)]
pub(super) struct Window {
    events: VecDeque<LoggedEvent>,
    bytes: usize,
    last: i64,
}

impl Window {
    /// An empty window after an event.
    pub(super) fn after(last: i64) -> Self {
        Self { last, ..Self::default() }
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// The number of the event before the first that is here.
    pub(super) fn before(&self) -> i64 {
        self.last - self.events.len() as i64
    }

    /// Adds the next event; the oldest make room.
    pub(super) fn push(&mut self, event: LoggedEvent) {
        self.last = event.position;
        self.bytes += size(&event);
        self.events.push_back(event);
        while self.events.len() > EVENTS || self.bytes > BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= size(&oldest);
        }
    }

    /// Events after a position, or nothing when the first of them is not here any more.
    pub(super) fn read(&self, after: i64, limit: usize) -> Option<Vec<LoggedEvent>> {
        let skip = usize::try_from(after - self.before()).ok()?;
        Some(self.events.iter().skip(skip).take(limit).cloned().collect())
    }
}

fn size(event: &LoggedEvent) -> usize {
    size_of::<LoggedEvent>() + event.kind.len() + event.subject.len() + event.data.len()
}
