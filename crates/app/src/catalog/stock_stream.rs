//! `GET /offers/{id}/stock/stream`: the units of an offer as they change, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use firstcome_core::ids::OfferId;
use firstcome_core::ports::LedgerState;
use firstcome_core::time::Time;
use futures_util::Stream;
use serde::Serialize;

use super::Catalog;
use crate::http::{Outcome, Path, Problem};

/// At most five events a second; what happened in between is in the next one.
const TICK: Duration = Duration::from_millis(200);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Serialize)]
struct StockEvent {
    stock: u64,
    available: u64,
    held: u64,
    sold: u64,
    seq: u64,
    at: Time,
}

/// The units at once, and again whenever they change. The events are named `stock`.
#[utoipa::path(
    get, path = "/api/v1/offers/{id}/stock/stream", tag = "catalog", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Server-sent events `stock`", content_type = "text/event-stream"),
        (status = 404, description = "not_found"),
    ),
)]
pub(super) async fn get(
    State(catalog): State<Arc<Catalog>>,
    Path(id): Path<String>,
) -> Outcome<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let stored = catalog.offer(id.parse().map_err(|_| Problem::not_found())?).await?;
    if stored.record.draft {
        return Err(Problem::not_found());
    }
    let events = watch(catalog, stored.record.offer_id, TICK, "stock", |state, now| {
        let units = state.offer.stock;
        let event = StockEvent {
            stock: units.stock,
            available: units.available(),
            held: units.held,
            sold: units.sold,
            seq: state.offer.seq,
            at: now,
        };
        (state.offer.seq, serde_json::to_value(event).unwrap_or_default())
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Shows an offer's ledger now and whenever the first half of what `show` makes of it changes.
pub(super) fn watch<K: PartialEq + Send>(
    catalog: Arc<Catalog>,
    offer: OfferId,
    tick: Duration,
    name: &'static str,
    mut show: impl FnMut(&LedgerState, Time) -> (K, serde_json::Value) + Send,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let mut shown = None;
    let ticks = tokio_stream::wrappers::IntervalStream::new(tokio::time::interval(tick));
    let states = futures_util::StreamExt::then(ticks, move |_| {
        let catalog = catalog.clone();
        async move { (catalog.state(offer).await.ok().flatten(), catalog.ports.clock.now()) }
    });
    futures_util::StreamExt::filter_map(states, move |(state, now)| {
        let event = state.and_then(|state| {
            let (key, data) = show(&state, now);
            let changed = shown.as_ref() != Some(&key);
            shown = Some(key);
            changed.then(|| Ok(Event::default().event(name).data(data.to_string())))
        });
        std::future::ready(event)
    })
}
