//! `GET /admin/orders`: every buyer's orders, for the seller and the operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OfferId, UserId};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt};
use serde::Deserialize;

use super::Orders;
use super::projection::HoldRow;
use super::view::{OrderState, OrderView};
use crate::http::{Items, Operator, Outcome, PageParameters, Problem, QueryString};

/// Seconds in payment after which an order counts as stuck.
const STUCK_AFTER_SECONDS: u64 = 300;

/// Which orders are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    user: Option<String>,
    offer: Option<String>,
    stuck: Option<bool>,
}

/// Orders of all buyers, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/orders", tag = "admin",
    params(
        ("state" = Option<String>, Query), ("user" = Option<String>, Query), ("offer" = Option<String>, Query),
        ("stuck" = Option<bool>, Query, description = "Only those that have been in payment for more than five minutes"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<OrderView>)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<OrderView>>> {
    let mut query =
        page.within(Query::all(HoldRow::TABLE, page.limit + 1).order_by("created_at", Direction::Descending))?;
    if let Some(state) = present(filters.state.as_ref()) {
        query = query.is("state", state.parse::<OrderState>().map_err(|_| malformed("state"))?);
    }
    if let Some(user) = present(filters.user.as_ref()) {
        query = query.is("person", user.parse::<UserId>().map_err(|_| malformed("user"))?);
    }
    if let Some(offer) = present(filters.offer.as_ref()) {
        query = query.is("offer", offer.parse::<OfferId>().map_err(|_| malformed("offer"))?.number());
    }
    if filters.stuck == Some(true) {
        let before = orders.ports.clock.now() - std::time::Duration::from_secs(STUCK_AFTER_SECONDS);
        query = query.is("state", OrderState::Paying).filter("created_at", Comparison::Less(before.to_value()));
    }
    let rows = orders.ports.records.list::<HoldRow>(query).await?;
    orders.page(&page, rows).await.map(Json)
}

fn present(parameter: Option<&String>) -> Option<&str> {
    parameter.map(String::as_str).filter(|text| !text.is_empty())
}

fn malformed(parameter: &str) -> Problem {
    Problem::new(ErrorCode::MalformedRequest).detail(format!("{parameter} is not one that exists"))
}
