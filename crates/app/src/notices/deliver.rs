//! The worker that sends what is due, in a lane for each webhook.
//!
//! A delivery is leased before it is sent: other processes leave it alone, and when this one dies on the way it is sent
//! again after the lease. So it arrives at least once, and the receiver knows it by its id.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::WebhookId;
use firstcome_core::ports::{Clock, Committed, PortError, Records};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use futures_util::{StreamExt as _, stream};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::feed::active;
use super::rows::{Delivery, DeliveryState, Webhook, WebhookState};
use super::secret::Secrets;
use super::sender::{Sender, Sent, Signed};
use super::{Options, Ports};
use crate::role::{Worker, WorkerFailed};
use crate::secrets::Keys;
use crate::tries::Tries;

/// The pauses between tries, as the Standard Webhooks specification suggests; after the last the notice is given up.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// How old a notice may be to be tried again: as long as all pauses take. One that waits behind many others is not tried as
/// often.
const OLDEST: Duration = Duration::from_hours(76);
/// How long a try keeps other processes from the same delivery; longer than a system may take to answer.
const LEASE: Duration = Duration::from_secs(30);
/// How long what arrived, and what was given up, can be looked at and sent again.
const DELIVERED_KEPT: Duration = Duration::from_hours(7 * 24);
const GIVEN_UP_KEPT: Duration = Duration::from_hours(30 * 24);
/// How often the worker looks for what another process queued, or what is due again.
const INTERVAL: Duration = Duration::from_secs(1);
/// Deliveries that one step of a lane takes.
const BATCH: u32 = 64;
/// Notices under way to one webhook at once.
const AT_ONCE: usize = 8;
/// A lane to which nothing gets through rests between its steps, longer each time: whoever is away is not called for every
/// notice that waits.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(1);
/// The status by which a system says that it never wants to be called again.
const GONE: u16 = 410;

/// Sends deliveries.
pub(super) struct Deliveries {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    keys: Arc<Keys>,
    sender: Sender,
    metrics: Tries,
    queued: Notify,
}

/// What a step of a lane came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Step {
    /// Deliveries that were due.
    pub(super) due: usize,
    /// Those that arrived.
    pub(super) arrived: usize,
}

impl Deliveries {
    pub(super) fn new(options: Options, ports: &Ports, metrics: &mut Registry) -> Arc<Self> {
        Arc::new(Self {
            records: ports.records.clone(),
            clock: ports.clock.clone(),
            keys: ports.keys.clone(),
            sender: Sender::new(options.development),
            metrics: Tries::register(metrics, "notices", "Notices to the seller's systems"),
            queued: Notify::new(),
        })
    }

    /// Has the worker look at once.
    pub(super) fn wake(&self) {
        self.queued.notify_one();
    }

