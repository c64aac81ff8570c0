//! `GET /orders/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{OfferId, OrderId};
use firstcome_core::ledger::Hold;

use super::Orders;
use super::shipping::ShippingView;
use super::view::OrderView;
use crate::http::{Buyer, Identity, Outcome, Path, Problem};

/// An own order in its state of now.
#[utoipa::path(
    get, path = "/api/v1/orders/{id}", tag = "orders",
    params(("id" = String, Path, description = "The order's id")),
    responses((status = 200, body = OrderView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    Path(id): Path<String>,
) -> Outcome<Json<OrderView>> {
    let hold = orders.own(buyer, &id).await?;
    orders.view_now(&hold).await.map(Json)
}

impl Orders {
    /// An order of this buyer; what is another's is not there.
    pub(super) async fn own(&self, buyer: Identity, id: &str) -> Outcome<Hold> {
        let order: OrderId = id.parse().map_err(|_| Problem::not_found())?;
        let hold = self.ports.ledger.find(order).await?;
        hold.filter(|hold| hold.person == buyer.user && !hold.is_aborted()).ok_or_else(Problem::not_found)
    }

    /// The order as people see it, with where its goods are now.
    pub(super) async fn view_now(&self, hold: &Hold) -> Outcome<OrderView> {
        let parcels = self.parcels(std::iter::once(hold)).await?;
        Ok(OrderView { shipping: ShippingView::of(hold, parcels.get(&hold.order)), ..self.view(hold) })
    }

    /// The order as people see it, by what the ledger knows.
    pub(super) fn view(&self, hold: &Hold) -> OrderView {
        let number = hold.order.home();
        let offer = self.facts.read(number, |facts| facts.offer).unwrap_or(OfferId::NIL);
        OrderView::of(hold, offer, |line| self.facts.is_untaxed(line))
    }
}
