//! What buyers are told of their orders: announced here, in the commit of what happens, and written by the accounts role,
//! which knows the address. What the ledger decides is read from its journal, so a sale is not slowed by what is told of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Event, Hold, ReleaseReason};
use firstcome_core::ports::JournalEntry;
use firstcome_core::records::Unit;
use firstcome_core::step::{NEWS, Step, StepKind};

use super::Ports;
use crate::consumer::{Consumer, HandleError, Handler, Journal};
use crate::letters::Letters;
use crate::role::Worker;

/// What the journal tells.
const OF_JOURNAL: [StepKind; 3] = [StepKind::Completed, StepKind::Unpaid, StepKind::Canceled];
/// Journal entries that are told of in one commit.
const BATCH: usize = 1_024;
/// How long they may gather while many buy: no request waits for what a buyer is told.
const GATHERING: Duration = Duration::from_millis(200);

/// The worker that reads the journal; none where nobody is told what is in it.
pub(super) fn worker(ports: &Ports, letters: &mut Letters) -> Option<Worker> {
    let is_told = OF_JOURNAL.into_iter().any(|kind| !ports.unwritten.has(kind));
    is_told.then(|| letters.follow(&consumer(ports)))
}

pub(super) fn consumer(ports: &Ports) -> Arc<Consumer<JournalEntry, FromJournal>> {
    let handler = FromJournal { ports: ports.clone() };
    let consumer = Consumer::new(Journal(ports.ledger.clone()), &ports.records, &ports.clock, handler);
    Arc::new(consumer.in_batches_of(BATCH).gathering(GATHERING))
}

/// What is announced of an order.
pub(super) fn told(hold: &Hold, step: Step) -> RoleEvent {
    RoleEvent::OrderStep { order: hold.order, user: hold.person, step }
}

/// Reads the journal.
pub(super) struct FromJournal {
    ports: Ports,
}

#[async_trait]
impl Handler<JournalEntry> for FromJournal {
    fn name(&self) -> &'static str {
        "orders.steps"
    }

    async fn handle(&self, items: &[JournalEntry]) -> Result<Unit, HandleError> {
        let (now, mut unit) = (self.ports.clock.now(), Unit::new());
        let is_news = |entry: &&JournalEntry| now.since(entry.record.at) < NEWS && !entry.record.offer.is_account();
        for JournalEntry { record, .. } in items.iter().filter(is_news) {
            for (seq, event) in record.numbered() {
                let created = || Hold::created_by(event, seq, record.at);
                if let Some(event) = self.step(record.offer, event, created).await? {
                    unit = unit.event(&event, record.at);
                }
            }
        }
        Ok(unit)
    }
}

impl FromJournal {
    /// What an event means for a buyer. The home offer speaks for all lines. What the event itself says of the order the
    /// ledger is not asked for.
    async fn step(
        &self,
        offer: OfferNumber,
        event: &Event,
        created: impl FnOnce() -> Option<Hold>,
    ) -> Result<Option<RoleEvent>, HandleError> {
        let (order, kind) = match event {
            Event::Sold(granted) => (granted.order, StepKind::Completed),
            Event::Committed { order, .. } => (*order, StepKind::Completed),
            Event::Released { order, reason: ReleaseReason::Expired | ReleaseReason::Failed } => {
                (*order, StepKind::Unpaid)
            }
            Event::Released { order, reason: ReleaseReason::Canceled } => (*order, StepKind::Canceled),
            _ => return Ok(None),
        };
        if order.home() != offer || self.ports.unwritten.has(kind) {
            return Ok(None);
        }
        let hold = match created() {
            None => self.ports.ledger.known(order).await?,
            created => created,
        };
        let hold = hold.ok_or_else(|| HandleError::Rejected(format!("{order} has no hold")))?;
        let step = match kind {
            StepKind::Completed => Step::completed(&hold),
            StepKind::Unpaid => Step::Unpaid,
            _ => Step::Withdrawn,
        };
        Ok(Some(told(&hold, step)))
    }
}
