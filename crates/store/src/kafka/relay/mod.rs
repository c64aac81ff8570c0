//! Carries a role's outbox to its topic.
//!
//! A relay knows what the topic says, because it reads it. It publishes what comes after the last accepted event, waits
//! until that is acknowledged, reads it back, and only then tells the outbox. So:
//!
//! - killed anywhere, it leaves at worst events in the topic that the outbox does not know of. The next one finds them
//!   there and goes on behind them.
//! - two relays of one role can publish the same events; readers accept each once (see
//!   [`crate::kafka::event_log::place`]), and both relays go on from there.
//! - while Kafka is away events wait in the outbox.
//!
//! A database that does not belong to the topic (an old backup of it, another shop's) is refused.

pub(super) mod publish;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use firstcome_core::ids::EventId;
use firstcome_core::lag::Lag;
use firstcome_core::ports::{LoggedEvent, PortError};

use self::publish::Publisher;
use super::event_log::PATIENCE;
use super::event_log::place::Place;
use super::event_log::topic_of;
use super::pause::Pause;
use super::reader::Reader;
use super::{KafkaOptions, topics};
use crate::outbox::Outbox;

/// Events that are published before they are read back, at most.
const BATCH: usize = 512;

/// The relay of one role's outbox.
pub struct Relay {
    options: KafkaOptions,
    role: &'static str,
    outbox: Arc<dyn Outbox>,
    lag: Lag,
}

impl Relay {
    /// A relay from an outbox to the topic of its role.
    pub fn new(options: KafkaOptions, role: &'static str, outbox: Arc<dyn Outbox>) -> Self {
        Self { options, role, outbox, lag: Lag::default() }
    }

    /// How long the oldest event has waited that is known to wait.
    pub fn lag(&self) -> Lag {
        self.lag.clone()
    }

    /// Carries on until the future is dropped. What passes is tried again for as long as it takes; returns with an
    /// error that does not.
    pub async fn run(&self) -> PortError {
        let mut pause = Pause::default();
        loop {
            let mut carried = 0;
            let Err(error) = self.carry(&mut carried).await;
            if !error.is_retryable() {
                return error;
            }
            tracing::warn!(role = self.role, %error, "events wait in the outbox");
            if carried > 0 {
                pause = Pause::default();
            }
            pause.rest().await;
        }
    }

    /// Carries what is committed by now, once, and returns when all of it is in the topic.
    pub async fn deliver(&self) -> Result<(), PortError> {
        let last = self.outbox.last().await?;
        let mut route = self.route().await?;
        while route.place.last < last {
            route.step().await?;
        }
        Ok(())
    }

    /// Carries on without an end. Counts the rounds that succeeded.
    async fn carry(&self, carried: &mut usize) -> Result<Infallible, PortError> {
        let mut route = self.route().await?;
        loop {
            route.step().await?;
            *carried += 1;
        }
    }

    /// Finds out what the topic says; from there it goes on.
    async fn route(&self) -> Result<Route<'_>, PortError> {
        let name = topic_of(self.role);
        topics::ensure(&self.options, &name).await?;
        let topic = self.options.topic(&name);
        let place = Place::near_end(&self.options, &topic).await?;
        let reader = Reader::follow(&self.options, &topic)?;
        reader.seek(place.offset)?;
        let publisher = Publisher::new(&self.options, self.role, topic.clone())?;
        let mut route = Route { topic, reader, publisher, outbox: &*self.outbox, lag: &self.lag, place, tip: None };
        let end = route.reader.range().await?.end;
        route.read_up_to(end, &[]).await?;
        self.outbox.published(route.place.last).await?;
        Ok(route)
    }
}

/// From the outbox to the topic, and the place in it that has been read.
struct Route<'a> {
    topic: String,
    reader: Reader,
    publisher: Publisher,
    outbox: &'a dyn Outbox,
    lag: &'a Lag,
    place: Place,
    /// The last event that was accepted, if this relay has seen it.
    tip: Option<EventId>,
}

impl Route<'_> {
    /// Publishes what waits; waits when nothing does.
    async fn step(&mut self) -> Result<(), PortError> {
        let last = self.place.last;
        // The last that was published comes along: topic and outbox must be of one mind about it.
        let mut events = self.outbox.after(last.saturating_sub(1), BATCH).await?;
        if last > 0 && events.first().is_some_and(|event| event.position == last) {
            let published = events.remove(0);
            if self.tip.is_some_and(|tip| tip != published.id) {
                return Err(self.damaged(format!("event {last} is another one there")));
            }
        }
        match events.first() {
            Some(event) => self.lag.waits_since(event.at),
            None => self.lag.caught_up(),
        }
        match events.first() {
            Some(event) if event.position == last + 1 => self.publish(&events).await,
            Some(event) => self.overtaken(event.position - 1).await,
            None => self.idle().await,
        }
    }

    async fn publish(&mut self, events: &[LoggedEvent]) -> Result<(), PortError> {
        let before = self.place;
        let offset = self.publisher.publish(events, before).await?;
        self.read_up_to(offset + 1, events).await?;
        if self.place.last == before.last {
            return Err(self.damaged(format!("event {} was written and cannot be read back", before.last + 1)));
        }
        self.outbox.published(self.place.last).await
    }

    /// Another relay has published more, and the outbox has forgotten it.
    async fn overtaken(&mut self, forgotten: i64) -> Result<(), PortError> {
        let end = self.reader.range().await?.end;
        self.read_up_to(end, &[]).await?;
        if self.place.last < forgotten {
            return Err(self.damaged(format!(
                "it ends with event {}, but everything up to {forgotten} was published: it was cut off, or made anew",
                self.place.last
            )));
        }
        Ok(())
    }

    /// Nothing is to be done before an event is committed, or another relay publishes one.
    async fn idle(&mut self) -> Result<(), PortError> {
        let last = self.outbox.last().await?;
        if last < self.place.last {
            return Err(self.damaged(format!(
                "it has event {}, but the last one of the database is {last}: the database is older, or another one",
                self.place.last
            )));
        }
        let waited = self.outbox.wait(self.place.last);
        tokio::pin!(waited);
        loop {
            let message = tokio::select! {
                waited = &mut waited => return waited,
                message = self.reader.next() => message?,
            };
            if let Some(event) = self.place.take(&message) {
                self.tip = Some(event.id);
            }
        }
    }

    /// Reads everything before an offset. What is accepted of `events` must be what they say.
    async fn read_up_to(&mut self, offset: i64, events: &[LoggedEvent]) -> Result<(), PortError> {
        let first = events.first().map_or(0, |event| event.position);
        while self.place.offset < offset {
            let Some(accepted) = self.place.take(&self.reader.next_within(PATIENCE).await?) else { continue };
            let ours = usize::try_from(accepted.position - first).ok().and_then(|index| events.get(index));
            if ours.is_some_and(|ours| *ours != accepted) {
                return Err(self.damaged(format!("event {} of another database was published", accepted.position)));
            }
            self.tip = Some(accepted.id);
        }
        Ok(())
    }

    fn damaged(&self, what: String) -> PortError {
        PortError::Corrupt(format!("the topic {} does not belong to this database: {what}", self.topic))
    }
}
