//! Consumers: they read what others announced and make it their own, each event once.
//!
//! A handler turns a batch of events into one unit of work; the consumer commits it together with its position, so an
//! event that comes twice changes nothing the second time. What else a handler does (a ledger command, say) must be
//! safe to repeat. A batch that fails is tried event by event; an event that keeps failing goes to the role's dead
//! letters with the reason, and those behind it go on. An operator can have it [handled again](Replay).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::lag::Lag;
use firstcome_core::ports::{Clock, Committed, EventLog, JournalEntry, LoggedEvent, PortError, Records, StockLedger};
use firstcome_core::records::Unit;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::role::{Worker, WorkerFailed};

mod letter;
mod replay;
#[cfg(test)]
mod tests;

pub use letter::{DeadLetter, Item};
pub use replay::{Replay, Replayed};

/// Events that are handled in one commit at most, where nothing speaks for another number.
pub const BATCH: usize = 512;
/// How often one event is tried before it goes to the dead letters.
const TRIES: u32 = 8;
/// Items that change nothing are not worth a commit of their own: after so many the position is kept all the same.
/// Whatever was not kept is handled once more after a restart.
const KEEP_EVERY: i64 = 4_096;
/// Items, or rows that they change, or events that they announce, in a step that make a crowd. Then the next may gather: in few
/// large commits the same items cost less.
const CROWD: usize = 8;
/// How long they gather at least, and where nothing speaks for another time also at most.
const GATHERING: Duration = Duration::from_millis(3);
/// How long for each of them: so it is the longest time soon when more than 10,000 come in a second, and stays short else.
const GATHERING_EACH: Duration = Duration::from_micros(100);
/// A process that was overtaken by another process of the same consumer looks again after this, whether the other goes on.
const STAND_BY: Duration = Duration::from_millis(500);
/// How long to wait for what must be on its way from another process.
const ON_ITS_WAY: Duration = Duration::from_secs(3);
/// The first pause between tries; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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

/// Where items come from.
#[async_trait]
pub trait Source<I>: Send + Sync + 'static {
    /// Its name, for dead letters.
    fn name(&self) -> &'static str;
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
    fn name(&self) -> &'static str {
        self.name
    }
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
    fn name(&self) -> &'static str {
        "journal"
    }
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
    /// Whether it also keeps something in memory, so that every process must see every item, also those that another
    /// process of the same consumer has committed. What it commits must then be safe to leave to that process.
    fn keeps_memory(&self) -> bool {
        false
    }
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
    /// How long items may gather at most while there is a crowd.
    pub gathering: Duration,
    /// One step at a time, whoever asks for it.
    pub turn: Mutex<Turn>,
    /// How far behind it is.
    pub lag: Lag,
}

/// Where a consumer has come to.
#[derive(Default)]
pub struct Turn(Option<Place>);

impl Turn {
    /// Begins where the database said that the consumer was, before what it keeps in memory was read from there.
    pub fn at(position: i64) -> Self {
        Self(Some(Place::kept(position)))
    }
}

/// What a step came to.
enum Step {
    /// It moved on over so many items, which changed so many rows, or announced so many events where those are more.
    Moved { items: usize, changes: usize },
    /// There is nothing after this position.
    Idle(i64),
    /// Another process was faster.
    Overtaken,
}

#[derive(Clone, Copy)]
struct Place {
    /// Up to here everything is handled.
    now: i64,
    /// What the database says: behind by items that changed nothing, or ahead of what a consumer that keeps something in
    /// memory has seen, because another process was faster.
    kept: i64,
}

impl Place {
    fn kept(position: i64) -> Self {
        Self { now: position, kept: position }
    }
}

impl<I: Item, H: Handler<I>> Consumer<I, H> {
    /// A consumer that begins where its database says that it was.
    pub fn new(source: impl Source<I>, records: &Arc<dyn Records>, clock: &Arc<dyn Clock>, handler: H) -> Self {
        Self {
            topic: source.name(),
            source: Arc::new(source),
            records: Arc::clone(records),
            clock: Arc::clone(clock),
            handler,
            batch: BATCH,
            gathering: GATHERING,
            turn: Mutex::default(),
            lag: Lag::default(),
        }
    }

    /// Begins there instead.
    #[must_use]
    pub fn beginning_at(self, turn: Turn) -> Self {
        Self { turn: Mutex::new(turn), ..self }
    }

