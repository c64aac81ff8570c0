//! `GET /me/consents`: what the caller has agreed to.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::UserId;
use firstcome_core::records::{Direction, Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Accounts;
use super::{ConsentEntry, ConsentKind, ConsentState, ConsentWay};
use crate::http::{Buyer, Outcome};

/// Entries of the history that are shown, the newest.
const SHOWN: u32 = 100;

/// Something that people agree to.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentView {
    what: ConsentKind,
    /// The version that was agreed to; null when it was not, or was taken back.
    #[schema(example = "2026-11")]
    version: Option<String>,
    /// The version that holds now; null for what the shop does not ask for.
    #[schema(example = "2027-01")]
    current_version: Option<String>,
}

/// Something that was agreed to or taken back.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentEntryView {
    what: ConsentKind,
    #[schema(example = "2026-11")]
    version: String,
    /// Whether it was given; else it was taken back.
    given: bool,
    way: ConsentWay,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

/// What somebody has agreed to.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentsView {
    /// How it is now.
    items: Vec<ConsentView>,
    /// How it came to be, newest first; at most a hundred.
    history: Vec<ConsentEntryView>,
}

/// Shows what the caller has agreed to, in which version, and when.
#[utoipa::path(
    get, path = "/api/v1/me/consents", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, body = ConsentsView), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn get(State(accounts): State<Arc<Accounts>>, Buyer(caller): Buyer) -> Outcome<Json<ConsentsView>> {
    accounts.user(caller.user).await?;
    Ok(Json(accounts.show_consents(caller.user).await?))
}

impl Accounts {
    pub(super) async fn show_consents(&self, owner: UserId) -> Outcome<ConsentsView> {
        let state = self.consents(owner).await?.map_or_else(|| ConsentState::none(owner), |stored| stored.record);
        let view = |what: ConsentKind| ConsentView {
            what,
            version: state.version_of(what).map(str::to_owned),
            current_version: self.options.consents.of(what).map(str::to_owned),
        };
        let newest = Query::all(ConsentEntry::TABLE, SHOWN).is("owner", owner).order_by("at", Direction::Descending);
        let entries = self.ports.records.list::<ConsentEntry>(newest).await?;
        let history = entries.into_iter().map(|stored| {
            let ConsentEntry { what, edition: version, given, way, at, .. } = stored.record;
            ConsentEntryView { what, version, given, way, at }
        });
        Ok(ConsentsView { items: ConsentKind::ALL.map(view).into(), history: history.collect() })
    }
}
