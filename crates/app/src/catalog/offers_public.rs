//! `GET /offers`, `GET /offers/{id}` and `GET /time`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, Stored};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Catalog;
use super::products_public::of_kinds;
use super::sort::{self, Sort};
use super::store::OfferRow;
use super::view::{OfferState, OfferView};
use crate::http::{Items, Outcome, PageParameters, Path, Problem, QueryString, encode_cursor};

/// Rows read at a time when a state is asked for.
const SCAN: u32 = 200;
/// How often rows are read for one page.
const MOST_SCANS: u32 = 10;

/// Which offers are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    kind: Option<String>,
    q: Option<String>,
    sort: Option<String>,
    category: Option<String>,
}

/// Offers with their units of now; those that open last come first, unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/offers", tag = "catalog",
    params(
        ("state" = Option<String>, Query, description = "upcoming, open, ended, frozen; several separated by commas"),
        ("kind" = Option<String>, Query, description = "goods, ticket, gift_card, coupon; several separated by commas"),
        ("q" = Option<String>, Query, description = "Words, all of which are in the name, sku, description or the name of a category; Korean with or without blanks"),
        ("category" = Option<String>, Query, description = "The id of a category; what is in one of those in it is in it too"),
        ("sort" = Option<String>, Query, description = "-opens_at, opens_at, newest, name, -name, price, -price"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = Items<OfferView>, description = "With `state` it may be short, or empty, and have a `next_cursor`: much was looked through"),
        (status = 400, description = "malformed_request"),
        (status = 503, description = "overloaded: others search at the moment"),
    ),
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

/// Leaves out most of what is surely in none of these states, which saves reading it. Who is frozen the ledger knows.
fn perhaps_in(query: Query, states: &[OfferState], now: Time) -> Query {
    match states {
        [OfferState::Upcoming] => query.filter("opens_at", Comparison::Greater(now.to_value())),
        [OfferState::Open] => query.filter("opens_at", Comparison::AtMost(now.to_value())),
        [OfferState::Ended] => query.filter("closes_at", Comparison::AtMost(now.to_value())),
        _ => query,
    }
}

impl Catalog {
    /// A page of offers. States follow from the clock and the ledger, so rows are read until the page is full, or many
    /// were read: whoever wants more has a cursor then.
    pub(super) async fn offers(
        &self,
        filters: &Filters,
        page: &PageParameters,
        drafts: bool,
    ) -> Outcome<Items<OfferView>> {
        let states = filters.state.as_deref().filter(|text| !text.is_empty()).map(states).transpose()?;
        let sort = Sort::named(sort::OFFERS, filters.sort.as_deref())?;
        let query = Query::all(OfferRow::TABLE, if states.is_some() { SCAN } else { page.limit + 1 });
        let mut query = of_kinds(sort.within(query, page)?, filters.kind.as_deref())?;
        if !drafts {
            query = query.is("draft", false);
        }
        if let Some(states) = &states {
            query = perhaps_in(query, states, self.ports.clock.now());
        }
        query = self.in_category(query, filters.category.as_deref()).await?;
        query = self.with_words(query, filters.q.as_deref()).await?;
        let turn = self.turn(&query).await?;
        let mut items = Vec::new();
        let mut last = None;
        for _ in 0..MOST_SCANS {
            let mut rows = self.found::<OfferRow>(query.clone(), turn.as_ref()).await?;
            self.drop_gone(rows.iter_mut().map(|row| &mut row.record.offer.0.product)).await?;
            let full = rows.len() == query.limit as usize;
            for Stored { record: row, .. } in rows {
                if items.len() == page.limit as usize {
                    return Ok(Items { items, next_cursor: last.map(|place| encode_cursor(&place)) });
                }
                (last, query.after) = (Some(sort.place(&row)), Some(sort.after(&row)));
                let (state, view) = self.view_with_state(row).await?;
                if states.as_ref().is_none_or(|states| states.contains(&state)) {
                    items.push(view);
                }
            }
            if !full {
                return Ok(Items { items, next_cursor: None });
            }
        }
        Ok(Items { items, next_cursor: last.map(|place| encode_cursor(&place)) })
    }

    async fn view_with_state(&self, row: OfferRow) -> Outcome<(OfferState, OfferView)> {
        let ledger = self.state(row.offer_id).await?;
        let now = self.ports.clock.now();
        let state = OfferState::of(&row.offer.0, ledger.as_ref().is_some_and(|state| state.offer.frozen), now);
        Ok((state, OfferView::new(row.offer.0, row.initial_stock, ledger.as_ref(), self.ports.promises, now)))
    }
}
