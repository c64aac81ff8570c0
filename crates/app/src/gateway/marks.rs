//! Follows the log-outs of other processes where they are marked at once, beside the topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use firstcome_core::ports::{PortError, SessionMarks};
use tokio::time::Instant;

use super::Gateway;
use super::freshness::{EVERY, Freshness};
use crate::role::Worker;

/// How far the marks are known.
#[derive(Default)]
pub(super) struct Marks {
    after: AtomicI64,
    pub(super) freshness: Freshness,
}

impl Gateway {
    async fn read_marks(&self, marks: &dyn SessionMarks) -> Result<(), PortError> {
        let asked = Instant::now();
        let (ended, after) = marks.marked(self.marks.after.load(Ordering::Acquire)).await?;
        let now = self.ports.clock.now();
        for (session, tokens_until) in ended {
            self.ports.revocations.revoke(session, tokens_until, now);
        }
        self.marks.after.store(after, Ordering::Release);
        self.marks.freshness.know(asked);
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
