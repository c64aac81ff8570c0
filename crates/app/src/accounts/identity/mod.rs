//! Who somebody is, checked by a provider: for offers of which one person may have so many, whatever accounts they have.
//!
//! - One person has one account with a verified identity. A second one is refused, and so each limit per account is one per person
//!   where an offer asks for the identity (`identity_verified`): ledger and journal need to know nothing of it.
//! - Of the person only a keyed hash is kept. When the account goes it stays for a while, or who has had their share could come
//!   back at once as somebody else.
//! - What the provider says is believed only when it is asked, never from an address that a browser comes back to.

mod begin;
mod confirm;
mod port_one;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{IdentityCheckId, UserId};
use firstcome_core::ports::{IdentityProvider, PortError};
use firstcome_core::record;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Accounts;

pub use port_one::{InvalidPortOneOptions, PortOne, PortOneOptions};

/// How identities are checked.
#[derive(Clone)]
pub struct IdentityChecks {
    /// Who checks them; none while the shop has nobody who does.
    pub provider: Option<Arc<dyn IdentityProvider>>,
    /// How long a person who has deleted their account cannot verify another.
    pub rest: Duration,
}

impl Default for IdentityChecks {
    fn default() -> Self {
        Self { provider: None, rest: Duration::from_hours(30 * 24) }
    }
}

impl std::fmt::Debug for IdentityChecks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("IdentityChecks").field("rest", &self.rest).finish_non_exhaustive()
    }
}

record! {
    /// The check that somebody has begun last.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct IdentityCheck in "identity_checks" {
        /// Who.
        pub(super) owner: UserId,
        /// What the provider knows it as.
        pub(super) check: IdentityCheckId,
        /// When it is of no use any more.
        pub(super) expires_at: Time,
    }
    indexes [index "identity_checks_by_expiry" ("expires_at")]
}

record! {
    /// A person whose identity was verified.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Identified in "identities" {
        /// Keyed hash of what is the same at every check of the person.
        pub(super) person: Vec<u8>,
        /// Their account.
        pub(super) owner: UserId,
        /// When it was verified.
        pub(super) verified_at: Time,
        /// The account is gone, and the person can verify another then.
        pub(super) free_at: Option<Time>,
    }
    indexes [unique "identities_by_owner" ("owner"), index "identities_by_freedom" ("free_at")]
}

/// The endpoints.
pub(super) fn routes() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::new().routes(routes!(show::get, begin::post)).routes(routes!(confirm::post))
}

impl Accounts {
    /// The verified identity of an account.
    pub(super) async fn identity(&self, owner: UserId) -> Result<Option<Stored<Identified>>, PortError> {
        let found = self.ports.records.list::<Identified>(Query::all(Identified::TABLE, 1).is("owner", owner)).await?;
        Ok(found.into_iter().next())
    }

    /// The unit of work that lets the person verify another account, later.
    pub(super) async fn identity_of_erased(&self, owner: UserId) -> Result<Unit, PortError> {
        let Some(mut known) = self.identity(owner).await? else { return Ok(Unit::new()) };
        known.record.free_at = Some(self.ports.clock.now() + self.options.identity.rest);
        Ok(Unit::new().update(&known))
    }

    /// Forgets persons who have rested. Returns how many.
    pub(super) async fn forget_identities(&self, batch: u32) -> Result<usize, PortError> {
        let due = Comparison::AtMost(self.ports.clock.now().to_value());
        let rested = Query::all(Identified::TABLE, batch).filter("free_at", due);
        let rested = self.ports.records.list::<Identified>(rested).await?;
        self.remove_unchanged(&rested).await?;
        Ok(rested.len())
    }
}
