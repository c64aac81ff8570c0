//! Consumers: they read what others announced and make it their own, each event once.
//!
//! A handler turns a batch of events into one unit of work; the consumer commits it together with its position, so an
//! event that comes twice changes nothing the second time. What else a handler does (a ledger command, say) must be
//! safe to repeat. A batch that fails is tried event by event; an event that keeps failing goes to the role's dead
//! letters with the reason, and those behind it go on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::EventId;
use firstcome_core::ports::{Clock, Committed, EventLog, JournalEntry, LoggedEvent, PortError, Records, StockLedger};
use firstcome_core::record;
use firstcome_core::records::Unit;
use firstcome_core::time::Time;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::role::{Worker, WorkerFailed};

/// Events that are handled in one commit at most, where nothing speaks for another number.
pub const BATCH: usize = 512;
/// How often one event is tried before it goes to the dead letters.
const TRIES: u32 = 8;
/// The first pause between tries; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

record! {
    /// An event that could not be handled. Seen and replayed by an operator.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct DeadLetter in "dead_letters" {
        /// Names the letter: the event's id under the consumer's name.
        pub id: EventId,
        /// Who could not handle it.
        pub consumer: String,
        /// Where it was read.
        pub topic: String,
        /// Its place in the topic.
        pub position: i64,
        /// The event's kind.
        pub kind: String,
        /// What it is about.
        pub subject: String,
        /// The event itself, as JSON.
        pub data: String,
        /// Why it could not be handled.
        pub reason: String,
        /// When it was given up.
        pub at: Time,
        /// When an operator's replay succeeded.
        pub replayed_at: Option<Time>,
    }
    indexes [index "dead_letters_by_time" ("at")]
}

/// Why a handler did not give a unit of work.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Infrastructure: tried again for as long as it takes.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The event cannot be handled as it is.
    #[error("{0}")]
    Rejected(String),
    /// Another process of the same consumer was faster: read on from where it came to.
    #[error("overtaken by another process of the same consumer")]
    Overtaken,
}

/// Something that comes from a source in order.
pub trait Item: Clone + Send + Sync + 'static {
    /// Its place; strictly increasing.
    fn position(&self) -> i64;
    /// What is kept of it as a dead letter: kind, subject and data.
    fn describe(&self) -> (String, String, String);
}

impl Item for LoggedEvent {
    fn position(&self) -> i64 {
        self.position
    }
    fn describe(&self) -> (String, String, String) {
        (self.kind.clone(), self.subject.clone(), self.data.clone())
    }
}

impl Item for JournalEntry {
    fn position(&self) -> i64 {
        self.position
    }
    fn describe(&self) -> (String, String, String) {
        let record = &self.record;
        ("journal".to_owned(), record.offer.to_string(), format!("{:?}", record.events))
    }
}

/// Where items come from.
#[async_trait]
pub trait Source<I>: Send + Sync + 'static {
    /// Items after a position, in order, at most `limit`.
    async fn read(&self, after: i64, limit: usize) -> Result<Vec<I>, PortError>;
    /// Returns when there may be an item after a position.
    async fn wait(&self, after: i64) -> Result<(), PortError>;
}

/// A topic of the event log as a source.
pub struct Topic {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The topic.
    pub name: &'static str,
}

#[async_trait]
impl Source<LoggedEvent> for Topic {
    async fn read(&self, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        self.log.read(self.name, after, limit).await
    }
    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.log.wait(self.name, after).await
    }
}

/// The ledger's journal as a source.
pub struct Journal(pub Arc<dyn StockLedger>);

#[async_trait]
impl Source<JournalEntry> for Journal {
    async fn read(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.0.entries(after, limit).await
    }
    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.0.wait(after).await
    }
}

/// Turns items into a unit of work.
#[async_trait]
pub trait Handler<I>: Send + Sync + 'static {
    /// The consumer's name: positions are kept under it, so it never changes.
    fn name(&self) -> &'static str;
    /// What these items change. Called again with the same items after a conflict or a crash.
    async fn handle(&self, items: &[I]) -> Result<Unit, HandleError>;
    /// Called after these items are committed.
    fn committed(&self, _items: &[I]) {}
}

/// Reads an event; one that this version does not know is rejected.
pub fn parse(event: &LoggedEvent) -> Result<RoleEvent, HandleError> {
    RoleEvent::parse(&event.kind, &event.data).map_err(|error| HandleError::Rejected(error.to_string()))
}

