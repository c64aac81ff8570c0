//! How the roles of a process are reached: behind the guard, and behind the gateway where it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use firstcome_app::gateway::Gateway;
use firstcome_app::gateway::forward::{self, BreakerOptions, Forward, Forwarder};
use firstcome_app::guard::Guard;
use firstcome_app::heartbeat::{Heartbeat, Measure};
use firstcome_app::http::{Revocations, Signatures};
use firstcome_app::pages::{self, PagesOptions};
use firstcome_app::role::Worker;
use firstcome_core::ports::{Instance, Load, RoleName};
use firstcome_store::redis::{RedisLimits, RedisRegistry};
use prometheus_client::registry::Registry as Metrics;
use secrecy::ExposeSecret as _;

use super::outside;
use crate::config::Config;
use crate::front::{Front, Part};
use crate::operate::{self, Operation};
use crate::wire::roles::{Others, Parts, open_gateway, pages_options};
use crate::wire::{Farewell, StartError};

/// The routes of a process, which lack only those that operate it.
pub(super) struct Routes {
    guard: Arc<Guard>,
    roles: Router,
    gateway: Option<(Arc<Gateway>, Arc<Forwarder>, PagesOptions)>,
}

/// What is there beside the roles.
pub(super) struct Opened {
    pub(super) routes: Routes,
    pub(super) workers: Vec<Worker>,
    pub(super) farewell: Draining,
}

/// The roles of this process.
pub(super) struct Roles {
    /// What each answers.
    pub(super) routers: Vec<(RoleName, Router)>,
    /// What all of them answer together.
    pub(super) letters: Router,
    /// What waits in them.
    pub(super) load: Measure,
}

pub(super) async fn open(
    config: &Config,
    names: &[RoleName],
    address: SocketAddr,
    parts: &Parts,
    revocations: &Arc<Revocations>,
    roles: Roles,
    metrics: &mut Metrics,
) -> Result<Opened, StartError> {
    let Roles { routers, letters, load } = roles;
    let secret = config.secret()?;
    let signatures = || Signatures::new(secret.expose_secret().as_bytes(), &config.cluster.name);
    let registry =
        Arc::new(RedisRegistry::new(outside::redis(config)?, milliseconds(config.cluster.expiry_milliseconds)));
    let every = milliseconds(config.cluster.heartbeat_milliseconds);
    let heartbeat = Heartbeat::new(registry.clone(), instance(config, names, address, parts), every, load);
    let guard = Guard::new(signatures(), parts.clock.clone());
    let mut workers = vec![heartbeat.worker()];
    let all = routers.iter().fold(letters.clone(), |all, (_, router)| all.merge(router.clone()));
    let mut gateway = None;
    if names.contains(&RoleName::Gateway) {
        let ports = forward::Ports { registry: registry.clone(), signatures: signatures(), clock: parts.clock.clone() };
        let local = routers.into_iter().map(|(role, router)| (role, router.merge(letters.clone()))).collect();
        let forwarder = Forwarder::new(options(config), ports, local, metrics);
        if let Err(error) = forwarder.refresh().await {
            tracing::warn!(%error, "the registry does not answer yet");
        }
        let limits = Arc::new(RedisLimits(outside::redis(config)?));
        let others = Others { limits: Some(limits), accounts: Some(forwarder.clone()) };
        let checks = open_gateway(config, parts, revocations, others);
        workers.extend(checks.workers());
        checks.register(metrics);
        workers.push(forwarder.worker());
        gateway = Some((checks, forwarder, pages_options(config, parts)));
    }
    let farewell =
        Draining { guard: guard.clone(), heartbeat, time: milliseconds(config.cluster.farewell_milliseconds) };
    Ok(Opened { routes: Routes { guard, roles: all, gateway }, workers, farewell })
}

impl Routes {
    /// Everything that this process answers.
    pub(super) fn serve(self, operation: &Arc<Operation>) -> Part {
        let inside = self.guard.protect(self.roles.merge(operate::router(operation.clone())));
        let outside = self.gateway.map(|(gateway, forwarder, pages)| {
            let own = Router::from(forwarder.router()).merge(operate::router(operation.clone()));
            let api = gateway.protect_whole(own.fallback_service(Forward(forwarder)));
            let pages = pages::router(api.clone().into_router(), pages);
            Front { api, pages }
        });
        Part { inside, outside }
    }
}

fn instance(config: &Config, names: &[RoleName], address: SocketAddr, parts: &Parts) -> Instance {
    let (id, address) = outside::place(config, address);
    Instance {
        id,
        address,
        roles: names.to_vec(),
        draining: false,
        started_at: parts.clock.now(),
        load: Load::default(),
    }
}

fn options(config: &Config) -> forward::Options {
    let forwarding = &config.forwarding;
    forward::Options {
        deadline: Duration::from_secs(forwarding.deadline_seconds),
        connect: milliseconds(forwarding.connect_milliseconds),
        max_in_flight: forwarding.max_in_flight,
        retry_percent: forwarding.retry_percent,
        breaker: BreakerOptions {
            failures: forwarding.breaker_failures,
            pause: milliseconds(forwarding.breaker_milliseconds),
        },
        refresh: milliseconds(config.cluster.heartbeat_milliseconds),
        keep_unlisted: milliseconds(config.cluster.expiry_milliseconds * 5),
        give_up_after: milliseconds(config.cluster.heartbeat_milliseconds * 2),
    }
}

fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Tells the gateways that nothing new should come.
pub(super) struct Draining {
    guard: Arc<Guard>,
    heartbeat: Arc<Heartbeat>,
    time: Duration,
}

#[async_trait]
impl Farewell for Draining {
    async fn say(&self) {
        self.guard.drain();
        self.heartbeat.drain();
        tokio::time::sleep(self.time).await;
    }
}
