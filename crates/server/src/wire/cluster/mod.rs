//! Some roles of a shop in this process, on Kafka, Redis and SQL servers.
//!
//! Every role has a database of its own. What roles tell each other goes from the outbox of that database to Kafka; the
//! ledger's journal is there too. Redis says which processes are there. A process opens only what its roles need.

mod fitness;
mod outside;
mod part;
mod storage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use firstcome_app::catalog;
use firstcome_app::http::Revocations;
use firstcome_app::role::Role;
use firstcome_app::secrets::{KeyError, Keys, SystemRandom};
use firstcome_core::ports::{Clock as _, RoleName, SystemClock};
use firstcome_store::redis::RedisSessions;
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;

use super::roles::{self, Parts};
use super::{Service, Shop, StartError};
use crate::config::Config;
use crate::folder::Folder;
use crate::metrics::Lags;
use crate::operate::{self, Operation};

pub use fitness::{look, look_at_keys};
pub use outside::{kafka, records, redis, sql};
use storage::{Ledger, Servers};

/// The topics in Kafka, by their short names: the ledger's journal, and what the roles announce.
pub const TOPICS: [&str; 6] =
    ["journal", "events.accounts", "events.catalog", "events.orders", "events.payments", "events.vouchers"];

/// The keys that all processes share.
pub fn keys(config: &Config) -> Result<Arc<Keys>, KeyError> {
    let folder = config.cluster.keys.as_deref().expect("the configuration was checked");
    Keys::load_shared(folder, &SystemRandom, SystemClock.now()).map(Arc::new)
}

/// Puts the roles of this process together. `address` is where it will listen.
pub(super) async fn open(
    config: &Config,
    names: &[RoleName],
    folder: &Folder,
    address: SocketAddr,
) -> Result<Shop, StartError> {
    fitness::require(config, names).await?;
    let servers = Servers::open(config, names, folder, &outside::place(config, address).0).await?;
    let parts = Parts {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        events: servers.events.clone(),
        keys: keys(config)?,
    };
    let mut metrics = Registry::default();
    let marks = Arc::new(RedisSessions(outside::redis(config)?));
    let revocations = Arc::new(Revocations::told_by(marks));
    let (mut routers, mut letters) = (Vec::new(), Vec::new());
    let (mut workers, outboxes) = servers.relays(config);
    workers.push(parts.keys.clone().worker(parts.clock.clone()));
    let mut lags = Lags { clock: parts.clock.clone(), outboxes, consumers: Vec::new() };
    for name in names.iter().filter(|name| **name != RoleName::Gateway) {
        let (role, more) = open_role(config, *name, &servers, &parts, &revocations, &mut metrics).await?;
        lags.add(&role.workers);
        workers.extend(role.workers);
        letters.extend(role.letters);
        routers.push((*name, Router::from(role.router).merge(more)));
    }
    let desk = firstcome_app::letters::create(letters, &mut metrics);
    workers.extend(desk.workers);
    if let Some(ledger) = &servers.ledger {
        metrics.register_collector(Box::new(ledger.metrics()));
    }
    metrics.register_collector(Box::new(lags.clone()));
    let roles = part::Roles { routers, letters: desk.router.into(), load: servers.load(lags) };
    let part = part::open(config, names, address, &parts, &revocations, roles, &mut metrics).await?;
    workers.extend(part.workers);
    let operation =
        Arc::new(Operation { ready: AtomicBool::new(true), metrics, openapi: operate::describe(description()) });
    Ok(Shop {
        service: Service::Part(part.routes.serve(&operation)),
        workers,
        operation,
        catalog: None,
        storage: Box::new(servers),
        farewell: Some(Box::new(part.farewell)),
    })
}

/// One role, and routes beside it that the API does not describe.
async fn open_role(
    config: &Config,
    name: RoleName,
    servers: &Servers,
    parts: &Parts,
    revocations: &Arc<Revocations>,
    metrics: &mut Registry,
) -> Result<(Role, Router), StartError> {
    let records = servers.records(name);
    let gateway = config.cluster.gateway.as_deref().unwrap_or_default().trim_end_matches('/');
    let role = match name {
        RoleName::Accounts => {
            let (mailer, mailbox) = roles::mailer(config, parts)?;
            let role = roles::accounts_role(config, parts, records, revocations, mailer, gateway, metrics).await?;
            return Ok((role, mailbox));
        }
        RoleName::Catalog => roles::catalog_role(config, parts, records, servers.ledger()).await?,
        RoleName::Orders => {
            let Ledger { ledger, archive } = servers.ledger.as_ref().expect("orders has a ledger");
            roles::orders_role(config, parts, records, ledger.clone(), archive.clone(), metrics).await?
        }
        RoleName::Payments => {
            let sandbox = roles::sandbox_url(gateway);
            roles::payments_role(config, parts, records, servers.ledger(), sandbox, metrics).await?
        }
        RoleName::Vouchers => roles::vouchers_role(config, parts, records, servers.ledger()).await?,
        RoleName::Notices => roles::notices_role(config, parts, records, servers.ledger(), metrics).await?,
        RoleName::Sandbox => roles::sandbox_role(parts, records, gateway),
        RoleName::Gateway => unreachable!("the gateway is no role behind itself"),
    };
    Ok((role, Router::new()))
}

/// The whole API: a process describes what can be asked of the shop, not what it does of that itself.
pub(super) fn description() -> OpenApi {
    let mut all = firstcome_app::accounts::openapi();
    for part in [
        catalog::openapi(),
        firstcome_app::orders::openapi(),
        firstcome_app::payments::openapi(),
        firstcome_app::vouchers::openapi(),
        firstcome_app::notices::openapi(),
        firstcome_app::letters::openapi(),
        firstcome_app::gateway::forward::openapi(),
    ] {
        all.merge(part);
    }
    all
}

#[cfg(test)]
mod tests {
    use firstcome_app::gateway::forward::routes::role_of;
    use firstcome_app::{accounts, notices, orders, payments, vouchers};

    use super::*;

    #[test]
    fn every_path_is_forwarded_to_the_role_that_answers_it() {
        for (role, openapi) in [
            (RoleName::Accounts, accounts::openapi()),
            (RoleName::Catalog, catalog::openapi()),
            (RoleName::Orders, orders::openapi()),
            (RoleName::Payments, payments::openapi()),
            (RoleName::Vouchers, vouchers::openapi()),
            (RoleName::Notices, notices::openapi()),
        ] {
            assert!(!openapi.paths.paths.is_empty(), "{role:?} has no paths");
            for path in openapi.paths.paths.keys() {
                assert_eq!(role_of(path), Some(role), "{path}");
            }
        }
    }
}
