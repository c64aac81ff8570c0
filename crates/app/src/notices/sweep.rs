//! Looks after the role's database: forgets what is over, and removes what is left of removed webhooks.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Clock, PortError, Records};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};

use super::Ports;
use super::rows::{Delivery, DeliveryState, Webhook, WebhookState};
use crate::role::Worker;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(5);
/// Rows that one commit removes.
const BATCH: u32 = 256;
/// How long after its removal something may still be queued for a webhook, by whoever has not heard of it.
const AFTERMATH: Duration = Duration::from_hours(1);

/// What is looked after, and by what.
pub(super) struct Sweeper {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
}

impl Sweeper {
    pub(super) fn new(ports: &Ports) -> Self {
        Self { records: ports.records.clone(), clock: ports.clock.clone() }
    }

    /// One round. Returns how many rows it removed.
    pub(super) async fn round(&self) -> Result<usize, PortError> {
        let mut removed = 0;
        for state in [DeliveryState::Delivered, DeliveryState::GivenUp] {
            let over = Query::all(Delivery::TABLE, BATCH)
                .is("state", state)
                .filter("due_at", Comparison::AtMost(self.clock.now().to_value()))
                .order_by("due_at", Direction::Ascending);
            removed += self.remove(over).await?;
        }
        let gone = Query::all(Webhook::TABLE, BATCH).is("state", WebhookState::Removed);
        for webhook in self.records.list::<Webhook>(gone).await? {
            let left = self.remove(Query::all(Delivery::TABLE, BATCH).is("webhook", webhook.record.id)).await?;
            if left == 0 && webhook.record.removed_at.is_none_or(|at| at + AFTERMATH <= self.clock.now()) {
                self.records.commit(Unit::new().delete(&webhook.record)).await?;
            }
            removed += left;
        }
        Ok(removed)
    }

    async fn remove(&self, query: Query) -> Result<usize, PortError> {
        let rows: Vec<Stored<Delivery>> = self.records.list(query).await?;
        if !rows.is_empty() {
            let unit = rows.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record));
            self.records.commit(unit).await?;
        }
        Ok(rows.len())
    }
}

/// Looks every few seconds; where nothing is to be done that is a few reads of an index.
pub(super) fn worker(ports: &Ports) -> Worker {
    let sweeper = Sweeper::new(ports);
    Worker::new("notices.sweeper", move |stop| async move {
        loop {
            match stop.run_until_cancelled(sweeper.round()).await {
                None => return Ok(()),
                Some(Ok(removed)) if removed > 0 => continue,
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::warn!(%error, "notices that are over are not forgotten yet"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                return Ok(());
            }
        }
    })
}
