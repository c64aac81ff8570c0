//! `GET /orders`: own orders, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ledger::Hold;
use firstcome_core::ports::{ListedOrder, OrderQuery, PortError};
use firstcome_core::records::Value;

use super::Orders;
use super::books::AfterSale;
use super::shipping::ShippingView;
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
    let query = OrderQuery { person: Some(buyer.user), ..OrderQuery::default() };
    let view = |hold: &Hold, after: Option<&AfterSale>| OrderView {
        shipping: ShippingView::of(hold, after),
        ..orders.view(hold)
    };
    orders.page(&page, query, view).await.map(Json)
}

/// The place of an order in a cursor.
fn place(order: &ListedOrder) -> (Value, Value) {
    (Value::Integer(order.place), Value::Integer(order.place))
}

impl Orders {
    /// A page of orders in their states of now: rows are written behind, the ledger knows better what is still open.
    pub(super) async fn page<T>(
        &self,
        page: &PageParameters,
        query: OrderQuery,
        view: impl Fn(&Hold, Option<&AfterSale>) -> T,
    ) -> Outcome<Items<T>> {
        let after = page.place()?;
        let query = OrderQuery { after, limit: page.limit as usize + 1, ..query };
        let mut listed = if query.person.is_some() {
            self.ports.archive.list(&query)?
        } else {
            // Without a person it may look at many rows: not on a thread that others wait for.
            let archive = self.ports.archive.clone();
            let read = tokio::task::spawn_blocking(move || archive.list(&query)).await;
            read.map_err(|error| PortError::Unavailable(error.to_string()))??
        };
        // The first is asked for as it is now; from then on what this process has read is as new as that.
        let mut current = false;
        for order in listed.iter_mut().filter(|order| order.hold.state.is_open()) {
            let ledger = &self.ports.ledger;
            let asked = order.hold.order;
            let hold = if current { ledger.known(asked).await? } else { ledger.find(asked).await? };
            current = true;
            order.hold = hold.unwrap_or_else(|| order.hold.clone());
        }
        let parcels = self.parcels(listed.iter().map(|order| &order.hold)).await?;
        Ok(page.page(listed, place, |order| view(&order.hold, parcels.get(&order.hold.order))))
    }
}
