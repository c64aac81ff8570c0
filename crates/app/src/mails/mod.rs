//! E-mails that a role sends: queued in its database in the same commit as what causes them, delivered by a worker.
//!
//! - No request waits for a mail server.
//! - At least once: who dies between a delivery and its note delivers again, under the same `Message-ID`.
//! - An e-mail is tried again with growing pauses until it is of no use any more, or [`TRIES`] times; then it is given
//!   up, which is logged, counted and kept for a while, without its contents.
//! - Who it goes to and what it says is sealed at rest, gone once it is delivered or given up, and never logged.
//!
//! The queue is bounded by what causes e-mails, which is limited for each person and address, and by their short lives. Those
//! that go to many at once are patient: whoever waits for a code does not wait for them.

mod deliver;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{MailId, UserId};
use firstcome_core::ports::{Clock, Mailer, PortError, Random, Records, random_bytes};
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::time::Time;
use firstcome_core::{record, text_enum};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::secrets::{Keys, Sealed, Sealer, Unreadable};
use crate::tries::Tries;

pub use deliver::TRIES;

/// E-mails to one person that are taken out of the queue at once; a person is sent fewer mailings than that.
const WITHDRAWN: u32 = 500;

text_enum! {
    /// Where an e-mail is.
    pub enum MailState {
        /// It is delivered when it is due.
        Waiting = "waiting",
        /// The same, but those that wait go first.
        Patient = "patient",
        /// It will not be delivered. Its contents are gone.
        GivenUp = "given_up",
    }
}

record! {
    /// An e-mail on its way.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct QueuedMail in "mails" {
        /// Names it, also to the server.
        pub id: MailId,
        /// Where it is.
        pub state: MailState,
        /// What it is for, in a word that says nothing about the person.
        pub purpose: String,
        /// When it is tried next; when it is forgotten, once given up.
        pub due_at: Time,
        /// When it is of no use any more.
        pub until: Time,
        /// Tries so far.
        pub tries: u32,
        /// Why it was given up.
        pub reason: Option<String>,
        /// The key that sealed the contents.
        pub sealed_with: u32,
        /// Sealed JSON: receiver, subject and text.
        pub contents: Vec<u8>,
        /// When it was queued.
        pub created_at: Time,
        /// Of advertising: to whom; it goes no more when they take their consent back.
        pub advertised: Option<UserId>,
        /// Of what else is about somebody with an account: whom; it goes no more when the account goes.
        pub owner: Option<UserId>,
    }
    indexes [
        index "mails_by_state" ("state", "due_at"),
        index "mails_by_key" ("sealed_with"),
        index "mails_by_advertised" ("advertised"),
        index "mails_by_owner" ("owner"),
    ]
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Contents {
    to: String,
    subject: String,
    body: String,
    #[serde(default)]
    unsubscribe: Option<String>,
}

/// What advertising is for.
pub const ADVERTISING: &str = "advertising";

/// An e-mail to be queued.
pub struct NewMail<'a> {
    /// What it is for, in a word that says nothing about the person.
    pub purpose: &'static str,
    /// Who gets it.
    pub to: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its text.
    pub body: String,
    /// How long it is of use.
    pub useful_for: Duration,
}

/// What the queue needs.
#[derive(Clone)]
pub struct Ports {
    /// The role's database, opened with [`QueuedMail`]'s table.
    pub records: Arc<dyn Records>,
    /// Takes the e-mails.
    pub mailer: Arc<dyn Mailer>,
    /// Seals them until then.
    pub keys: Arc<Keys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub random: Arc<dyn Random>,
}

/// The queue of one role.
pub struct Mails {
    ports: Ports,
    metrics: Tries,
    queued: Notify,
}

impl Mails {
    /// The queue in this database.
    pub fn new(ports: Ports, metrics: &mut Registry) -> Arc<Self> {
        Arc::new(Self { ports, metrics: Tries::register(metrics, "mails", "E-mails"), queued: Notify::new() })
    }

    /// The unit of work that queues an e-mail; call [`Mails::wake`] once it is committed.
    pub fn queue(&self, mail: NewMail<'_>) -> Unit {
        Unit::new().insert(&self.sealed(mail, None))
    }

