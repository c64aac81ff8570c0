//! Asks the accounts themselves who was logged out, beside the topic and the marks.
//!
//! A gateway vouches for a session as long as one of the three tells it who was logged out: each of them has told
//! everything up to a moment. With none of them within a second it refuses every token. The accounts are asked also while
//! the other two are heard: a log-out may have gone only where this gateway cannot read, or nowhere, when it is the accounts
//! that reach neither.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::SessionId;
use firstcome_core::ports::PortError;
use firstcome_core::time::Time;
use tokio::time::Instant;

use super::Gateway;
use super::follower::LOOK_BACK;
use super::freshness::{EVERY, Freshness};
use crate::role::Worker;

/// How much longer ago than needed it is asked about: a log-out is stamped before it is committed, by a clock of another
/// machine.
const OVERLAP: Duration = Duration::from_secs(10);

/// Who can say which sessions ended.
#[async_trait]
pub trait EndedSessions: Send + Sync + 'static {
    /// The sessions that ended within the time before now and whose tokens may not have expired yet, with the end of those.
    async fn ended_within(&self, time: Duration) -> Result<Vec<(SessionId, Time)>, PortError>;
}

impl Gateway {
    /// Whether it is known who was logged out.
    pub(super) fn knows_log_outs(&self) -> bool {
        let sources = [&self.marks.freshness, &self.follower.freshness, &self.asked];
        !self.has_others() || sources.into_iter().any(Freshness::is_fresh)
    }

    /// Whether log-outs happen in other processes too.
    pub(super) fn has_others(&self) -> bool {
        self.ports.revocations.marks().is_some()
    }

    async fn ask(&self, accounts: &dyn EndedSessions) -> Result<(), PortError> {
        let asked = Instant::now();
        let ended = accounts.ended_within((self.asked.age() + OVERLAP).min(LOOK_BACK)).await?;
        let now = self.ports.clock.now();
        for (session, tokens_until) in ended {
            self.ports.revocations.revoke(session, tokens_until, now);
        }
        self.asked.know(asked);
        Ok(())
    }
}

/// Asks until it is stopped. Nothing to do where there is one process.
pub(super) fn worker(gateway: Arc<Gateway>) -> Worker {
    Worker::new("gateway.asking", move |stop| async move {
        let Some(accounts) = gateway.ports.accounts.clone() else {
            stop.cancelled().await;
            return Ok(());
        };
        let mut failing = false;
        loop {
            let Some(asked) = stop.run_until_cancelled(gateway.ask(accounts.as_ref())).await else { return Ok(()) };
            // One answer that is late is no silence.
            let silent = !gateway.asked.is_fresh();
            match &asked {
                Ok(()) if failing => tracing::info!("the accounts say again who was logged out"),
                Err(error) if silent && !failing => {
                    tracing::warn!(%error, "the accounts do not say who was logged out");
                }
                _ => {}
            }
            failing = silent;
            if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                return Ok(());
            }
        }
    })
}
