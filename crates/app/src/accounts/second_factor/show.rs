//! `GET /me/second-factor`: whether the caller has a second factor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Accounts;
use super::SecondFactor;
use crate::http::{Buyer, Outcome};

/// The caller's second factor.
#[derive(Serialize, ToSchema)]
pub(super) struct SecondFactorView {
    /// Whether a log-in asks for a code.
    enabled: bool,
    /// Whether the shop asks for one: until there is one, the account sells and operates nothing.
    required: bool,
    /// Since when; null while there is none.
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-20T09:00:00Z")]
    enabled_at: Option<Time>,
    /// Recovery codes that were not used yet.
    #[schema(example = 10)]
    recovery_codes_left: usize,
}

/// Shows whether the caller has a second factor.
#[utoipa::path(
    get, path = "/api/v1/me/second-factor", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, body = SecondFactorView), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn get(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
) -> Outcome<Json<SecondFactorView>> {
    let user = accounts.user(caller.user).await?.record;
    let factor = accounts.second_factor(user.id).await?.map(|stored| stored.record);
    Ok(Json(SecondFactorView {
        enabled: factor.is_some(),
        required: accounts.is_required(user.roles),
        enabled_at: factor.as_ref().and_then(|factor| factor.enabled_at),
        recovery_codes_left: factor.as_ref().map_or(0, SecondFactor::recovery_codes_left),
    }))
}