    /// The worker. What it is cut off from when it is stopped is sent again when the lease is over.
    pub(super) fn worker(self: Arc<Self>) -> Worker {
        Worker::new("notices.delivery", move |stop| async move { self.run(stop).await })
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), WorkerFailed> {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut lanes, mut busy) = (JoinSet::new(), HashSet::new());
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(ended) = lanes.join_next() => {
                    let webhook = ended.map_err(|error| WorkerFailed(format!("a lane of notices: {error}")))?;
                    busy.remove(&webhook);
                    continue;
                }
                () = self.queued.notified() => {}
                _ = ticks.tick() => {}
            }
            let webhooks = active(&*self.records).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "notices cannot be looked after now");
                Vec::new()
            });
            for webhook in webhooks {
                if busy.insert(webhook.id) {
                    lanes.spawn(self.clone().lane(webhook.id));
                }
            }
        }
    }

    /// Sends to one webhook until nothing is due.
    async fn lane(self: Arc<Self>, webhook: WebhookId) -> WebhookId {
        let mut rest = FIRST_REST;
        loop {
            match self.step(webhook).await {
                Ok(Step { due: 0, .. }) => return webhook,
                Ok(Step { arrived: 0, .. }) => {
                    tokio::time::sleep(rest).await;
                    rest = (rest * 2).min(LONGEST_REST);
                }
                Ok(_) => rest = FIRST_REST,
                Err(error) => {
                    tracing::warn!(%webhook, %error, "notices are sent later");
                    return webhook;
                }
            }
        }
    }

    /// Sends what is due to one webhook.
    pub(super) async fn step(&self, webhook: WebhookId) -> Result<Step, PortError> {
        let found = self.records.load::<Webhook>(webhook).await?;
        let Some(webhook) = found.filter(|found| found.record.state == WebhookState::Active) else {
            return Ok(Step::default());
        };
        let query = Query::all(Delivery::TABLE, BATCH)
            .is("webhook", webhook.record.id)
            .is("state", DeliveryState::Waiting)
            .filter("due_at", Comparison::AtMost(self.clock.now().to_value()))
            .order_by("due_at", Direction::Ascending);
        let webhook = webhook.record.id;
        let due = self.records.list::<Delivery>(query).await?;
        let mut step = Step { due: due.len(), arrived: 0 };
        let sent: Vec<_> =
            stream::iter(due).map(|delivery| self.deliver(webhook, delivery)).buffer_unordered(AT_ONCE).collect().await;
        for arrived in sent {
            step.arrived += usize::from(arrived?);
        }
        Ok(step)
    }

    /// Whether it arrived.
    async fn deliver(&self, webhook: WebhookId, mut delivery: Stored<Delivery>) -> Result<bool, PortError> {
        delivery.record.tries += 1;
        delivery.record.due_at = self.clock.now() + LEASE;
        if self.records.commit(Unit::new().update(&delivery)).await? != Committed::Done {
            // Another process has it, or a person did something about it.
            return Ok(false);
        }
        delivery.version += 1;
        // As it is now: since the last delivery its secret may have been replaced, or the webhook removed.
        let found = self.records.load::<Webhook>(webhook).await?;
        let Some(webhook) = found.filter(|found| found.record.state == WebhookState::Active) else { return Ok(false) };
        let sent = self.send(&webhook.record, &delivery.record).await;
        let arrived = matches!(sent, Sent::Answered(200..=299, _));
        let gone = matches!(sent, Sent::Answered(GONE, _));
        self.settle(&mut delivery.record, sent);
        let mut unit = Unit::new().update(&delivery);
        if gone {
            unit = unit.update(&paused(webhook));
        }
        // On a conflict a person has changed it, or the webhook, meanwhile: what waits is sent again.
        self.records.commit(unit).await?;
        Ok(arrived)
    }

    async fn send(&self, webhook: &Webhook, delivery: &Delivery) -> Sent {
        let now = self.clock.now();
        let Ok(secrets) = Secrets::open(webhook, &self.keys.sealer()) else {
            tracing::error!(webhook = %webhook.id, "no key opens the secret of a webhook");
            return Sent::Failed("its secret cannot be opened".to_owned());
        };
        let with_previous = webhook.previous_until.is_some_and(|until| now < until);
        let signed = Signed {
            id: delivery.notice.to_string(),
            timestamp: now.as_secs(),
            signature: secrets.sign(with_previous, delivery.notice, now, &delivery.body),
            body: &delivery.body,
        };
        self.sender.send(&webhook.url, signed).await
    }

    /// What becomes of a delivery that was sent.
    fn settle(&self, delivery: &mut Delivery, sent: Sent) {
        let now = self.clock.now();
        let (answer, reason, wish) = match sent {
            Sent::Answered(status @ 200..=299, _) => {
                self.metrics.delivered.inc();
                delivery.becomes(DeliveryState::Delivered, Some(status), None, now + DELIVERED_KEPT);
                delivery.ended_at = Some(now);
                return;
            }
            Sent::Answered(status @ 300..=399, _) => {
                (Some(status), format!("{status}: redirects are not followed"), None)
            }
            Sent::Answered(status, wish) => (Some(status), format!("it answered {status}"), wish),
            Sent::Failed(reason) => (None, reason, None),
        };
        let asked_for = delivery.resent_at.unwrap_or(delivery.created_at);
        let may_wait = answer != Some(GONE) && now.since(asked_for) < OLDEST;
        let pause = PAUSES.get(delivery.tries.saturating_sub(1) as usize).filter(|_| may_wait);
        let Delivery { id, webhook, tries, kind, .. } = *delivery;
        if let Some(pause) = pause {
            self.metrics.postponed.inc();
            tracing::info!(delivery = %id, %webhook, tries, reason, "a notice did not arrive; it is sent again");
            let due_at = now + wish.unwrap_or_default().max(*pause);
            delivery.becomes(DeliveryState::Waiting, answer, Some(reason), due_at);
        } else {
            self.metrics.given_up.inc();
            tracing::error!(delivery = %id, %webhook, kind = kind.as_str(), tries, reason, "a notice was given up");
            delivery.becomes(DeliveryState::GivenUp, answer, Some(reason), now + GIVEN_UP_KEPT);
            delivery.ended_at = Some(now);
        }
    }
}

impl Delivery {
    /// Where it is after a try; `due_at` is when it is tried next, or forgotten.
    fn becomes(&mut self, state: DeliveryState, answer: Option<u16>, reason: Option<String>, due_at: Time) {
        (self.state, self.answer, self.reason, self.due_at) = (state, answer, reason, due_at);
    }
}

/// A webhook whose receiver says that it is gone.
fn paused(mut webhook: Stored<Webhook>) -> Stored<Webhook> {
    webhook.record.state = WebhookState::Paused;
    webhook.record.reason = Some(format!("it answered {GONE}: gone"));
    webhook
}