    /// Handles so many items in one commit at most.
    #[must_use]
    pub fn in_batches_of(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// Lets items gather for so long at most while there is a crowd.
    #[must_use]
    pub fn gathering(self, gathering: Duration) -> Self {
        Self { gathering, ..self }
    }

    /// Handles the next batch. Whatever goes wrong, the next step begins with what the database says, and a consumer that
    /// keeps something in memory with what it has not seen yet.
    async fn step(&self) -> Result<Step, PortError> {
        let mut turn = self.turn.lock().await;
        let place = match turn.0.take() {
            Some(place) => place,
            None => Place::kept(self.records.position(self.handler.name()).await?),
        };
        if self.handler.keeps_memory() {
            // What it has not seen it must not skip.
            turn.0 = Some(place);
        }
        let items = self.source.read(place.now, self.batch).await?;
        let Some(first) = items.first() else {
            self.lag.caught_up();
            turn.0 = Some(place);
            return Ok(Step::Idle(place.now));
        };
        self.lag.waits_since(first.at());
        if place.now < place.kept {
            turn.0 = Some(self.follow(&items, place).await?);
            return Ok(Step::Moved { items: items.len(), changes: 0 });
        }
        let (next, changes) = match self.apply(&items, place).await {
            Ok((next, changes)) => (Some(next), changes),
            Err(HandleError::Overtaken) => (None, 0),
            Err(_) => (self.one_by_one(&items, place).await?, 0),
        };
        if next.is_some() {
            turn.0 = next;
            return Ok(Step::Moved { items: items.len(), changes });
        }
        if self.handler.keeps_memory() {
            let kept = self.records.position(self.handler.name()).await?;
            turn.0 = Some(Place { kept, ..place });
        }
        Ok(Step::Overtaken)
    }

    /// Another process has committed what these items change, up to where it came; what they mean for this one's memory
    /// is still to be seen.
    async fn follow(&self, items: &[I], place: Place) -> Result<Place, PortError> {
        let theirs = &items[..items.partition_point(|item| item.position() <= place.kept)];
        if !theirs.is_empty() {
            match self.handler.handle(theirs).await {
                Ok(_) => self.handler.committed(theirs),
                Err(HandleError::Port(error)) => return Err(error),
                // The other process has buried one of them, with the reason.
                Err(error) => tracing::warn!(consumer = self.handler.name(), %error, "passed over"),
            }
        }
        Ok(Place { now: theirs.last().map_or(place.kept, Item::position), ..place })
    }

    /// Where it is after these items, and how many rows they have changed, or events announced where those are more.
    async fn apply(&self, items: &[I], place: Place) -> Result<(Place, usize), HandleError> {
        let Some(last) = items.last() else { return Ok((place, 0)) };
        let to = last.position();
        let unit = self.handler.handle(items).await?;
        if unit.is_empty() && to - place.kept < KEEP_EVERY {
            self.handler.committed(items);
            return Ok((Place { now: to, ..place }, 0));
        }
        let unit = unit.position(self.handler.name(), place.kept, to);
        let writes = unit.writes.len();
        let changes = writes.max(unit.events.len());
        match self.records.commit(unit).await? {
            Committed::Done => {
                self.handler.committed(items);
                Ok((Place::kept(to), changes))
            }
            Committed::Conflict(write) if write == writes => Err(HandleError::Overtaken),
            Committed::Conflict(write) => {
                Err(HandleError::Rejected(format!("write {write} met a newer version of its row")))
            }
        }
    }

    /// None when another process was faster.
    async fn one_by_one(&self, items: &[I], mut place: Place) -> Result<Option<Place>, PortError> {
        for item in items {
            match self.with_retries(item, place).await? {
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
        Ok(Some(place))
    }

    /// Handles one item, or gives it up to the dead letters. None when another process was faster.
    async fn with_retries(&self, item: &I, place: Place) -> Result<Option<Place>, PortError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            match self.apply(std::slice::from_ref(item), place).await {
                Ok((next, _)) => return Ok(Some(next)),
                Err(HandleError::Overtaken) => return Ok(None),
                Err(HandleError::Port(error)) => return Err(error),
                Err(HandleError::Rejected(reason)) if attempt == TRIES => return self.bury(item, place, reason).await,
                Err(HandleError::Rejected(_)) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(None)
    }

    async fn bury(&self, item: &I, place: Place, reason: String) -> Result<Option<Place>, PortError> {
        let consumer = self.handler.name();
        let position = item.position();
        let letter = DeadLetter::new(consumer, self.topic, item, reason, self.clock.now());
        let DeadLetter { kind, subject, reason, .. } = &letter;
        tracing::error!(consumer, topic = self.topic, position, %kind, %subject, %reason, "dead letter");
        let unit = Unit::new().insert(&letter).position(consumer, place.kept, position);
        // A conflict is another process that was faster, with the same letter perhaps.
        let buried = self.records.commit(unit).await? == Committed::Done;
        Ok(buried.then(|| Place::kept(position)))
    }

    /// Handles everything that is there now, unless another process of the same consumer does.
    pub async fn catch_up(&self) -> Result<(), PortError> {
        while let Step::Moved { .. } | Step::Overtaken = self.step().await? {}
        Ok(())
    }

    /// For whoever waits, since that moment, for what another process has announced: handles what has come after a short
    /// pause. False when it has been waited for long enough.
    pub async fn look_again(&self, since: tokio::time::Instant) -> Result<bool, PortError> {
        if since.elapsed() >= ON_ITS_WAY {
            return Ok(false);
        }
        tokio::time::sleep(FIRST_PAUSE).await;
        self.catch_up().await?;
        Ok(true)
    }

    /// Runs until stopped: handles what comes, waits when nothing does, and tries again when infrastructure fails.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), PortError> {
        let mut pause = FIRST_PAUSE;
        loop {
            // In an orderly stop the ledger ends after the token; its goodbye is no failure.
            let step = tokio::select! {
                biased;
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
        match self.step().await? {
            Step::Idle(position) => return self.source.wait(position).await,
            Step::Overtaken if !self.handler.keeps_memory() => tokio::time::sleep(STAND_BY).await,
            Step::Moved { items, changes } if items < self.batch && items.max(changes) >= CROWD => {
                let crowd = u32::try_from(items.max(changes)).unwrap_or(u32::MAX);
                tokio::time::sleep(GATHERING.max(GATHERING_EACH.saturating_mul(crowd)).min(self.gathering)).await;
            }
            Step::Moved { .. } | Step::Overtaken => {}
        }
        Ok(())
    }

    /// The consumer as a worker of its role; what it buries is looked after by its role's
    /// [letters](crate::letters::Letters::follow), which begin it.
    pub(crate) fn into_worker(self: Arc<Self>) -> Worker {
        let lag = self.lag.clone();
        Worker::new(self.handler.name(), move |stop| async move {
            self.run(stop).await.map_err(|error| WorkerFailed(error.to_string()))
        })
        .behind(lag)
    }
}
