//! The role `notices`: the seller's systems are told what happens, by webhooks after the Standard Webhooks specification
//! (<https://www.standardwebhooks.com>).
//!
//! - What happens is read from the ledger's journal and from what other roles announce; a notice is queued for each webhook
//!   that wants it in the commit of the consumer's place, so none is lost and none is queued twice.
//! - A notice is sent at least once, with pauses that grow to a day, and then given up. Its id is the same each time.
//! - Each webhook has a lane of its own: one that is slow or away keeps no other waiting.
//! - A role of its own, because it calls addresses that people type in: it has a network of its own where that matters, and
//!   what it waits for is waited for in no process that sells.
//! - Nothing in a notice says who bought: ids and amounts.

mod address;
mod deliver;
mod deliveries;
mod feed;
mod from_journal;
mod from_topics;
mod notice;
mod remove;
mod resend;
mod rotate;
mod rows;
mod secret;
mod sender;
mod sweep;
mod test_notice;
#[cfg(test)]
mod tests;
mod webhook_change;
mod webhook_create;
mod webhooks;

use std::sync::Arc;

use firstcome_core::events::topics;
use firstcome_core::ports::{Clock, EventLog, PortError, Random, Records, RoleName, StockLedger};
use firstcome_core::records::{Record, Table};
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::{Action, ActionHead};
use crate::consumer::DeadLetter;
use crate::letters::Letters;
use crate::role::Role;
use crate::secrets::{self, KeyCheck, Keys, Sealed as _, SealedTables};
use deliver::Deliveries;
use feed::Feed;
use rows::{Delivery, SoldOut, Webhook};

/// The tables of the role's database.
pub const TABLES: &[&Table] = &[
    Webhook::TABLE,
    Delivery::TABLE,
    SoldOut::TABLE,
    KeyCheck::TABLE,
    DeadLetter::TABLE,
    Action::TABLE,
    ActionHead::TABLE,
];

/// Which of them have sealed columns, and which column says by what key.
pub const SEALED: SealedTables = &[(Webhook::TABLE, Webhook::KEY), (KeyCheck::TABLE, KeyCheck::KEY)];

/// What the role is told.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Plain http and addresses of this machine and its network are allowed.
    pub development: bool,
}

/// What the role needs.
#[derive(Clone)]
pub struct Ports {
    /// Its database.
    pub records: Arc<dyn Records>,
    /// Where sales are read.
    pub ledger: Arc<dyn StockLedger>,
    /// What other roles announce.
    pub events: Arc<dyn EventLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// For ids, and for secrets that nobody can guess.
    pub random: Arc<dyn Random>,
    /// Encrypts the secrets.
    pub keys: Arc<Keys>,
}

/// What the endpoints share.
struct Notices {
    options: Options,
    ports: Ports,
    deliveries: Arc<Deliveries>,
}

/// Refuses keys that are not those of the database, of which nothing is changed.
pub async fn look_at_keys(records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    secrets::look_at_keys::<Webhook>(RoleName::Notices, records, keys, SEALED).await.map(drop)
}

/// Makes the role. Refused with encryption keys that are not those of the database.
pub async fn create(options: Options, ports: Ports, metrics: &mut Registry) -> Result<Role, PortError> {
    secrets::require_keys::<Webhook>(RoleName::Notices, ports.records.as_ref(), &ports.keys, SEALED).await?;
    let deliveries = Deliveries::new(options, &ports, metrics);
    let feed = Feed { records: ports.records.clone(), clock: ports.clock.clone(), deliveries: deliveries.clone() };
    let mut letters = Letters::new(RoleName::Notices, &ports.records, &ports.clock);
    let mut workers = vec![letters.follow(&from_journal::consumer(&ports, feed.clone()))];
    for topic in [topics::ORDERS, topics::PAYMENTS] {
        workers.push(letters.follow(&from_topics::consumer(&ports, feed.clone(), topic)));
    }
    workers.extend([deliveries.clone().worker(), sweep::worker(&ports), secret::worker(&ports)]);
    let router = routes().with_state(Arc::new(Notices { options, ports, deliveries }));
    Ok(Role { name: "notices", router, workers, letters: Some(letters) })
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Notices>> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::list, webhook_create::post))
        .routes(routes!(webhooks::get, webhook_change::patch, remove::delete))
        .routes(routes!(rotate::post))
        .routes(routes!(test_notice::post))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::get))
        .routes(routes!(resend::post))
}
