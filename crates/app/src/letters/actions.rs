//! `GET /admin/actions`: what people of the shop did, of all roles.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::{Letters, roles_of};
use crate::actions::{ActionView, Filters};
use crate::http::{Items, Operator, Outcome, PageParameters, QueryString};

/// What sellers and operators did, newest first: every request that changed something. It cannot be changed or deleted;
/// `firstcome audit` sees what was done to it by hand.
#[utoipa::path(
    get, path = "/api/v1/admin/actions", tag = "admin",
    params(
        ("user" = Option<String>, Query), ("session" = Option<String>, Query),
        ("action" = Option<String>, Query, description = "The endpoint, as it is shown: POST /admin/offers/{id}/freeze"),
        ("object" = Option<String>, Query, description = "What it was about: the id of an offer, an order, ..."),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query, description = "Before this time"),
        ("role" = Option<String>, Query, description = "Only what this role did; the others are not asked"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 if left out"), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<ActionView>), (status = 400), (status = 503)),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(here): State<Arc<Vec<Letters>>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    asked: PageParameters,
) -> Outcome<Json<Items<ActionView>>> {
    let roles = roles_of(filters.role.as_deref())?;
    let mut pages = Vec::new();
    for letters in here.iter().filter(|letters| roles.contains(&letters.role)) {
        pages.push(filters.page(&*letters.records, letters.role, &asked).await?);
    }
    Ok(Json(ActionView::merge(pages, &asked)))
}
