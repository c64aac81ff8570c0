//! `GET /offers`, `GET /offers/{id}` and `GET /time`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt, Stored};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Catalog;
use super::products_public::of_kinds;
use super::store::OfferRow;
use super::view::{OfferState, OfferView};
use crate::http::{Items, Outcome, PageParameters, Path, Problem, QueryString, encode_cursor};

/// Rows read at a time when a state is asked for.
const SCAN: u32 = 200;

/// Which offers are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    kind: Option<String>,
}

/// Offers with their units of now; those that open last come first.
#[utoipa::path(
    get, path = "/api/v1/offers", tag = "catalog",
    params(
        ("state" = Option<String>, Query, description = "upcoming, open, ended, frozen; several separated by commas"),
        ("kind" = Option<String>, Query, description = "goods, ticket, gift_card, coupon; several separated by commas"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<OfferView>)),
)]
pub(super) async fn list(
    State(catalog): State<Arc<Catalog>>,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<OfferView>>> {
    catalog.offers(&filters, &page, false).await.map(Json)
}

/// An offer with its units of now. A draft is not there.
#[utoipa::path(
    get, path = "/api/v1/offers/{id}", tag = "catalog", params(("id" = String, Path)),
    responses((status = 200, body = OfferView), (status = 404, description = "not_found")),
)]
pub(super) async fn get(State(catalog): State<Arc<Catalog>>, Path(id): Path<String>) -> Outcome<Json<OfferView>> {
    let stored = catalog.offer(id.parse().map_err(|_| Problem::not_found())?).await?;
    if stored.record.draft {
        return Err(Problem::not_found());
    }
    catalog.view(stored.record).await.map(Json)
}

/// The server's clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerTime)]
pub(super) struct Clock {
    #[schema(value_type = String, format = DateTime)]
    server_time: Time,
}

/// The server's time, for countdowns.
#[utoipa::path(get, path = "/api/v1/time", tag = "catalog", responses((status = 200, body = Clock)))]
pub(super) async fn time(State(catalog): State<Arc<Catalog>>) -> Json<Clock> {
    Json(Clock { server_time: catalog.ports.clock.now() })
}

fn states(text: &str) -> Outcome<Vec<OfferState>> {
    text.split(',')
        .map(|state| {
            state.trim().parse().map_err(|_| {
                Problem::new(ErrorCode::MalformedRequest).detail("state is one of upcoming, open, ended, frozen")
            })
        })
        .collect()
}

impl Catalog {
    /// A page of offers. States follow from the clock and the ledger, so rows are read until the page is full.
    pub(super) async fn offers(
        &self,
        filters: &Filters,
        page: &PageParameters,
        drafts: bool,
    ) -> Outcome<Items<OfferView>> {
        let states = filters.state.as_deref().filter(|text| !text.is_empty()).map(states).transpose()?;
        let mut query = Query::all(OfferRow::TABLE, if states.is_some() { SCAN } else { page.limit + 1 })
            .order_by("opens_at", Direction::Descending);
        if !drafts {
            query = query.is("draft", false);
        }
        query = of_kinds(page.within(query)?, filters.kind.as_deref())?;
        let place = |row: &Stored<OfferRow>| (row.record.opens_at.to_value(), row.record.key());
        let (mut items, mut after) = (Vec::new(), query.after.take());
        loop {
            let rows = self.ports.records.list::<OfferRow>(query.clone().after(after.take())).await?;
            let full = rows.len() == query.limit as usize;
            for row in rows {
                let here = place(&row);
                if items.len() == page.limit as usize {
                    return Ok(Items { items, next_cursor: after.map(|place| encode_cursor(&place)) });
                }
                let (state, view) = self.view_with_state(row.record).await?;
                if states.as_ref().is_none_or(|states| states.contains(&state)) {
                    items.push(view);
                }
                after = Some(here);
            }
            if !full {
                return Ok(Items { items, next_cursor: None });
            }
        }
    }

    async fn view_with_state(&self, row: OfferRow) -> Outcome<(OfferState, OfferView)> {
        let ledger = self.state(row.offer_id).await?;
        let now = self.ports.clock.now();
        let state = OfferState::of(&row.offer.0, ledger.as_ref().is_some_and(|state| state.offer.frozen), now);
        Ok((state, OfferView::new(row.offer.0, row.initial_stock, ledger.as_ref(), now)))
    }
}
