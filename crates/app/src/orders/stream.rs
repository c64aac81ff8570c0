//! `GET /orders/{id}/stream`: the states of an order as they come, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;

use super::Orders;
use crate::http::{Buyer, Outcome, Path};
use firstcome_core::order::OrderState;

/// How often the ledger is asked.
const TICK: Duration = Duration::from_millis(250);

/// The order at once, and again whenever its state changes. The events are named `order`.
///
/// Ends when the access token expires or is logged out: connect again with a newer one.
#[utoipa::path(
    get, path = "/api/v1/orders/{id}/stream", tag = "orders",
    params(("id" = String, Path, description = "The order's id")),
    responses((status = 200, description = "Server-sent events `order`", content_type = "text/event-stream")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    Path(id): Path<String>,
) -> Outcome<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let first = orders.own(buyer, &id).await?;
    let order = first.order;
    let begin = (orders, tokio::time::interval(TICK), None::<(OrderState, u64)>);
    let events = futures_util::stream::unfold(begin, move |(orders, mut interval, mut shown)| async move {
        loop {
            interval.tick().await;
            let Ok(Some(hold)) = orders.ports.ledger.find(order).await else { continue };
            let now = (OrderState::of(&hold), hold.seq);
            if shown == Some(now) {
                continue;
            }
            let Ok(view) = orders.view_now(&hold).await else { continue };
            shown = Some(now);
            let event = Event::default().event("order").json_data(view).ok()?;
            return Some((Ok(event), (orders, interval, shown)));
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