    /// The same about somebody with an account: it goes no more when that goes.
    pub fn queue_about(&self, owner: UserId, mail: NewMail<'_>) -> Unit {
        Unit::new().insert(&QueuedMail { owner: Some(owner), ..self.sealed(mail, None) })
    }

    /// The same for one of many that nobody waits for: it goes out when no other is due.
    pub fn queue_patiently(&self, owner: UserId, mail: NewMail<'_>) -> Unit {
        let state = MailState::Patient;
        Unit::new().insert(&QueuedMail { state, owner: Some(owner), ..self.sealed(mail, None) })
    }

    /// The same for advertising to somebody, who takes their consent back under an address.
    pub fn queue_advertising(&self, mail: NewMail<'_>, to: UserId, unsubscribe: String) -> Unit {
        let state = MailState::Patient;
        Unit::new().insert(&QueuedMail { state, advertised: Some(to), ..self.sealed(mail, Some(unsubscribe)) })
    }

    /// Whether a patient e-mail for something is due: those that are tried again later hold nobody up.
    pub async fn waiting(&self, purpose: &str) -> Result<bool, PortError> {
        let now = Comparison::AtMost(self.ports.clock.now().to_value());
        let waiting = Query::all(QueuedMail::TABLE, 1).is("state", MailState::Patient).is("purpose", purpose);
        let waiting = waiting.filter("due_at", now);
        Ok(!self.ports.records.select(waiting).await?.is_empty())
    }

    /// The unit of work that takes advertising to somebody out of the queue.
    pub async fn withdrawn(&self, to: UserId) -> Result<Unit, PortError> {
        self.taken_out("advertised", to, MailState::Patient).await
    }

    /// The same for everything about somebody; empty when nothing of that waits.
    pub async fn withdrawn_wholly(&self, owner: UserId) -> Result<Unit, PortError> {
        let mut unit = self.withdrawn(owner).await?;
        for state in [MailState::Waiting, MailState::Patient] {
            unit.append(self.taken_out("owner", owner, state).await?);
        }
        Ok(unit)
    }

    async fn taken_out(&self, column: &'static str, user: UserId, state: MailState) -> Result<Unit, PortError> {
        let waiting = Query::all(QueuedMail::TABLE, WITHDRAWN).is(column, user).is("state", state);
        let mails = self.ports.records.list::<QueuedMail>(waiting).await?;
        Ok(mails.iter().fold(Unit::new(), |unit, mail| unit.delete(&mail.record)))
    }

    fn sealed(&self, mail: NewMail<'_>, unsubscribe: Option<String>) -> QueuedMail {
        let Ports { keys, clock, random, .. } = &self.ports;
        QueuedMail::sealed(mail, unsubscribe, keys, random.as_ref(), clock.now())
    }

    /// Has the worker look at once.
    pub fn wake(&self) {
        self.queued.notify_one();
    }
}

impl QueuedMail {
    /// One about somebody with an account, queued by a process that is none of the role: the role's worker finds it.
    pub fn about(owner: UserId, mail: NewMail<'_>, keys: &Keys, random: &dyn Random, now: Time) -> Self {
        Self { owner: Some(owner), ..Self::sealed(mail, None, keys, random, now) }
    }

    fn sealed(mail: NewMail<'_>, unsubscribe: Option<String>, keys: &Keys, random: &dyn Random, now: Time) -> Self {
        let NewMail { purpose, to, subject, body, useful_for } = mail;
        let id = MailId::at(now, random_bytes(random));
        let contents = Contents { to: to.to_owned(), subject: subject.to_owned(), body, unsubscribe };
        let text = serde_json::to_string(&contents).expect("texts can be written");
        let sealer = keys.sealer();
        Self {
            id,
            state: MailState::Waiting,
            purpose: purpose.to_owned(),
            due_at: now,
            until: now + useful_for,
            tries: 0,
            reason: None,
            sealed_with: sealer.key(),
            contents: sealer.seal(&place(&id), &text),
            created_at: now,
            advertised: None,
            owner: None,
        }
    }
}

impl Sealed for QueuedMail {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        // One that was given up has no contents any more.
        if self.state != MailState::GivenUp {
            self.contents = sealer.reseal(self.sealed_with, &place(&self.id), &self.contents)?;
        }
        self.sealed_with = sealer.key();
        Ok(())
    }
}

fn place(id: &MailId) -> [&[u8]; 2] {
    [b"mails.contents", &id.0]
}
