//! `/admin/products`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Catalog;
use super::product::{NewProduct, ProductEdit};
use super::products_public::Filters;
use super::view::ProductView;
use crate::http::{Body, Items, Outcome, PageParameters, Path, Problem, QueryString, Seller};

/// Creates a product.
#[utoipa::path(
    post, path = "/api/v1/admin/products", tag = "admin", request_body = NewProduct,
    responses((status = 201, body = ProductView), (status = 422, description = "invalid_body")),
    security(("bearer" = [])),
)]
pub(super) async fn create(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    body: Body<NewProduct>,
) -> Outcome<(StatusCode, Json<ProductView>)> {
    let product = catalog.create_product(body.value).await?;
    Ok((StatusCode::CREATED, Json(product.into())))
}

/// Products, newest first unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/admin/products", tag = "admin",
    params(
        ("kind" = Option<String>, Query), ("q" = Option<String>, Query), ("sort" = Option<String>, Query),
        ("category" = Option<String>, Query),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<ProductView>)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<ProductView>>> {
    catalog.products(&filters, &page).await.map(Json)
}

/// A product.
#[utoipa::path(
    get, path = "/api/v1/admin/products/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = ProductView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
) -> Outcome<Json<ProductView>> {
    catalog.shown_product(id.parse().map_err(|_| Problem::not_found())?).await.map(Json)
}

/// Changes a product, and every offer of it with it, unless that would break what holders of it were promised. Vouchers
/// that were issued keep what is printed on them.
#[utoipa::path(
    patch, path = "/api/v1/admin/products/{id}", tag = "admin", params(("id" = String, Path)), request_body = ProductEdit,
    responses((status = 200, body = ProductView), (status = 404, description = "not_found"), (status = 409, description = "promise_broken")),
    security(("bearer" = [])),
)]
pub(super) async fn edit(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    body: Body<ProductEdit>,
) -> Outcome<Json<ProductView>> {
    let stored = catalog.product(id.parse().map_err(|_| Problem::not_found())?).await?;
    let mut before = stored.record.product.0.clone();
    catalog.drop_gone(std::iter::once(&mut before)).await?;
    let product = body.value.apply(before)?;
    catalog.check_categories(&product).await?;
    catalog.check_image(product.image_url.as_deref()).await?;
    Ok(Json(catalog.change_product(stored, product).await?.into()))
}
