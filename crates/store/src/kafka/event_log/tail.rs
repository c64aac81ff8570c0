//! Follows the end of a topic.

use std::convert::Infallible;
use std::sync::Arc;

use firstcome_core::ports::{LoggedEvent, PortError};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::PATIENCE;
use super::place::Place;
use super::window::Window;
use crate::kafka::pause::Pause;
use crate::kafka::reader::Reader;
use crate::kafka::{KafkaOptions, topics};

/// A task that reads a topic's events as they come, until this is dropped.
///
/// What passes is tried again for as long as it takes; when the log is damaged the task ends, and everybody who asks
/// learns why.
pub(super) struct Tail {
    window: Arc<Mutex<Window>>,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

/// How far the task has come.
#[derive(Clone, Default)]
struct Progress {
    /// The place up to which the window holds what was accepted, once the end of the log was reached for the first time.
    place: Option<Place>,
    /// Why nothing more will come.
    failed: Option<PortError>,
}

/// What the window has for a reader.
pub(super) enum Recent {
    /// The events after its position; none when there are none yet.
    Events(Vec<LoggedEvent>),
    /// They are older than the window, which begins after this event.
    Older(i64),
    /// The reader has come further than the window.
    Ahead,
}

impl Tail {
    /// Begins to follow a topic.
    pub(super) fn start(options: KafkaOptions, name: String) -> Self {
        let window = Arc::new(Mutex::new(Window::default()));
        let (sender, progress) = watch::channel(Progress::default());
        let follower = Follower { options, name, window: Arc::clone(&window), progress: sender };
        let task = tokio::spawn(follower.run()).abort_handle();
        Self { window, progress, task }
    }

    /// What is after a position.
    pub(super) async fn recent(&self, after: i64, limit: usize) -> Result<Recent, PortError> {
        self.reached(|_| true).await?;
        let window = self.window.lock();
        if after > window.last() {
            return Ok(Recent::Ahead);
        }
        Ok(window.read(after, limit).map_or(Recent::Older(window.before()), Recent::Events))
    }

    /// Returns when everything before an offset has been read.
    pub(super) async fn read_up_to(&self, offset: i64) -> Result<(), PortError> {
        self.reached(|place| place.offset >= offset).await
    }

    /// Returns when there is an event after a position.
    pub(super) async fn event_after(&self, position: i64) -> Result<(), PortError> {
        self.until(|place| place.last > position).await
    }

    /// Like `until`, for what should be so at once.
    async fn reached(&self, is_there: impl Fn(&Place) -> bool) -> Result<(), PortError> {
        let reached = tokio::time::timeout(PATIENCE, self.until(is_there)).await;
        reached.unwrap_or_else(|_| Err(PortError::Unavailable("Kafka: the log of events is not read yet".to_owned())))
    }

    async fn until(&self, is_there: impl Fn(&Place) -> bool) -> Result<(), PortError> {
        let mut progress = self.progress.clone();
        let met = progress.wait_for(|now| now.failed.is_some() || now.place.as_ref().is_some_and(&is_there)).await;
        let met = met.map_err(|_| PortError::Unavailable("the log of events is no longer followed".to_owned()))?;
        met.failed.clone().map_or(Ok(()), Err)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    options: KafkaOptions,
    name: String,
    window: Arc<Mutex<Window>>,
    progress: watch::Sender<Progress>,
}

impl Follower {
    async fn run(self) {
        let topic = self.options.topic(&self.name);
        let mut place = None;
        let mut pause = Pause::default();
        loop {
            let before = place;
            let Err(error) = self.follow(&topic, &mut place).await;
            if !error.is_retryable() {
                tracing::error!(topic, %error, "the log of events is damaged");
                self.progress.send_modify(|progress| progress.failed = Some(error));
                return;
            }
            tracing::warn!(topic, %error, "reading the log of events again");
            if place != before {
                pause = Pause::default();
            }
            pause.rest().await;
        }
    }

    async fn follow(&self, topic: &str, place: &mut Option<Place>) -> Result<Infallible, PortError> {
        topics::ensure(&self.options, &self.name).await?;
        let mut now = if let Some(place) = *place {
            place
        } else {
            let near = Place::near_end(&self.options, topic).await?;
            *self.window.lock() = Window::after(near.last);
            near
        };
        let reader = Reader::follow(&self.options, topic)?;
        let end = reader.range().await?.end;
        reader.seek(now.offset)?;
        loop {
            // Nobody is told anything before the end has been seen once: a log is never shown shorter than it was.
            if place.is_some() || now.offset >= end {
                *place = Some(now);
                self.progress.send_modify(|progress| progress.place = Some(now));
            }
            let message = reader.next().await?;
            if let Some(event) = now.take(&message) {
                self.window.lock().push(event);
            }
        }
    }
}
