//! E-mails about orders. The orders role announces what became of one, by ids and amounts; whom it is about is looked up
//! here, when the e-mail is queued: in the commit of the consumer's place, so each step is written about once, however often
//! a process dies. No request waits for it.
//!
//! Nobody is written to whose account was deleted or whose address cannot be opened, nor the buyers of load tools; and what happened long ago, before this
//! program or this setting was there, is no news.

#[cfg(test)]
mod tests;
mod text;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferNumber, OrderId, UserId};
use firstcome_core::ports::{LoggedEvent, PortError};
use firstcome_core::product::ProductKind;
use firstcome_core::record;
use firstcome_core::records::{Field, Record as _, RecordsExt as _, Unit};
use firstcome_core::step::{NEWS, Step};

use super::Accounts;
use super::records::User;
use crate::consumer::{Consumer, HandleError, Handler, Topic, parse};
use crate::letters::Letters;
use crate::mails::NewMail;
use crate::role::Worker;
use text::Letter;

/// Steps that are written about in one commit.
const BATCH: usize = 1_024;
/// How long they may gather while there are many.
const GATHERING: Duration = Duration::from_millis(200);

record! {
    /// What an offer sells is called.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SoldName in "sold_names" {
        /// The offer.
        pub(super) offer: OfferNumber,
        /// What it sells.
        pub(super) kind: ProductKind,
        /// What that is called.
        pub(super) name: String,
    }
    indexes []
}

type Names = Consumer<LoggedEvent, FollowNames>;

/// The workers that write about orders.
pub(super) fn workers(accounts: &Arc<Accounts>, letters: &mut Letters) -> [Worker; 2] {
    let names = names(accounts);
    [letters.follow(&names), letters.follow(&steps(accounts, names.clone()))]
}

fn topic(accounts: &Accounts, name: &'static str) -> Topic {
    Topic { log: accounts.ports.events.clone(), name }
}

fn names(accounts: &Accounts) -> Arc<Names> {
    let ports = &accounts.ports;
    Arc::new(Consumer::new(topic(accounts, topics::CATALOG), &ports.records, &ports.clock, FollowNames))
}

fn steps(accounts: &Arc<Accounts>, names: Arc<Names>) -> Arc<Consumer<LoggedEvent, Write>> {
    let ports = &accounts.ports;
    let handler = Write { accounts: Arc::clone(accounts), names };
    let consumer = Consumer::new(topic(accounts, topics::ORDERS), &ports.records, &ports.clock, handler);
    Arc::new(consumer.in_batches_of(BATCH).gathering(GATHERING))
}

/// Keeps what offers sell.
struct FollowNames;

#[async_trait]
impl Handler<LoggedEvent> for FollowNames {
    fn name(&self) -> &'static str {
        "accounts.catalog"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::OfferSaved { offer } = parse(event)? {
                let (kind, name) = (offer.product.kind, offer.product.name);
                let sold = SoldName { offer: offer.offer_id.number(), kind, name };
                unit = unit.advance(&sold, event.position);
            }
        }
        Ok(unit)
    }
}

/// Writes about steps.
struct Write {
    accounts: Arc<Accounts>,
    names: Arc<Names>,
}

#[async_trait]
impl Handler<LoggedEvent> for Write {
    fn name(&self) -> &'static str {
        "accounts.steps"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let now = self.accounts.ports.clock.now();
        let mut unit = Unit::new();
        for event in items.iter().filter(|event| event.kind == "order.step" && now.since(event.at) < NEWS) {
            if let RoleEvent::OrderStep { order, user, step } = parse(event)? {
                unit.append(self.mail(order, user, &step).await?);
            }
        }
        Ok(unit)
    }

    fn committed(&self, _: &[LoggedEvent]) {
        self.accounts.mails.wake();
    }
}

impl Write {
    /// The unit of work that queues an e-mail about a step; none when nobody is written to.
    async fn mail(&self, order: OrderId, user: UserId, step: &Step) -> Result<Unit, HandleError> {
        let Accounts { options, ports, mails, .. } = &*self.accounts;
        if options.unwritten.has(step.kind()) {
            return Ok(Unit::new());
        }
        let Some(user) = ports.records.load::<User>(user).await? else { return Ok(Unit::new()) };
        let Some(to) = self.accounts.written_to(&user.record) else { return Ok(Unit::new()) };
        let names = self.names_of(step).await?;
        let Letter { subject, body } = Letter::about(order, step, &names, options.public_url.as_deref());
        let purpose = step.kind().as_str();
        let mail = NewMail { purpose, to: &to, subject: &subject, body, useful_for: NEWS };
        Ok(mails.queue_about(user.record.id, mail))
    }

    /// What the offers of a step sell. What was sold was announced before, so it is known or on its way.
    async fn names_of(&self, step: &Step) -> Result<HashMap<OfferNumber, SoldName>, HandleError> {
        let offers: Vec<OfferNumber> = match step {
            Step::Completed { lines, .. } => lines.iter().map(|line| line.offer).collect(),
            Step::TakenBack { lines, .. } => lines.iter().map(|line| line.offer).collect(),
            _ => return Ok(HashMap::new()),
        };
        let read = async || {
            let keys = offers.iter().map(Field::to_value).collect();
            let rows = self.accounts.ports.records.get_many(SoldName::TABLE, keys).await?;
            let known = rows.into_iter().filter_map(|row| SoldName::from_values(row.values).ok());
            Ok::<HashMap<_, _>, PortError>(known.map(|sold| (sold.offer, sold)).collect())
        };
        let mut known = read().await?;
        if known.len() < offers.len() {
            self.names.catch_up().await?;
            known = read().await?;
        }
        match offers.iter().find(|offer| !known.contains_key(offer)) {
            None => Ok(known),
            Some(offer) => Err(HandleError::Rejected(format!("offer {offer} is not heard of yet"))),
        }
    }
}
