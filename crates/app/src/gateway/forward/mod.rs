//! Handing requests on to the roles that run in other processes.
//!
//! - The instances of a role come from the registry; when it does not answer, or has forgotten them, what was known goes
//!   on, and a refused connection tells who is gone.
//! - Of two instances by chance the one gets a request that will answer it sooner, by what was seen. Requests that belong
//!   together go to one instance as long as it is healthy ([`routes::affinity`]).
//! - An instance that fails several times in a row, or refuses a connection, gets nothing for a while ([`breaker`]).
//! - What may be done twice is tried again at another instance, within a budget. What may not is tried again only if it
//!   never left: its connection was refused. The same goes for what an instance was asked that hangs.
//! - Every request has a deadline, which the role is told. Requests under way to one role are bounded.
//! - An instance that drains gets nothing new.
//! - Event streams pass through as they come, and end when the client leaves.

mod breaker;
mod budget;
mod ended;
mod exchange;
mod headers;
mod instance;
mod letters;
mod metrics;
mod pool;
pub mod routes;
mod service;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use firstcome_core::ports::{Clock, Instance, PortError, Registry, RoleName};
use prometheus_client::registry::Registry as Metrics;
use tokio::time::Instant;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use breaker::{BreakerOptions, Circuit};
pub use service::Forward;

use super::with_problems;
use crate::http::Signatures;
use crate::role::Worker;
use pool::Pool;

/// How requests are handed on.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a role has for an answer.
    pub deadline: Duration,
    /// How long a connection may take.
    pub connect: Duration,
    /// Requests under way to one role.
    pub max_in_flight: usize,
    /// Of a hundred requests so many may be tried again.
    pub retry_percent: u32,
    /// When an instance gets nothing for a while.
    pub breaker: BreakerOptions,
    /// How often the registry is asked.
    pub refresh: Duration,
    /// How long an instance is kept that the registry does not list any more, if it still answers.
    pub keep_unlisted: Duration,
    /// After how long of that what it was asked is asked of another, if there is one: it hangs.
    pub give_up_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(25),
            connect: Duration::from_secs(1),
            max_in_flight: 2_048,
            retry_percent: 10,
            breaker: BreakerOptions { failures: 5, pause: Duration::from_millis(250) },
            refresh: Duration::from_millis(500),
            keep_unlisted: Duration::from_secs(10),
            give_up_after: Duration::from_secs(1),
        }
    }
}

/// What forwarding needs.
pub struct Ports {
    /// Who is there.
    pub registry: Arc<dyn Registry>,
    /// Signs who calls.
    pub signatures: Signatures,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The description of what a gateway with a forwarder answers by itself.
pub fn openapi() -> OpenApi {
    status::routes().into_openapi()
}

/// Hands requests on.
pub struct Forwarder {
    options: Options,
    ports: Ports,
    pools: HashMap<RoleName, Pool>,
    /// Roles of this very process.
    local: HashMap<RoleName, Router>,
    metrics: metrics::Counters,
}

impl Forwarder {
    /// A forwarder that knows nobody yet: [`Forwarder::refresh`] asks the registry. Requests for roles in `local` stay
    /// in this process.
    pub fn new(options: Options, ports: Ports, local: HashMap<RoleName, Router>, metrics: &mut Metrics) -> Arc<Self> {
        let remote = RoleName::ALL.into_iter().filter(|role| *role != RoleName::Gateway && !local.contains_key(role));
        let pools = remote.map(|role| (role, Pool::new(&options))).collect();
        let local = local.into_iter().map(|(role, router)| (role, with_problems(router))).collect();
        let counters = metrics::Counters::register(metrics);
        let forwarder = Arc::new(Self { options, ports, pools, local, metrics: counters });
        metrics.register_collector(Box::new(metrics::State(Arc::downgrade(&forwarder))));
        forwarder
    }

    /// Asks the registry who is there.
    pub async fn refresh(&self) -> Result<(), PortError> {
        let instances = self.ports.registry.instances().await?;
        let now = Instant::now();
        for (role, pool) in &self.pools {
            let listed: Vec<&Instance> = instances.iter().filter(|instance| instance.roles.contains(role)).collect();
            pool.update(&listed, &self.options, now);
        }
        Ok(())
    }

    /// What a gateway with a forwarder answers by itself: the state of the instances, and the dead letters of all roles.
    pub fn router(self: &Arc<Self>) -> OpenApiRouter {
        status::routes().merge(letters::routes()).with_state(Arc::clone(self))
    }

    /// Keeps asking.
    pub fn worker(self: &Arc<Self>) -> Worker {
        let forwarder = Arc::clone(self);
        Worker::new("gateway.registry", move |stop| async move {
            let mut failing = false;
            while stop.run_until_cancelled(tokio::time::sleep(forwarder.options.refresh)).await.is_some() {
                let Some(asked) = stop.run_until_cancelled(forwarder.refresh()).await else { return Ok(()) };
                match &asked {
                    Ok(()) if failing => tracing::info!("the registry answers again"),
                    Err(error) if !failing => {
                        tracing::warn!(%error, "the registry does not answer; going on with the instances that are known");
                    }
                    _ => {}
                }
                failing = asked.is_err();
            }
            Ok(())
        })
    }
}