/// A handler with its source and its place.
pub struct Consumer<I, H> {
    /// The database of the role, where effects and position go.
    pub records: Arc<dyn Records>,
    /// Where items come from.
    pub source: Arc<dyn Source<I>>,
    /// The name of the source, for dead letters.
    pub topic: &'static str,
    /// What is done with them.
    pub handler: H,
    /// For the time of dead letters.
    pub clock: Arc<dyn Clock>,
    /// Items handled in one commit at most.
    pub batch: usize,
    /// One step at a time, whoever asks for it; made by `Mutex::default()`.
    pub turn: Mutex<()>,
}

impl<I: Item, H: Handler<I>> Consumer<I, H> {
    /// Handles the next batch, if there is one. Returns how many items it moved on by.
    pub async fn step(&self) -> Result<usize, PortError> {
        let _turn = self.turn.lock().await;
        let from = self.records.position(self.handler.name()).await?;
        let items = self.source.read(from, self.batch).await?;
        let Some(last) = items.last() else { return Ok(0) };
        match self.apply(&items, from, last.position()).await {
            Ok(()) | Err(HandleError::Overtaken) => {}
            Err(_) => self.one_by_one(&items, from).await?,
        }
        Ok(items.len())
    }

    async fn apply(&self, items: &[I], from: i64, to: i64) -> Result<(), HandleError> {
        let unit = self.handler.handle(items).await?.position(self.handler.name(), from, to);
        let writes = unit.writes.len();
        match self.records.commit(unit).await? {
            Committed::Done => {
                self.handler.committed(items);
                Ok(())
            }
            Committed::Conflict(write) if write == writes => Err(HandleError::Overtaken),
            Committed::Conflict(write) => {
                Err(HandleError::Rejected(format!("write {write} met a newer version of its row")))
            }
        }
    }

    async fn one_by_one(&self, items: &[I], mut from: i64) -> Result<(), PortError> {
        for item in items {
            if !self.with_retries(item, from).await? {
                return Ok(());
            }
            from = item.position();
        }
        Ok(())
    }

    /// Handles one item, or gives it up to the dead letters. False when another process was faster.
    async fn with_retries(&self, item: &I, from: i64) -> Result<bool, PortError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            match self.apply(std::slice::from_ref(item), from, item.position()).await {
                Ok(()) => return Ok(true),
                Err(HandleError::Overtaken) => return Ok(false),
                Err(HandleError::Port(error)) => return Err(error),
                Err(HandleError::Rejected(reason)) if attempt == TRIES => {
                    self.bury(item, from, reason).await?;
                    return Ok(true);
                }
                Err(HandleError::Rejected(_)) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(true)
    }

    async fn bury(&self, item: &I, from: i64, reason: String) -> Result<(), PortError> {
        let consumer = self.handler.name();
        let (kind, subject, data) = item.describe();
        tracing::error!(consumer, topic = self.topic, position = item.position(), %kind, %subject, %reason, "dead letter");
        let letter = DeadLetter {
            id: EventId::derived(&[consumer.as_bytes(), self.topic.as_bytes(), &item.position().to_be_bytes()]),
            consumer: consumer.to_owned(),
            topic: self.topic.to_owned(),
            position: item.position(),
            kind,
            subject,
            data,
            reason,
            at: self.clock.now(),
            replayed_at: None,
        };
        let unit = Unit::new().insert(&letter).position(consumer, from, item.position());
        self.records.commit(unit).await?;
        Ok(())
    }

    /// Handles everything that is there now.
    pub async fn catch_up(&self) -> Result<(), PortError> {
        while self.step().await? > 0 {}
        Ok(())
    }

    /// Runs until stopped: handles what comes, waits when nothing does, and tries again when infrastructure fails.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), PortError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let step = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                step = self.step_or_wait() => step,
            };
            match step {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(consumer = self.handler.name(), %error, "trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn step_or_wait(&self) -> Result<(), PortError> {
        if self.step().await? == 0 {
            let position = self.records.position(self.handler.name()).await?;
            self.source.wait(position).await?;
        }
        Ok(())
    }

    /// The consumer as a worker of its role.
    pub fn into_worker(self: Arc<Self>) -> Worker {
        Worker::new(self.handler.name(), move |stop| async move {
            self.run(stop).await.map_err(|error| WorkerFailed(error.to_string()))
        })
    }
}
