//! `POST /admin/webhook-deliveries/{id}/resend`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::Committed;
use firstcome_core::records::Unit;

use super::Notices;
use super::deliveries::DeliveryView;
use super::rows::{DeliveryState, WebhookState};
use super::test_notice::paused;
use crate::http::{NoBody, Operator, Outcome, Path, Problem};

/// How often it is tried while the delivery changes.
const TRIES: u32 = 16;

/// Sends a notice again, at once, with all of its tries before it: one that was given up, one that waits, or one that was
/// delivered and got lost there. Its receiver knows it by the same id.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-deliveries/{id}/resend", tag = "admin", params(("id" = String, Path)),
    responses(
        (status = 202, body = DeliveryView),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: the webhook is paused"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(notices): State<Arc<Notices>>,
    _: Operator,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<(StatusCode, Json<DeliveryView>)> {
    for _ in 0..TRIES {
        let mut delivery = notices.delivery(&id).await?;
        let webhook = notices.webhook(&delivery.record.webhook.to_string()).await?.record;
        if webhook.state != WebhookState::Active {
            return Err(paused());
        }
        delivery.record.state = DeliveryState::Waiting;
        delivery.record.due_at = notices.ports.clock.now();
        delivery.record.resent_at = Some(delivery.record.due_at);
        delivery.record.tries = 0;
        delivery.record.ended_at = None;
        if notices.ports.records.commit(Unit::new().update(&delivery)).await? == Committed::Done {
            notices.deliveries.wake();
            return Ok((StatusCode::ACCEPTED, Json(DeliveryView::of(&delivery.record))));
        }
    }
    Err(Problem::new(ErrorCode::Overloaded))
}
