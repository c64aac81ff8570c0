//! `GET /products` and `GET /products/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::product::ProductKind;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _};
use serde::Deserialize;

use super::Catalog;
use super::sort::{self, Sort};
use super::store::ProductRow;
use super::view::ProductView;
use crate::http::{Items, Outcome, PageParameters, Path, Problem, QueryString};

/// Which products are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    kind: Option<String>,
    q: Option<String>,
    sort: Option<String>,
    category: Option<String>,
}

/// Products, newest first unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/products", tag = "catalog",
    params(
        ("kind" = Option<String>, Query, description = "goods, ticket, gift_card or coupon"),
        ("q" = Option<String>, Query, description = "Words, all of which are in its name, sku, description or the name of a category; Korean with or without blanks"),
        ("sort" = Option<String>, Query, description = "newest, name, -name"),
        ("category" = Option<String>, Query, description = "The id of a category; what is in one of those in it is in it too"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<ProductView>), (status = 400, description = "malformed_request"), (status = 503, description = "overloaded: others search at the moment")),
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
    catalog.shown_product(id.parse().map_err(|_| Problem::not_found())?).await.map(Json)
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
        let sort = Sort::named(sort::PRODUCTS, filters.sort.as_deref())?;
        let query = sort.within(Query::all(ProductRow::TABLE, page.limit + 1), page)?;
        let query = of_kinds(query, filters.kind.as_deref())?;
        let query = self.in_category(query, filters.category.as_deref()).await?;
        let query = self.with_words(query, filters.q.as_deref()).await?;
        let turn = self.turn(&query).await?;
        let mut rows = self.found::<ProductRow>(query, turn.as_ref()).await?;
        self.drop_gone(rows.iter_mut().map(|row| &mut row.record.product.0)).await?;
        Ok(page.page(rows, |row| sort.place(&row.record), |row| row.record.product.0.into()))
    }
}
