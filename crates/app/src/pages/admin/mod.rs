//! The seller's part of the shop.

mod audit;
mod cluster;
mod create;
mod live;
mod offers;
mod orders;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{Shop, streams};

/// Everything under `/admin`.
pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/", get(offers::list))
        .route("/offers/new", get(create::show).post(create::submit))
        .route("/offers/{id}", get(live::show))
        .route("/offers/{id}/stream", get(streams::live))
        .route("/offers/{id}/adjust", post(live::adjust))
        .route("/offers/{id}/{action}", post(live::act))
        .route("/orders", get(orders::list))
        .route("/audit", get(audit::show))
        .route("/cluster", get(cluster::show))
}
