//! Dead letters: what the consumers of the roles could not handle, listed and replayed by an operator.
//!
//! Each role keeps the letters of its consumers in its own database, where a replay can commit the event's effect and the
//! letter's end together. So nobody copies letters elsewhere: whoever is asked asks each role, and puts the pages together
//! ([`LetterView::merge`]). A page begins at a place in time, which means the same to every role, so the whole list has
//! the cursor of a part and needs no state. A replay is asked of every role; whoever has the letter reads its event again
//! ([`Replay`]), since topics and the journal are kept for ever. In one process the roles are asked here; in a cluster the
//! gateway asks them, under the same path with `?role=`: no role calls another. One that does not answer makes the list a
//! 503 that names it, not a shorter list.

mod list;
mod replay;
#[cfg(test)]
mod tests;
mod view;
mod watch;

use std::sync::Arc;

use firstcome_core::ports::{Clock, Records, RoleName};
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::consumer::{Consumer, Handler, Item, Replay};
use crate::role::Worker;

pub(crate) use list::Filters;
pub use view::LetterView;

/// Where they are listed.
pub(crate) const PATH: &str = "/api/v1/admin/dead-letters";
/// Where one is replayed.
pub(crate) const REPLAY: &str = "/api/v1/admin/dead-letters/{id}/replay";

/// The roles that have consumers, and so dead letters.
pub const ROLES: [RoleName; 4] = [RoleName::Catalog, RoleName::Orders, RoleName::Payments, RoleName::Vouchers];

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
    Desk { router: routes().with_state(roles), workers }
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Vec<Letters>>> {
    OpenApiRouter::new().routes(routes!(list::get)).routes(routes!(replay::post))
}
