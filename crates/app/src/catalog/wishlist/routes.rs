//! `GET /me/wishlist`, `PUT` and `DELETE /me/wishlist/{product_id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::WishView;
use crate::catalog::Catalog;
use crate::http::{Buyer, Items, NoBody, Outcome, PageParameters, Path, Problem};

/// What the caller wishes for, what was added last first; the same on every device. A product that is gone is left out.
#[utoipa::path(
    get, path = "/api/v1/me/wishlist", tag = "catalog",
    params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Items<WishView>)),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn list(
    State(catalog): State<Arc<Catalog>>,
    Buyer(buyer): Buyer,
    page: PageParameters,
) -> Outcome<Json<Items<WishView>>> {
    catalog.wishes(buyer.user, &page).await.map(Json)
}

/// Puts a product on the caller's list. Twice is once.
#[utoipa::path(
    put, path = "/api/v1/me/wishlist/{product_id}", tag = "catalog", params(("product_id" = String, Path)),
    responses(
        (status = 204, description = "it is on the list"),
        (status = 404, description = "not_found"),
        (status = 409, description = "wishlist_full"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn add(
    State(catalog): State<Arc<Catalog>>,
    Buyer(buyer): Buyer,
    Path(product): Path<String>,
    _: NoBody,
) -> Outcome<StatusCode> {
    catalog.wish(buyer.user, product.parse().map_err(|_| Problem::not_found())?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a product off the caller's list, also one that is gone or was never on it.
#[utoipa::path(
    delete, path = "/api/v1/me/wishlist/{product_id}", tag = "catalog", params(("product_id" = String, Path)),
    responses((status = 204, description = "it is not on the list"), (status = 404, description = "not_found: no such id")),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn remove(
    State(catalog): State<Arc<Catalog>>,
    Buyer(buyer): Buyer,
    Path(product): Path<String>,
    _: NoBody,
) -> Outcome<StatusCode> {
    catalog.unwish(buyer.user, product.parse().map_err(|_| Problem::not_found())?).await?;
    Ok(StatusCode::NO_CONTENT)
}
