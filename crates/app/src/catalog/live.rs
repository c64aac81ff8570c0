//! `GET /admin/offers/{id}/live` and its stream: a running sale, watched.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use firstcome_core::ids::OfferId;
use firstcome_core::ports::{LedgerState, RefusedCounts};
use firstcome_core::time::Time;
use futures_util::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::Catalog;
use super::stock_stream::watch;
use crate::http::{Operator, Outcome, Path, Problem};

const TICK: Duration = Duration::from_millis(500);
/// How long the rate of a single look is measured.
const LOOK: Duration = Duration::from_millis(200);

/// A running sale.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Live)]
pub(super) struct LiveView {
    #[schema(value_type = String)]
    offer_id: OfferId,
    stock: u64,
    available: u64,
    /// Units set aside, those in payment among them.
    held: u64,
    paying: u64,
    sold: u64,
    /// Units that came back from holds, since the beginning.
    released: u64,
    /// Refusals since the process started, by reason.
    #[schema(value_type = Object)]
    refused: RefusedCounts,
    /// Units granted a second, at the moment.
    per_second: u64,
    seq: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl LiveView {
    fn new(state: &LedgerState, before: Option<(u64, Time)>, now: Time) -> Self {
        let units = state.offer.stock;
        let rate = before.map_or(0, |(granted, then)| {
            let micros = u64::try_from(now.since(then).as_micros()).unwrap_or(u64::MAX).max(1);
            state.live.granted.saturating_sub(granted).saturating_mul(1_000_000) / micros
        });
        Self {
            offer_id: state.offer.terms.offer,
            stock: units.stock,
            available: units.available(),
            held: units.held,
            paying: units.paying,
            sold: units.sold,
            released: units.released,
            refused: state.live.refused,
            per_second: rate,
            seq: state.offer.seq,
            at: now,
        }
    }
}

/// The counters of a running sale.
#[utoipa::path(
    get, path = "/api/v1/admin/offers/{id}/live", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = LiveView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(catalog): State<Arc<Catalog>>,
    _: Operator,
    Path(id): Path<String>,
) -> Outcome<Json<LiveView>> {
    let offer: OfferId = id.parse().map_err(|_| Problem::not_found())?;
    catalog.offer(offer).await?;
    let first = catalog.state(offer).await?.filter(|state| state.offer.terms.offer == offer);
    let first = first.ok_or_else(Problem::not_found)?;
    let then = catalog.ports.clock.now();
    tokio::time::sleep(LOOK).await;
    let state = catalog.state(offer).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(LiveView::new(&state, Some((first.live.granted, then)), catalog.ports.clock.now())))
}

/// The counters at once and whenever they change, at most twice a second. The events are named `live`.
///
/// Ends when the access token expires or is logged out: connect again with a newer one.
#[utoipa::path(
    get, path = "/api/v1/admin/offers/{id}/live/stream", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, description = "Server-sent events `live`", content_type = "text/event-stream")),
    security(("bearer" = [])),
)]
pub(super) async fn stream(
    State(catalog): State<Arc<Catalog>>,
    _: Operator,
    Path(id): Path<String>,
) -> Outcome<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let offer: OfferId = id.parse().map_err(|_| Problem::not_found())?;
    catalog.offer(offer).await?;
    let mut before = None;
    let events = watch(catalog, offer, TICK, "live", move |state, now| {
        let view = LiveView::new(state, before, now);
        before = Some((state.live.granted, now));
        let key = (view.seq, view.per_second, state.live.refused);
        (key, serde_json::to_value(view).unwrap_or_default())
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
