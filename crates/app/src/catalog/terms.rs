//! The catalog's own announcements, repeated to the ledger: whatever a crash cut off between the row and the ledger is
//! made up for here. What is on sale when is noted beside it.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ports::{LoggedEvent, Records, StockLedger};
use firstcome_core::records::{RecordsExt, Unit};

use super::Ports;
use super::calls::hung;
use super::store::{OfferRow, tell};
use crate::consumer::{Consumer, HandleError, Handler, Topic, parse};

/// Sets terms.
pub(super) struct Terms {
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
}

pub(super) fn consumer(ports: &Ports) -> Arc<Consumer<LoggedEvent, Terms>> {
    let announced = Topic { log: ports.events.clone(), name: topics::CATALOG };
    let handler = Terms { records: ports.records.clone(), ledger: ports.ledger.clone() };
    Arc::new(Consumer::new(announced, &ports.records, &ports.clock, handler))
}

#[async_trait]
impl Handler<LoggedEvent> for Terms {
    fn name(&self) -> &'static str {
        "catalog.terms"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::OfferSaved { offer } = parse(event)?
                && let Some(row) = self.records.load::<OfferRow>(offer.offer_id).await?
            {
                tell(&*self.ledger, &offer, row.record.initial_stock).await?;
                unit.append(hung(&offer));
            }
        }
        Ok(unit)
    }
}
