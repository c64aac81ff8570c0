//! `DELETE /admin/webhooks/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Notices;
use super::rows::WebhookState;
use super::secret::Secrets;
use crate::http::{Outcome, Path, Seller};

/// Tells a system nothing more. What waits for it is not sent any more; its secret is gone at once, and its deliveries go
/// in the background.
#[utoipa::path(
    delete, path = "/api/v1/admin/webhooks/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 204, description = "Removed"), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn delete(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    Path(id): Path<String>,
) -> Outcome<StatusCode> {
    let (sealer, now) = (notices.ports.keys.sealer(), notices.ports.clock.now());
    notices
        .change(&id, |webhook| {
            webhook.state = WebhookState::Removed;
            webhook.removed_at = Some(now);
            Secrets::none().seal(webhook, &sealer);
            Ok(())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
