//! The worker that sends what is to be sent.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};

use super::super::Accounts;
use super::super::consents::{ConsentState, address_to_unsubscribe};
use super::super::records::User;
use super::create::MOST;
use super::{Mailing, MailingState, Sender, compose};
use crate::mails::{ADVERTISING, NewMail};
use crate::role::Worker;

/// People that are looked at in one step, and e-mails that wait at most.
const BATCH: u32 = 64;
/// How often it is looked for something to send.
const INTERVAL: Duration = Duration::from_secs(1);

impl Accounts {
    /// Queues the next e-mails. Returns whether something was done.
    pub(in crate::accounts) async fn send_step(&self) -> Result<bool, PortError> {
        let advertising = &self.options.advertising;
        let Some(sender) = &advertising.sender else { return Ok(false) };
        let oldest = Query::all(Mailing::TABLE, MOST)
            .is("state", MailingState::Sending)
            .order_by("created_at", Direction::Ascending);
        for mailing in self.ports.records.list::<Mailing>(oldest).await? {
            let now = self.ports.clock.now();
            let Some(useful_for) = advertising.open_for(mailing.record.at_night, now) else { continue };
            if self.mails.waiting(ADVERTISING).await? {
                return Ok(false);
            }
            return self.send_next(mailing, sender, useful_for).await;
        }
        Ok(false)
    }

    /// The next of a mailing; whoever was faster, another process or somebody who takes their consent back, has it looked at again.
    async fn send_next(
        &self,
        mut mailing: Stored<Mailing>,
        sender: &Sender,
        useful_for: Duration,
    ) -> Result<bool, PortError> {
        let last = mailing.record.after.map(|last| (last.to_value(), last.to_value()));
        let next = Query::all(ConsentState::TABLE, BATCH)
            .is("is_advertised", true)
            .order_by("owner", Direction::Ascending)
            .after(last);
        let people = self.ports.records.list::<ConsentState>(next).await?;
        let mut unit = Unit::new();
        for person in &people {
            if mailing.record.at_night && person.record.advertising_at_night.is_none() {
                continue;
            }
            if let Some(mail) = self.advertisement(&mailing.record, person, sender, useful_for).await? {
                // Written as it is: it conflicts with a consent that is taken back in this moment.
                unit = unit.update(person);
                unit.append(mail);
                mailing.record.queued += 1;
            }
        }
        if let Some(last) = people.last() {
            mailing.record.after = Some(last.record.owner);
        } else {
            mailing.record.state = MailingState::Done;
            mailing.record.ended_at = Some(self.ports.clock.now());
        }
        let unit = unit.update(&mailing);
        if self.ports.records.commit(unit).await? == Committed::Done {
            self.mails.wake();
        }
        Ok(true)
    }

    /// The e-mail to one person; none when the account is gone, or its address cannot be opened.
    async fn advertisement(
        &self,
        mailing: &Mailing,
        person: &Stored<ConsentState>,
        sender: &Sender,
        useful_for: Duration,
    ) -> Result<Option<Unit>, PortError> {
        let owner = person.record.owner;
        let Some(user) = self.ports.records.load::<User>(owner).await? else { return Ok(None) };
        let Some(email) = self.written_to(&user.record) else { return Ok(None) };
        let way_out = address_to_unsubscribe(&self.options.advertising.base, owner, &self.ports.keys.index);
        let mail = NewMail {
            purpose: ADVERTISING,
            to: &email,
            subject: &compose::subject(&mailing.subject),
            body: compose::body(&mailing.text, sender, &way_out),
            useful_for,
        };
        Ok(Some(self.mails.queue_advertising(mail, owner, way_out.clone())))
    }
}

/// Sends as long as there is something to send.
pub(in crate::accounts) fn worker(accounts: Arc<Accounts>) -> Worker {
    Worker::new("accounts-mailings", move |stop| async move {
        loop {
            match stop.run_until_cancelled(accounts.send_step()).await {
                None => return Ok(()),
                Some(Ok(true)) => continue,
                Some(Ok(false)) => {}
                Some(Err(error)) => tracing::warn!(%error, "advertising waits"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                return Ok(());
            }
        }
    })
}
