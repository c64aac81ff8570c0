//! `POST /me/identity/confirm`: the provider is asked what came of the caller's check.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::UserId;
use firstcome_core::ports::{Committed, IdentityAnswer};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};

use super::super::Accounts;
use super::show::IdentityView;
use super::{Identified, IdentityCheck};
use crate::http::{Buyer, NoBody, Outcome, Problem};

/// Asks the provider what came of the check, and keeps that it is verified who the caller is.
///
/// One person verifies one account.
#[utoipa::path(
    post, path = "/api/v1/me/identity/confirm", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 200, description = "It is verified", body = IdentityView),
        (status = 401, description = "`unauthenticated`"),
        (status = 409, description = "`wrong_state`: no check was begun, it waits for the person, or was not passed; \
            `identity_in_use`: the person has verified another account"),
        (status = 503, description = "`unavailable`: the provider does not answer"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    _: NoBody,
) -> Outcome<Json<IdentityView>> {
    let refused = |why: &str| Problem::new(ErrorCode::WrongState).detail(why);
    if let Some(known) = accounts.identity(caller.user).await? {
        return Ok(Json(IdentityView::of(Some(&known.record))));
    }
    let check = accounts.ports.records.load::<IdentityCheck>(caller.user).await?;
    let check = check.filter(|check| accounts.ports.clock.now() < check.record.expires_at);
    let (Some(check), Some(provider)) = (check, &accounts.options.identity.provider) else {
        return Err(refused("Begin with POST /me/identity"));
    };
    match provider.ask(check.record.check).await? {
        IdentityAnswer::Waiting => Err(refused("The check waits for the person")),
        IdentityAnswer::Failed => Err(refused("The check was not passed; begin another")),
        IdentityAnswer::Verified { person } => {
            let person = accounts.ports.keys.index.of(&[b"identity", person.as_bytes()]);
            let known = accounts.identify(caller.user, person, &check).await?;
            Ok(Json(IdentityView::of(Some(&known))))
        }
    }
}

impl Accounts {
    /// Keeps who it is, if the person has no other account.
    async fn identify(&self, owner: UserId, person: Vec<u8>, check: &Stored<IdentityCheck>) -> Outcome<Identified> {
        let records = self.ports.records.as_ref();
        loop {
            let now = self.ports.clock.now();
            let identified = Identified { person: person.clone(), owner, verified_at: now, free_at: None };
            // Read and written: an account that goes in this moment takes the commit with it.
            let user = self.user(owner).await?;
            if let Some(known) = self.identity(owner).await? {
                return Ok(known.record);
            }
            let unit = match records.load::<Identified>(person.clone()).await? {
                None => Unit::new().insert(&identified),
                Some(Stored { record, version }) if record.free_at.is_some_and(|at| at <= now) => {
                    Unit::new().update(&Stored { record: identified.clone(), version })
                }
                Some(_) => return Err(Problem::new(ErrorCode::IdentityInUse)),
            };
            let event = RoleEvent::UserIdentified { user: owner };
            let unit = unit.update(&user).delete(&check.record).event(&event, now);
            if records.commit(unit).await? == Committed::Done {
                return Ok(identified);
            }
        }
    }
}
