//! `GET /orders`: own orders, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt, Stored};

use super::Orders;
use super::projection::HoldRow;
use super::view::OrderView;
use crate::http::{Buyer, Items, Outcome, PageParameters};

/// Own orders, newest first. An order placed in this moment may take a blink to be listed; by its id it is there at once.
#[utoipa::path(
    get, path = "/api/v1/orders", tag = "orders",
    params(("limit" = Option<u32>, Query, description = "1 to 100, 20 if left out"), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Items<OrderView>)),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    page: PageParameters,
) -> Outcome<Json<Items<OrderView>>> {
    let query = page.within(
        Query::all(HoldRow::TABLE, page.limit + 1)
            .is("person", buyer.user)
            .order_by("created_at", Direction::Descending),
    )?;
    let rows = orders.ports.records.list::<HoldRow>(query).await?;
    orders.page(&page, rows).await.map(Json)
}

impl Orders {
    /// A page of orders in their states of now: rows are written behind, the ledger knows better what is still open.
    pub(super) async fn page(&self, page: &PageParameters, rows: Vec<Stored<HoldRow>>) -> Outcome<Items<OrderView>> {
        let mut current = Vec::with_capacity(rows.len());
        for row in rows {
            let place = (row.record.created_at.to_value(), row.record.key());
            let stored = row.record.hold()?;
            let open = stored.state.is_open();
            let hold = if open { self.ports.ledger.find(stored.order).await?.unwrap_or(stored) } else { stored };
            current.push((place, hold));
        }
        Ok(page.page(current, |(place, _)| place.clone(), |(_, hold)| self.view(&hold)))
    }
}
