//! What other roles announce: units of a completed order that were taken back, and money that went back.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, TakenLine, topics};
use firstcome_core::ports::{LoggedEvent, StockLedger};
use firstcome_core::records::Unit;
use firstcome_core::time::Time;

use super::Ports;
use super::feed::{Audience, Feed};
use super::notice::{Notice, NoticeKind, Units};
use crate::consumer::{Consumer, HandleError, Handler, Topic, parse};

/// The consumer that follows one topic.
pub(super) fn consumer(ports: &Ports, feed: Feed, topic: &'static str) -> Arc<Consumer<LoggedEvent, FromTopic>> {
    let handler = FromTopic { ledger: ports.ledger.clone(), feed, topic };
    let source = Topic { log: ports.events.clone(), name: topic };
    Arc::new(Consumer::new(source, &ports.records, &ports.clock, handler))
}

/// Follows a topic.
pub(super) struct FromTopic {
    ledger: Arc<dyn StockLedger>,
    feed: Feed,
    topic: &'static str,
}

#[async_trait]
impl Handler<LoggedEvent> for FromTopic {
    fn name(&self) -> &'static str {
        if self.topic == topics::ORDERS { "notices.orders" } else { "notices.payments" }
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let audience = self.feed.audience().await?;
        let mut unit = Unit::new();
        for event in items {
            if let Some(notice) = self.notice(parse(event)?, event.at, &audience).await? {
                unit = audience.tell(unit, &notice);
            }
        }
        Ok(unit)
    }

    fn committed(&self, _: &[LoggedEvent]) {
        self.feed.queued();
    }
}

impl FromTopic {
    /// What an event tells, if anyone wants to know.
    async fn notice(&self, event: RoleEvent, at: Time, audience: &Audience) -> Result<Option<Notice>, HandleError> {
        Ok(match event {
            RoleEvent::OrderCanceled { refund, order, lines, whole }
                if audience.wants(NoticeKind::OrderCanceled, at) =>
            {
                Some(Notice::order_canceled(order, refund, &self.units(&lines).await?, whole, at))
            }
            RoleEvent::RefundDone { refund, order, amount, to_card } => {
                Some(Notice::order_refunded(order, refund, amount, to_card, at))
            }
            RoleEvent::CanceledByProvider { refund, order, amount, .. } => {
                Some(Notice::order_refunded(order, refund, amount, None, at))
            }
            _ => None,
        })
    }

    async fn units(&self, lines: &[TakenLine]) -> Result<Vec<Units>, HandleError> {
        let mut units = Vec::with_capacity(lines.len());
        for TakenLine { offer, quantity, .. } in lines {
            let state = self.ledger.snapshot(*offer).await?;
            let state = state.ok_or_else(|| HandleError::Rejected(format!("{offer} is unknown")))?;
            units.push(Units { offer_id: state.offer.terms.offer, quantity: *quantity, unit_price: None });
        }
        Ok(units)
    }
}
