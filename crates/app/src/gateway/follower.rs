//! Follows the log-outs of every process in the `accounts` topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ports::PortError;
use firstcome_core::time::Time;
use tokio::time::Instant;

use super::Gateway;
use super::freshness::{EVERY, Freshness};
use crate::role::{Worker, WorkerFailed};

/// Log-outs older than this are of tokens that have expired: the longest-lived are a load tool's, a day. The rest is
/// for clocks that were set back.
pub(super) const LOOK_BACK: Duration = Duration::from_hours(36);
const BATCH: usize = 1_024;
const PAUSE: Duration = Duration::from_millis(100);

/// How far the gateway has read.
#[derive(Default)]
pub(super) struct Follower {
    position: AtomicI64,
    loaded: AtomicBool,
    pub(super) freshness: Freshness,
}

impl Follower {
    /// Whether everything that was there at the start has been read.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }
}

impl Gateway {
    /// Reads every log-out that matters up to now. The worker does it too; whoever calls this before serving has no
    /// moment in which tokens are answered with 503.
    pub async fn load(&self) -> Result<(), PortError> {
        if !self.follower.is_loaded() {
            let start = self.first_since(self.ports.clock.now() - LOOK_BACK).await?;
            self.follower.position.fetch_max(start, Ordering::AcqRel);
        }
        while self.read_on().await? > 0 {}
        self.follower.loaded.store(true, Ordering::Release);
        Ok(())
    }

    /// Reads the next log-outs. Returns how many events it moved on by.
    async fn read_on(&self) -> Result<usize, PortError> {
        let from = self.follower.position.load(Ordering::Acquire);
        let events = self.ports.events.read(topics::ACCOUNTS, from, BATCH).await?;
        let now = self.ports.clock.now();
        for event in events.iter().filter(|event| event.kind == "session.revoked") {
            match RoleEvent::parse(&event.kind, &event.data) {
                Ok(RoleEvent::SessionRevoked { session, tokens_until, .. }) => {
                    self.ports.revocations.revoke(session, tokens_until, now);
                }
                Ok(_) => {}
                Err(error) => tracing::error!(position = event.position, %error, "a log-out cannot be read"),
            }
        }
        if let Some(last) = events.last() {
            self.follower.position.fetch_max(last.position, Ordering::AcqRel);
        }
        Ok(events.len())
    }

    /// A position before every event written since `time`, found by halving: a topic may hold millions.
    pub(super) async fn first_since(&self, time: Time) -> Result<i64, PortError> {
        let (mut older, mut step) = (0, 1);
        // Everything up to `older` was written before; strides double until they land on an event that was not.
        while self.is_older(older + step, time).await? {
            older += step;
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if self.is_older(older + step, time).await? {
                older += step;
            }
        }
        Ok(older)
    }

    /// Whether the first event at or after this position was written before `time`; not when there is none.
    async fn is_older(&self, position: i64, time: Time) -> Result<bool, PortError> {
        let next = self.ports.events.read(topics::ACCOUNTS, position - 1, 1).await?;
        Ok(next.first().is_some_and(|event| event.at < time))
    }

    async fn follow(&self) -> Result<(), PortError> {
        let asked = Instant::now();
        if self.has_others() {
            // A log that says nothing may have nothing to say, or not be heard.
            self.ports.events.catch_up(topics::ACCOUNTS).await?;
        }
        self.load().await?;
        self.follower.freshness.know(asked);
        let next = self.ports.events.wait(topics::ACCOUNTS, self.follower.position.load(Ordering::Acquire));
        if self.has_others() { tokio::time::timeout(EVERY, next).await.unwrap_or(Ok(())) } else { next.await }
    }
}

/// Follows until it is stopped; a log that does not answer is asked again.
pub(super) fn worker(gateway: Arc<Gateway>) -> Worker {
    Worker::new("gateway-revocations", move |stop| async move {
        while let Some(followed) = stop.run_until_cancelled(gateway.follow()).await {
            match followed {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "log-outs of other processes cannot be read; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(WorkerFailed(error.to_string())),
            }
        }
        Ok(())
    })
}
