//! What an operator looks at in every role: dead letters, which its consumers could not handle, listed and replayed; and
//! what people of the shop did ([`crate::actions`]), listed.
//!
//! Each role keeps the letters of its consumers in its own database, where a replay can commit the event's effect and the
//! letter's end together. So nobody copies letters elsewhere: whoever is asked asks each role, and puts the pages together
//! ([`LetterView::merge`]). A page begins at a place in time, which means the same to every role, so the whole list has
//! the cursor of a part and needs no state. A replay is asked of every role; whoever has the letter reads its event again
//! ([`Replay`]), since topics and the journal are kept for ever. In one process the roles are asked here; in a cluster the
//! gateway asks them, under the same path with `?role=`: no role calls another. One that does not answer makes the list a
//! 503 that names it, not a shorter list.

mod actions;
mod list;
mod replay;
#[cfg(test)]
mod tests;
mod view;
mod watch;

use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Clock, Records, RoleName};
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::{Actions, witness};
use crate::consumer::{Consumer, Handler, Item, Replay};
use crate::http::{Outcome, Problem};
use crate::role::Worker;

pub(crate) use list::Filters;
pub use view::LetterView;

/// Where they are listed.
pub(crate) const PATH: &str = "/api/v1/admin/dead-letters";
/// Where one is replayed.
pub(crate) const REPLAY: &str = "/api/v1/admin/dead-letters/{id}/replay";

/// The roles that keep dead letters of their consumers, and what people of the shop did there.
pub const ROLES: [RoleName; 6] = [
    RoleName::Catalog,
    RoleName::Orders,
    RoleName::Payments,
    RoleName::Vouchers,
    RoleName::Notices,
    RoleName::Accounts,
];

/// The roles that a request asks.
pub(crate) fn roles_of(role: Option<&str>) -> Outcome<Vec<RoleName>> {
    let Some(name) = role.filter(|name| !name.is_empty()) else { return Ok(ROLES.to_vec()) };
    let known = ROLES.into_iter().find(|role| role.as_str() == name);
    known.map(|role| vec![role]).ok_or_else(|| {
        let names = ROLES.map(RoleName::as_str).join(", ");
        Problem::new(ErrorCode::MalformedRequest).detail(format!("role must be one of {names}"))
    })
}

/// The letters of one role.
pub struct Letters {
    role: RoleName,
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    consumers: Vec<Arc<dyn Replay>>,
}

impl Letters {
    /// The letters in the database of a role, which has no consumers yet.
    pub fn new(role: RoleName, records: &Arc<dyn Records>, clock: &Arc<dyn Clock>) -> Self {
        Self { role, records: records.clone(), clock: clock.clone(), consumers: Vec::new() }
    }

    /// The worker of a consumer, whose letters are looked after here from now on.
    pub fn follow<I: Item, H: Handler<I>>(&mut self, consumer: &Arc<Consumer<I, H>>) -> Worker {
        self.consumers.push(consumer.clone());
        consumer.clone().into_worker()
    }
}

/// What an operator finds in one process.
pub struct Desk {
    /// Answers for the roles of this process.
    pub router: OpenApiRouter,
    /// Counts what waits.
    pub workers: Vec<Worker>,
}

/// Puts the letters of a process' roles together.
pub fn create(roles: impl IntoIterator<Item = Letters>, metrics: &mut Registry) -> Desk {
    let roles: Arc<Vec<Letters>> = Arc::new(roles.into_iter().collect());
    let workers = vec![watch::worker(roles.clone(), metrics)];
    // Replays are written down by the roles whose letters they are.
    let witness = axum::middleware::from_fn_with_state(None::<Arc<Actions>>, witness);
    Desk { router: routes().with_state(roles).layer(witness), workers }
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Vec<Letters>>> {
    OpenApiRouter::new().routes(routes!(list::get)).routes(routes!(replay::post)).routes(routes!(actions::get))
}
