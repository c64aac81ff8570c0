//! `GET /admin/orders`: every buyer's orders, for the seller and the operator.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{AddressId, OfferId, UserId};
use firstcome_core::ledger::Hold;
use firstcome_core::order::OrderState;
use firstcome_core::ports::OrderQuery;
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Orders;
use super::addresses::{ShipTo, address_of};
use super::books::AfterSale;
use super::shipping::ShippingView;
use super::view::OrderView;
use crate::http::{Items, Operator, Outcome, PageParameters, QueryString, named};

/// Seconds in payment after which an order counts as stuck.
const STUCK_AFTER_SECONDS: u64 = 300;

/// Which orders are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    user: Option<String>,
    offer: Option<String>,
    stuck: Option<bool>,
    from: Option<String>,
    to: Option<String>,
}

/// An order as the seller sees it: with who placed it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SoldOrder {
    /// The buyer.
    #[schema(value_type = String, example = "usr_01h455vb4pex5vsknk084sn02q")]
    user_id: UserId,
    #[serde(flatten)]
    order: OrderView,
    /// Where its goods go, when the order says so itself, null when that cannot be read; else to the address that the
    /// buyer's account had, which `GET /admin/orders/{id}/address` leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ShipTo>)]
    ship_to: Option<Option<ShipTo>>,
}

/// Orders of all buyers, newest first; every filter must hold. `POST /admin/users/find` gives the user of an e-mail address.
#[utoipa::path(
    get, path = "/api/v1/admin/orders", tag = "admin",
    params(
        ("state" = Option<String>, Query), ("user" = Option<String>, Query), ("offer" = Option<String>, Query),
        ("stuck" = Option<bool>, Query, description = "Only those that have been in payment for more than five minutes"),
        ("from" = Option<String>, Query, description = "Placed at this time or later (RFC 3339)"),
        ("to" = Option<String>, Query, description = "Placed before this time"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<SoldOrder>), (status = 400, description = "malformed_request")),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<SoldOrder>>> {
    let Some(query) = filters.query(orders.ports.clock.now())? else {
        return Ok(Json(Items { items: Vec::new(), next_cursor: None }));
    };
    let view = |hold: &Hold, after: Option<&AfterSale>| (hold.clone(), ShippingView::of(hold, after));
    let Items { items, next_cursor } = orders.page(&page, query, view).await?;
    let mut addresses = orders.addresses(items.iter().map(|(hold, _)| hold)).await?;
    let sold = items.into_iter().map(|(hold, shipping)| orders.sold(&hold, shipping, &mut addresses));
    Ok(Json(Items { items: sold.collect(), next_cursor }))
}

impl Filters {
    /// What they select; none when that can be nothing.
    fn query(&self, now: Time) -> Outcome<Option<OrderQuery>> {
        let mut query = OrderQuery {
            state: named("state", self.state.as_deref())?,
            person: named("user", self.user.as_deref())?,
            offer: named::<OfferId>("offer", self.offer.as_deref())?.map(OfferId::number),
            granted_from: named("from", self.from.as_deref())?,
            granted_before: named("to", self.to.as_deref())?,
            ..OrderQuery::default()
        };
        if self.stuck == Some(true) {
            if query.state.is_some_and(|state| state != OrderState::Paying) {
                return Ok(None);
            }
            let stuck = now - Duration::from_secs(STUCK_AFTER_SECONDS);
            query.state = Some(OrderState::Paying);
            query.granted_before = Some(query.granted_before.map_or(stuck, |to| to.min(stuck)));
        }
        Ok(Some(query))
    }
}

impl Orders {
    /// An order as the seller sees it. No two orders have the same own address.
    fn sold(
        &self,
        hold: &Hold,
        shipping: Option<ShippingView>,
        addresses: &mut HashMap<AddressId, Option<ShipTo>>,
    ) -> SoldOrder {
        let order = OrderView { shipping, ..self.view(hold) };
        let ship_to = address_of(hold).and_then(|address| addresses.remove(&address));
        SoldOrder { user_id: hold.person, order, ship_to }
    }

    /// An order as the seller sees it, with what has just become of it.
    pub(super) async fn sold_order(&self, hold: &Hold, after: &AfterSale) -> Outcome<SoldOrder> {
        let mut addresses = self.addresses(std::iter::once(hold)).await?;
        Ok(self.sold(hold, ShippingView::of(hold, Some(after)), &mut addresses))
    }
}
