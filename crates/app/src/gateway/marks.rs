//! Follows the log-outs of other processes where they are marked at once, beside the topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use firstcome_core::ports::{PortError, SessionMarks};
use tokio::time::Instant;

use super::Gateway;
use crate::role::Worker;

/// How often is asked: a log-out is effective within a second.
const EVERY: Duration = Duration::from_millis(200);
/// After so long without an answer it is not known who was logged out.
const OLD: Duration = Duration::from_secs(1);

/// How far the marks are known.
pub(super) struct Marks {
    after: AtomicI64,
    began: Instant,
    /// When they were read last, in milliseconds after `began`; 0 for never.
    read: AtomicU64,
}

impl Default for Marks {
    fn default() -> Self {
        Self { after: AtomicI64::new(0), began: Instant::now(), read: AtomicU64::new(0) }
    }
}

impl Marks {
    /// Whether a log-out that was marked a second ago is known here.
    pub(super) fn are_fresh(&self) -> bool {
        let read = self.read.load(Ordering::Acquire);
        read > 0 && self.began.elapsed().saturating_sub(Duration::from_millis(read)) < OLD
    }
}

impl Gateway {
    /// Whether it is known who was logged out: by the marks or, while they cannot be read, by the topic.
    pub(super) fn knows_log_outs(&self) -> bool {
        let one_process = self.ports.revocations.marks().is_none();
        one_process || self.marks.are_fresh() || self.follower.reads()
    }

    async fn read_marks(&self, marks: &dyn SessionMarks) -> Result<(), PortError> {
        let begun = self.marks.began.elapsed().as_millis() as u64;
        let (ended, after) = marks.marked(self.marks.after.load(Ordering::Acquire)).await?;
        let now = self.ports.clock.now();
        for (session, tokens_until) in ended {
            self.ports.revocations.revoke(session, tokens_until, now);
        }
        self.marks.after.store(after, Ordering::Release);
        self.marks.read.store(begun.max(1), Ordering::Release);
        Ok(())
    }
}

/// Asks until it is stopped. Nothing to do where there is one process.
pub(super) fn worker(gateway: Arc<Gateway>) -> Worker {
    Worker::new("gateway.marks", move |stop| async move {
        let Some(marks) = gateway.ports.revocations.marks() else {
            stop.cancelled().await;
            return Ok(());
        };
        let mut failing = false;
        while let Some(read) = stop.run_until_cancelled(gateway.read_marks(marks)).await {
            match &read {
                Ok(()) if failing => tracing::info!("marks of log-outs can be read again"),
                Err(error) if !failing => tracing::warn!(%error, "log-outs are learned from the topic only"),
                _ => {}
            }
            failing = read.is_err();
            stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
        Ok(())
    })
}
