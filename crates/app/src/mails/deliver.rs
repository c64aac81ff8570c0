//! The worker that delivers what is due.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Committed, Delivery, Mail, PortError};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use futures_util::{StreamExt as _, stream};

use super::{Contents, MailState, Mails, QueuedMail, place};
use crate::role::Worker;

/// Tries after which an e-mail is given up; with the pauses between them they take more than a day.
pub const TRIES: u32 = 40;
/// The pause after the first try; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How long a try keeps other processes from the same e-mail; longer than a mail server may take.
const LEASE: Duration = Duration::from_mins(3);
/// How long one that was given up can be looked at.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// How often it is looked for some that were kept for long enough.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// How often the worker looks for what another process queued, or what is due again.
const INTERVAL: Duration = Duration::from_secs(1);
/// E-mails that one step takes.
const BATCH: u32 = 64;
/// Patient ones that one step takes, while no other is due.
const FEW: u32 = 8;
/// E-mails that are under way at once.
const AT_ONCE: usize = 4;

impl Mails {
    /// The worker.
    pub fn worker(self: Arc<Self>) -> Worker {
        Worker::new("mails", move |stop| async move {
            let mut forgets_at = self.ports.clock.now();
            loop {
                if self.ports.clock.now() >= forgets_at {
                    forgets_at = self.ports.clock.now() + FORGET_EVERY;
                    if let Some(Err(error)) = stop.run_until_cancelled(self.forget()).await {
                        tracing::warn!(%error, "e-mails that were given up long ago are kept for another hour");
                    }
                }
                // Whoever is cut off on the way is tried again when its lease is over.
                match stop.run_until_cancelled(self.deliver_due()).await {
                    None => return Ok(()),
                    Some(Ok(taken)) if taken >= FEW as usize => continue,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => tracing::warn!(%error, "e-mails cannot be looked after now"),
                }
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = self.queued.notified() => {}
                    () = tokio::time::sleep(INTERVAL) => {}
                }
            }
        })
    }

    /// Delivers what is due. Returns how many e-mails were looked at.
    pub async fn deliver_due(&self) -> Result<usize, PortError> {
        let mut mails = self.ports.records.list::<QueuedMail>(self.due(MailState::Waiting)).await?;
        if mails.is_empty() {
            let few = Query { limit: FEW, ..self.due(MailState::Patient) };
            mails = self.ports.records.list::<QueuedMail>(few).await?;
        }
        let count = mails.len();
        let outcomes: Vec<_> =
            stream::iter(mails).map(|mail| self.deliver(mail)).buffer_unordered(AT_ONCE).collect().await;
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(count)
    }

    fn due(&self, state: MailState) -> Query {
        Query::all(QueuedMail::TABLE, BATCH)
            .is("state", state)
            .filter("due_at", Comparison::AtMost(self.ports.clock.now().to_value()))
            .order_by("due_at", Direction::Ascending)
    }

    /// Forgets what was given up long ago.
    pub(super) async fn forget(&self) -> Result<(), PortError> {
        loop {
            let old = self.ports.records.list::<QueuedMail>(self.due(MailState::GivenUp)).await?;
            if old.is_empty() {
                return Ok(());
            }
            let unit = old.iter().fold(Unit::new(), |unit, mail| unit.delete(&mail.record));
            self.ports.records.commit(unit).await?;
        }
    }

    async fn deliver(&self, mut mail: Stored<QueuedMail>) -> Result<(), PortError> {
        let now = self.ports.clock.now();
        if now >= mail.record.until {
            return self.give_up(mail, "it came too late to be of use".to_owned()).await;
        }
        mail.record.tries += 1;
        mail.record.due_at = now + LEASE;
        if self.ports.records.commit(Unit::new().update(&mail)).await? != Committed::Done {
            // Another process has it.
            return Ok(());
        }
        mail.version += 1;
        let Some(opened) = self.open(&mail.record) else {
            return self.give_up(mail, "its contents cannot be opened".to_owned()).await;
        };
        match self.ports.mailer.send(&opened).await {
            Ok(Delivery::Accepted) => {
                self.metrics.delivered.inc();
                self.ports.records.commit(Unit::new().delete(&mail.record)).await.map(|_| ())
            }
            Ok(Delivery::Refused(code)) => self.give_up(mail, format!("the mail server refused it: {code}")).await,
            Err(error) => self.postpone(mail, &error).await,
        }
    }

    fn open(&self, mail: &QueuedMail) -> Option<Mail> {
        let text = self.ports.keys.sealer().open(mail.sealed_with, &place(&mail.id), &mail.contents).ok()?;
        let Contents { to, subject, body, unsubscribe } = serde_json::from_str(&text).ok()?;
        Some(Mail { id: mail.id, to, subject, body, unsubscribe })
    }

    async fn postpone(&self, mut mail: Stored<QueuedMail>, error: &PortError) -> Result<(), PortError> {
        let QueuedMail { id, tries, until, .. } = mail.record;
        let due_at = self.ports.clock.now() + pause(tries);
        if tries >= TRIES || due_at >= until {
            return self.give_up(mail, error.to_string()).await;
        }
        tracing::warn!(mail = %id, tries, %error, "an e-mail was not delivered; it is tried again");
        self.metrics.postponed.inc();
        mail.record.due_at = due_at;
        self.ports.records.commit(Unit::new().update(&mail)).await.map(|_| ())
    }

    /// Its contents go, and what is left says that it was not delivered.
    async fn give_up(&self, mut mail: Stored<QueuedMail>, reason: String) -> Result<(), PortError> {
        let QueuedMail { id, tries, .. } = mail.record;
        let purpose = mail.record.purpose.clone();
        mail.record.state = MailState::GivenUp;
        mail.record.due_at = self.ports.clock.now() + KEPT;
        mail.record.contents = Vec::new();
        mail.record.reason = Some(reason.clone());
        if self.ports.records.commit(Unit::new().update(&mail)).await? == Committed::Done {
            self.metrics.given_up.inc();
            tracing::error!(mail = %id, purpose, tries, reason, "the e-mail {id} was given up");
        }
        Ok(())
    }
}

fn pause(tries: u32) -> Duration {
    PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}
