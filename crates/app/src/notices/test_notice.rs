//! `POST /admin/webhooks/{id}/test`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::Unit;

use super::Notices;
use super::deliveries::DeliveryView;
use super::notice::Notice;
use super::rows::{Delivery, WebhookState};
use crate::http::{NoBody, Outcome, Path, Problem, Seller};

/// Sends a system a notice that tells nothing, `webhook.test`, to see whether it arrives. What came of it stands at its
/// delivery.
#[utoipa::path(
    post, path = "/api/v1/admin/webhooks/{id}/test", tag = "admin", params(("id" = String, Path)),
    responses(
        (status = 202, body = DeliveryView),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: the webhook is paused"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<(StatusCode, Json<DeliveryView>)> {
    let ports = &notices.ports;
    let webhook = notices.webhook(&id).await?.record;
    if webhook.state != WebhookState::Active {
        return Err(paused());
    }
    let now = ports.clock.now();
    let notice = Notice::test(webhook.id, random_bytes(&*ports.random), now);
    let delivery = Delivery::new(webhook.id, &notice, now);
    if ports.records.commit(Unit::new().insert(&delivery)).await? != Committed::Done {
        return Err(Problem::new(ErrorCode::Overloaded));
    }
    notices.deliveries.wake();
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::of(&delivery))))
}

/// Nothing is sent to a paused webhook.
pub(super) fn paused() -> Problem {
    Problem::new(ErrorCode::WrongState).detail("The webhook is paused; let it go on first")
}
