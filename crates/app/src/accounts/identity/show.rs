//! `GET /me/identity`: whether it is verified who the caller is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Accounts;
use super::Identified;
use crate::http::{Buyer, Outcome};

/// Whether it is verified who somebody is.
#[derive(Serialize, ToSchema)]
pub(super) struct IdentityView {
    verified: bool,
    /// Since when; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-20T09:00:00Z")]
    verified_at: Option<Time>,
}

impl IdentityView {
    pub(super) fn of(known: Option<&Identified>) -> Self {
        Self { verified: known.is_some(), verified_at: known.map(|known| known.verified_at) }
    }
}

/// Shows whether it is verified who the caller is.
#[utoipa::path(
    get, path = "/api/v1/me/identity", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, body = IdentityView), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn get(State(accounts): State<Arc<Accounts>>, Buyer(caller): Buyer) -> Outcome<Json<IdentityView>> {
    accounts.user(caller.user).await?;
    let known = accounts.identity(caller.user).await?.map(|stored| stored.record);
    Ok(Json(IdentityView::of(known.as_ref())))
}
