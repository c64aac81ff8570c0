//! Who is told what: a notice becomes a delivery for each webhook that wants it.

use std::sync::Arc;

use firstcome_core::ports::{Clock, PortError, Records};
use firstcome_core::records::{Direction, Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::time::Time;

use super::deliver::Deliveries;
use super::notice::{Notice, NoticeKind};
use super::rows::{Delivery, Webhook, WebhookState};

/// Webhooks that a shop may have.
pub(super) const MOST_WEBHOOKS: u32 = 20;

/// The webhooks that are active now.
pub(super) async fn active(records: &dyn Records) -> Result<Vec<Webhook>, PortError> {
    let query = Query::all(Webhook::TABLE, MOST_WEBHOOKS)
        .is("state", WebhookState::Active)
        .order_by("created_at", Direction::Ascending);
    let rows = records.list::<Webhook>(query).await?;
    Ok(rows.into_iter().map(|stored| stored.record).collect())
}

/// What the consumers of the role share.
#[derive(Clone)]
pub(super) struct Feed {
    pub(super) records: Arc<dyn Records>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deliveries: Arc<Deliveries>,
}

impl Feed {
    /// Who is told anything, for one batch of events.
    pub(super) async fn audience(&self) -> Result<Audience, PortError> {
        Ok(Audience { webhooks: active(&*self.records).await?, now: self.clock.now() })
    }

    /// Something was queued.
    pub(super) fn queued(&self) {
        self.deliveries.wake();
    }
}

/// Who is told anything.
pub(super) struct Audience {
    webhooks: Vec<Webhook>,
    now: Time,
}

impl Audience {
    /// Whether anyone wants to know such a thing of that time.
    pub(super) fn wants(&self, kind: NoticeKind, at: Time) -> bool {
        self.webhooks.iter().any(|webhook| webhook.wants(kind, at))
    }

    /// The unit of work that queues a notice for everyone who wants it. What is queued already stays as it is.
    pub(super) fn tell(&self, unit: Unit, notice: &Notice) -> Unit {
        let wanted = self.webhooks.iter().filter(|webhook| webhook.wants(notice.kind, notice.at));
        wanted.fold(unit, |unit, webhook| unit.advance(&Delivery::new(webhook.id, notice, self.now), 1))
    }
}
