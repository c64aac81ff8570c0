//! `GET /admin/cluster`: the instances of every role, as this gateway sees them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ports::RoleName;
use firstcome_core::time::Time;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Circuit, Forwarder};
use crate::http::Operator;

/// The state of the cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClusterView {
    pub(super) parts: Vec<PartView>,
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartView {
    #[schema(value_type = String)]
    pub(super) role: &'static str,
    /// Requests that may still be begun before more are refused.
    pub(super) free_places: usize,
    pub(super) instances: Vec<InstanceView>,
}

/// A process that runs the role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstanceView {
    pub(super) id: String,
    pub(super) address: String,
    #[schema(value_type = String, format = DateTime)]
    pub(super) started_at: Time,
    /// Whether it finishes what it has and gets nothing new.
    pub(super) draining: bool,
    /// `closed`: requests go there; `open`: none do, since it failed; `half_open`: one may, to see whether it is back.
    #[schema(value_type = String)]
    pub(super) circuit: Circuit,
    /// Requests under way from this gateway.
    pub(super) in_flight: usize,
    pub(super) latency_micros: u64,
    /// Commands that wait for the ledger there.
    pub(super) waiting_commands: u64,
    /// Whether the ledger there can decide nothing for now.
    pub(super) ledger_stuck: bool,
    /// How long the oldest event of its roles has waited to be announced.
    pub(super) outbox_lag_millis: u64,
    /// How long the oldest event of others has waited for one of its consumers.
    pub(super) consumer_lag_millis: u64,
}

impl Forwarder {
    pub(super) fn status(&self) -> ClusterView {
        let now = Instant::now();
        let roles = RoleName::ALL.into_iter().filter_map(|role| Some((role, self.pools.get(&role)?)));
        let parts = roles.map(|(role, pool)| {
            let targets = pool.targets();
            let instances =
                targets.iter().map(|target| (target, *target.waits.lock())).map(|(target, waits)| InstanceView {
                    id: target.instance.id.clone(),
                    address: target.instance.address.clone(),
                    started_at: target.instance.started_at,
                    draining: target.is_draining(),
                    circuit: target.breaker.circuit(now),
                    in_flight: target.in_flight(),
                    latency_micros: target.latency_micros(now) as u64,
                    waiting_commands: waits.commands,
                    ledger_stuck: waits.stuck,
                    outbox_lag_millis: waits.outbox_millis,
                    consumer_lag_millis: waits.consumers_millis,
                });
            PartView {
                role: role.as_str(),
                free_places: pool.bulkhead.available_permits(),
                instances: instances.collect(),
            }
        });
        ClusterView { parts: parts.collect() }
    }
}

/// The processes of every role, as the gateway that answers sees them.
#[utoipa::path(
    get, path = "/api/v1/admin/cluster", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = ClusterView))
)]
pub(super) async fn get(State(forwarder): State<Arc<Forwarder>>, _: Operator) -> Json<ClusterView> {
    Json(forwarder.status())
}

/// What the gateway answers by itself.
pub(super) fn routes() -> OpenApiRouter<Arc<Forwarder>> {
    OpenApiRouter::new().routes(routes!(get))
}
