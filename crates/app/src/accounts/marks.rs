//! Marks again what could not be marked when it happened.

use std::sync::Arc;
use std::time::Duration;

use super::Accounts;
use crate::role::Worker;

/// How often it is tried again.
const EVERY: Duration = Duration::from_millis(200);

/// Tries until it is stopped. Nothing to do where there is one process.
pub(super) fn worker(accounts: Arc<Accounts>) -> Worker {
    Worker::new("accounts.marks", move |stop| async move {
        let revocations = Arc::clone(&accounts.ports.revocations);
        if revocations.marks().is_none() {
            stop.cancelled().await;
        }
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            stop.run_until_cancelled(revocations.tell_again(accounts.ports.clock.now())).await;
        }
        Ok(())
    })
}
