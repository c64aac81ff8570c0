//! What the ledger's journal tells: orders that are completed, orders that are withdrawn unpaid, offers that are sold out.
//!
//! An offer is sold out when its last unit is sold: none is available and none is held. It is looked at as it is when its
//! records are read, so that one whose units came back at once is not called sold out; and it is told again only after
//! units have come back.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::{OfferId, OfferNumber, OrderId};
use firstcome_core::ledger::{Event, Hold, ReleaseReason};
use firstcome_core::ports::{JournalEntry, StockLedger};
use firstcome_core::records::{Field, Record as _, Unit};
use firstcome_core::time::Time;

use super::Ports;
use super::feed::{Audience, Feed};
use super::notice::{Notice, NoticeKind};
use super::rows::SoldOut;
use crate::consumer::{Consumer, HandleError, Handler, Journal};

/// The consumer that reads the journal.
pub(super) fn consumer(ports: &Ports, feed: Feed) -> Arc<Consumer<JournalEntry, FromJournal>> {
    let handler = FromJournal { ledger: ports.ledger.clone(), feed };
    Arc::new(Consumer::new(Journal(ports.ledger.clone()), &ports.records, &ports.clock, handler))
}

/// Reads the journal.
pub(super) struct FromJournal {
    ledger: Arc<dyn StockLedger>,
    feed: Feed,
}

#[async_trait]
impl Handler<JournalEntry> for FromJournal {
    fn name(&self) -> &'static str {
        "notices.journal"
    }

    async fn handle(&self, items: &[JournalEntry]) -> Result<Unit, HandleError> {
        let audience = self.feed.audience().await?;
        let mut unit = Unit::new();
        let mut touched = BTreeMap::new();
        for JournalEntry { record, .. } in items.iter().filter(|entry| !entry.record.offer.is_account()) {
            touched.insert(record.offer, record.at);
            for event in &record.events {
                if let Some(notice) = self.of_order(record.offer, event, record.at, &audience).await? {
                    unit = audience.tell(unit, &notice);
                }
            }
        }
        self.sold_out(unit, touched, &audience).await
    }

    fn committed(&self, _: &[JournalEntry]) {
        self.feed.queued();
    }
}

impl FromJournal {
    /// What an event tells of an order, if anyone wants to know. The home offer speaks for all lines.
    async fn of_order(
        &self,
        offer: OfferNumber,
        event: &Event,
        at: Time,
        audience: &Audience,
    ) -> Result<Option<Notice>, HandleError> {
        let (kind, order) = match event {
            Event::Sold(granted) => (NoticeKind::OrderCompleted, granted.order),
            Event::Committed { order, .. } => (NoticeKind::OrderCompleted, *order),
            Event::Released { order, reason: ReleaseReason::Canceled } => (NoticeKind::OrderCanceled, *order),
            _ => return Ok(None),
        };
        if order.home() != offer || !audience.wants(kind, at) {
            return Ok(None);
        }
        let (hold, home) = (self.hold(order).await?, self.offer(offer).await?);
        Ok(Some(match kind {
            NoticeKind::OrderCompleted => Notice::order_completed(&hold, home, at),
            _ => Notice::order_withdrawn(&hold, home, at),
        }))
    }

    async fn hold(&self, order: OrderId) -> Result<Hold, HandleError> {
        let hold = self.ledger.known(order).await?;
        hold.ok_or_else(|| HandleError::Rejected(format!("{order} has no hold")))
    }

    async fn offer(&self, offer: OfferNumber) -> Result<OfferId, HandleError> {
        let state = self.ledger.snapshot(offer).await?;
        state.map(|state| state.offer.terms.offer).ok_or_else(|| HandleError::Rejected(format!("{offer} is unknown")))
    }

    /// Which of these offers have just sold their last unit, and which have units again.
    async fn sold_out(
        &self,
        mut unit: Unit,
        touched: BTreeMap<OfferNumber, Time>,
        audience: &Audience,
    ) -> Result<Unit, HandleError> {
        let keys = touched.keys().map(Field::to_value).collect();
        let rows = self.feed.records.get_many(SoldOut::TABLE, keys).await?;
        let known: HashSet<_> = rows.into_iter().filter_map(|row| row.values.into_iter().next()).collect();
        for (offer, at) in touched {
            let Some(state) = self.ledger.snapshot(offer).await? else { continue };
            let stock = state.offer.stock;
            let is_sold_out = stock.sold > 0 && stock.held == 0 && stock.available() == 0;
            match (known.contains(&offer.to_value()), is_sold_out) {
                (false, true) => {
                    unit = unit.insert(&SoldOut { offer, since: at });
                    let notice = Notice::offer_sold_out(state.offer.terms.offer, &stock, state.offer.seq, at);
                    unit = audience.tell(unit, &notice);
                }
                (true, false) => unit = unit.delete(&SoldOut { offer, since: at }),
                _ => {}
            }
        }
        Ok(unit)
    }
}
