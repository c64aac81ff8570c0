//! `/admin/offers`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Catalog;
use super::offer::{NewOffer, OfferEdit};
use super::offers_public::Filters;
use super::view::{OfferView, SellerOfferView};
use crate::http::{Body, Items, Outcome, PageParameters, Path, Problem, QueryString, Seller};

/// Creates an offer. It sells as soon as its window opens.
#[utoipa::path(
    post, path = "/api/v1/admin/offers", tag = "admin", request_body = NewOffer,
    responses((status = 201, body = OfferView), (status = 422, description = "invalid_body")),
    security(("bearer" = [])),
)]
pub(super) async fn create(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    body: Body<NewOffer>,
) -> Outcome<(StatusCode, Json<OfferView>)> {
    let info = catalog.create_offer(body.value).await?;
    let row = catalog.offer(info.offer_id).await?.record;
    Ok((StatusCode::CREATED, Json(catalog.view(row).await?)))
}

/// Offers, drafts among them; those that open last come first, unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/admin/offers", tag = "admin",
    params(
        ("state" = Option<String>, Query), ("kind" = Option<String>, Query),
        ("q" = Option<String>, Query), ("sort" = Option<String>, Query), ("category" = Option<String>, Query),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<OfferView>)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<OfferView>>> {
    catalog.offers(&filters, &page, true).await.map(Json)
}

/// An offer, with the last changes of its stock.
#[utoipa::path(
    get, path = "/api/v1/admin/offers/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = SellerOfferView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
) -> Outcome<Json<SellerOfferView>> {
    let stored = catalog.offer(id.parse().map_err(|_| Problem::not_found())?).await?;
    let adjustments = catalog.adjustments(stored.record.offer_id).await?;
    Ok(Json(SellerOfferView { offer: catalog.view(stored.record).await?, adjustments }))
}

/// Changes an offer, unless that would break what buyers were promised. `draft: false` publishes a draft: it sells as soon as
/// its window opens.
#[utoipa::path(
    patch, path = "/api/v1/admin/offers/{id}", tag = "admin", params(("id" = String, Path)), request_body = OfferEdit,
    responses(
        (status = 200, body = OfferView),
        (status = 404, description = "not_found"),
        (status = 409, description = "promise_broken"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn edit(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    body: Body<OfferEdit>,
) -> Outcome<Json<OfferView>> {
    let mut stored = catalog.offer(id.parse().map_err(|_| Problem::not_found())?).await?;
    let units = catalog.state(stored.record.offer_id).await?.map(|state| state.offer.stock).unwrap_or_default();
    body.value.apply(&mut stored.record.offer.0, units, catalog.ports.clock.now(), &catalog.ports.time_zone)?;
    let row = catalog.save_offer(stored).await?;
    catalog.view(row).await.map(Json)
}
