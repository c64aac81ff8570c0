//! `GET /auth/consents`: what a sign-up is asked to agree to.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Accounts;
use super::ConsentKind;

/// A text that people agree to.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentAsked {
    what: ConsentKind,
    /// The version that holds now.
    #[schema(example = "2026-11")]
    version: String,
    /// Whether nobody signs up without.
    required: bool,
}

/// What is asked for at sign-up.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentsAsked {
    items: Vec<ConsentAsked>,
}

/// Lists what a sign-up is asked to agree to, in `consents`.
///
/// Advertising is listed where the shop sends any.
#[utoipa::path(
    get, path = "/api/v1/auth/consents", tag = "accounts",
    responses((status = 200, body = ConsentsAsked))
)]
pub(super) async fn get(State(accounts): State<Arc<Accounts>>) -> Json<ConsentsAsked> {
    let versions = &accounts.options.consents;
    let advertises = accounts.options.advertising.sender.is_some();
    let asked = |what: ConsentKind| {
        let required = matches!(what, ConsentKind::Terms | ConsentKind::Privacy);
        if !required && !advertises {
            return None;
        }
        Some(ConsentAsked { what, version: versions.of(what)?.to_owned(), required })
    };
    Json(ConsentsAsked { items: ConsentKind::ALL.into_iter().filter_map(asked).collect() })
}
