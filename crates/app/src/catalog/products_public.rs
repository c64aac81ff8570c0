//! `GET /products` and `GET /products/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::product::ProductKind;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt, Stored};
use serde::Deserialize;

use super::Catalog;
use super::store::ProductRow;
use super::view::ProductView;
use crate::http::{Items, Outcome, PageParameters, Path, Problem, QueryString};

/// Which products are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    kind: Option<String>,
    q: Option<String>,
}

/// Products, newest first.
#[utoipa::path(
    get, path = "/api/v1/products", tag = "catalog",
    params(
        ("kind" = Option<String>, Query, description = "goods, ticket, gift_card or coupon"),
        ("q" = Option<String>, Query, description = "Part of the name"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<ProductView>)),
)]
pub(super) async fn list(
    State(catalog): State<Arc<Catalog>>,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<ProductView>>> {
    catalog.products(&filters, &page).await.map(Json)
}

/// A product.
#[utoipa::path(
    get, path = "/api/v1/products/{id}", tag = "catalog", params(("id" = String, Path)),
    responses((status = 200, body = ProductView), (status = 404, description = "not_found")),
)]
pub(super) async fn get(State(catalog): State<Arc<Catalog>>, Path(id): Path<String>) -> Outcome<Json<ProductView>> {
    let stored = catalog.product(id.parse().map_err(|_| Problem::not_found())?).await?;
    Ok(Json(stored.record.product.0.into()))
}

/// Only what is of the kinds named in a parameter, separated by commas; everything when it names none.
pub(super) fn of_kinds(query: Query, kinds: Option<&str>) -> Outcome<Query> {
    let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) else { return Ok(query) };
    let kinds = kinds.split(',').map(|kind| kind.trim().parse().map(|kind: ProductKind| kind.to_value()));
    let kinds = kinds.collect::<Result<_, _>>().map_err(|_| {
        Problem::new(ErrorCode::MalformedRequest).detail("kind is one of goods, ticket, gift_card, coupon")
    })?;
    Ok(query.filter("kind", Comparison::IsOneOf(kinds)))
}

impl Catalog {
    pub(super) async fn products(&self, filters: &Filters, page: &PageParameters) -> Outcome<Items<ProductView>> {
        let newest = Query::all(ProductRow::TABLE, page.limit + 1).order_by("created_at", Direction::Descending);
        let mut query = of_kinds(page.within(newest)?, filters.kind.as_deref())?;
        if let Some(text) = filters.q.as_ref().filter(|text| !text.is_empty()) {
            query = query.filter("name", Comparison::Contains(text.clone()));
        }
        let rows = self.ports.records.list::<ProductRow>(query).await?;
        let place = |row: &Stored<ProductRow>| (row.record.created_at.to_value(), row.record.key());
        Ok(page.page(rows, place, |row| row.record.product.0.into()))
    }
}
