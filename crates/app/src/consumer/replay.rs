//! Handling the event of a dead letter again, when its cause is mended.
//!
//! - The event is read where it was read the first time and goes to the same handler. What it changes and the letter's
//!   `replayed_at` are one commit, so it takes effect once, whoever asks how often.
//! - One replay at a time: it marks the letter before it begins, in a commit of its own, and the last commit is for the
//!   letter as it was marked. A handler may do more than it commits (a ledger command, say), and two that decide at once
//!   might decide differently. The mark of a process that died holds for [`LEASE`].
//! - In its process it is a step of the consumer: nothing is handled at the same time.
//! - Newer events of the same thing were handled meanwhile. Handlers bear that: they look at the state that they find, or
//!   write rows under the event's place, and an older one changes nothing ([`Unit::advance`]).
//! - What a handler keeps in memory the other processes learn by [`Replay::remember`].

use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::EventId;
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};

use super::{Consumer, DeadLetter, FIRST_PAUSE, HandleError, Handler, Item, TRIES};
use crate::actions::aside;

#[cfg(test)]
mod tests;

/// How long a replay may take. Longer than a gateway waits for an answer.
const LEASE: Duration = Duration::from_secs(60);

/// What came of a replay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replayed {
    /// The event is handled, by this replay or by one before; the letter as it is now.
    Done(DeadLetter),
    /// Another replay of it is under way.
    UnderWay,
    /// It could not be handled this time either, and nothing has changed.
    Failed(String),
}

/// A consumer whose dead letters can be replayed.
#[async_trait]
pub trait Replay: Send + Sync + 'static {
    /// Its name, as letters have it.
    fn consumer(&self) -> &'static str;
    /// Whether it keeps something in memory.
    fn keeps_memory(&self) -> bool;
    /// Hands the event of a letter to its handler again. None when there is no such letter.
    async fn replay(&self, letter: EventId) -> Result<Option<Replayed>, PortError>;
    /// Another process has replayed this letter: what it means for this one's memory.
    async fn remember(&self, letter: &DeadLetter) -> Result<(), PortError>;
}

#[async_trait]
impl<I: Item, H: Handler<I>> Replay for Consumer<I, H> {
    fn consumer(&self) -> &'static str {
        self.handler.name()
    }

    fn keeps_memory(&self) -> bool {
        self.handler.keeps_memory()
    }

    async fn replay(&self, letter: EventId) -> Result<Option<Replayed>, PortError> {
        let _turn = self.turn.lock().await;
        let Some(letter) = self.records.load::<DeadLetter>(letter).await? else { return Ok(None) };
        if letter.record.replayed_at.is_some() {
            return Ok(Some(Replayed::Done(letter.record)));
        }
        let Some(marked) = self.mark(letter).await? else { return Ok(Some(Replayed::UnderWay)) };
        let replayed = self.handle_again(&marked).await;
        if !matches!(replayed, Ok(Replayed::Done(_))) {
            self.unmark(marked).await;
        }
        replayed.map(Some)
    }

    async fn remember(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let _turn = self.turn.lock().await;
        let Some(item) = self.find(letter).await? else { return Ok(()) };
        match self.handler.handle(std::slice::from_ref(&item)).await {
            Ok(_) => self.handler.committed(&[item]),
            Err(HandleError::Port(error)) => return Err(error),
            // The other process is of a newer version, perhaps.
            Err(error) => tracing::warn!(consumer = self.consumer(), letter = %letter.id, %error, "passed over"),
        }
        Ok(())
    }
}

impl<I: Item, H: Handler<I>> Consumer<I, H> {
    /// The letter with the mark of this replay; none when another has one.
    async fn mark(&self, mut letter: Stored<DeadLetter>) -> Result<Option<Stored<DeadLetter>>, PortError> {
        let now = self.clock.now();
        if letter.record.replay_began.is_some_and(|began| now.since(began) < LEASE) {
            return Ok(None);
        }
        letter.record.replay_began = Some(now);
        let marked = aside(self.records.commit(Unit::new().update(&letter))).await? == Committed::Done;
        letter.version += 1;
        Ok(marked.then_some(letter))
    }

    /// Takes the mark back, if it is still there: the next replay need not wait.
    async fn unmark(&self, mut marked: Stored<DeadLetter>) {
        marked.record.replay_began = None;
        if let Err(error) = aside(self.records.commit(Unit::new().update(&marked))).await {
            tracing::warn!(letter = %marked.record.id, %error, "its next replay has to wait for a minute");
        }
    }

    async fn handle_again(&self, marked: &Stored<DeadLetter>) -> Result<Replayed, PortError> {
        let Some(item) = self.find(&marked.record).await? else {
            let DeadLetter { topic, position, .. } = &marked.record;
            return Ok(Replayed::Failed(format!("at position {position} of {topic} there is another event now")));
        };
        let mut done = marked.clone();
        done.record.replay_began = None;
        let mut met = 0;
        for _ in 0..TRIES {
            let effects = match self.handler.handle(std::slice::from_ref(&item)).await {
                Ok(effects) => effects,
                Err(HandleError::Port(error)) => return Err(error),
                Err(error) => return Ok(Replayed::Failed(error.to_string())),
            };
            done.record.replayed_at = Some(self.clock.now());
            let mut unit = Unit::new().update(&done);
            unit.append(effects);
            match self.records.commit(unit).await? {
                Committed::Done => {
                    self.handler.committed(&[item]);
                    return Ok(Replayed::Done(done.record));
                }
                // It took so long that another began.
                Committed::Conflict(0) => return Ok(Replayed::UnderWay),
                Committed::Conflict(write) => met = write - 1,
            }
            tokio::time::sleep(FIRST_PAUSE).await;
        }
        Ok(Replayed::Failed(format!("write {met} met a newer version of its row")))
    }

    /// The item of a letter; none when another is at its place.
    async fn find(&self, letter: &DeadLetter) -> Result<Option<I>, PortError> {
        let DeadLetter { topic, position, .. } = letter;
        let found = self.source.read(position - 1, 1).await?.pop();
        let late = || PortError::Unavailable(format!("position {position} of {topic} cannot be read here yet"));
        let item = found.ok_or_else(late)?;
        Ok(letter.is_about(&item).then_some(item))
    }
}
