//! `POST /admin/webhooks/{id}/rotate`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::ports::PortError;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Notices;
use super::secret::{self, Secrets};
use super::webhooks::{WebhookView, WebhookWithSecret};
use crate::http::{Body, Outcome, Path, Seller};

const HOUR: Duration = Duration::from_hours(1);

/// How a secret is replaced.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateSecret {
    /// Hours for which notices are signed with the secret before as well, so that the system can take the new one over;
    /// 0 for a secret that others have seen.
    #[serde(default = "a_day")]
    #[garde(range(max = 168))]
    #[schema(default = 24, maximum = 168)]
    overlap_hours: u32,
}

fn a_day() -> u32 {
    24
}

/// Gives a webhook another secret. The answer shows it, this once.
#[utoipa::path(
    post, path = "/api/v1/admin/webhooks/{id}/rotate", tag = "admin", request_body = RotateSecret,
    params(("id" = String, Path)),
    responses(
        (status = 200, body = WebhookWithSecret),
        (status = 404, description = "not_found"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    Path(id): Path<String>,
    Body { value, .. }: Body<RotateSecret>,
) -> Outcome<Json<WebhookWithSecret>> {
    let ports = &notices.ports;
    let (secret, sealer, now) = (secret::new(&*ports.random), ports.keys.sealer(), ports.clock.now());
    let webhook = notices
        .change(&id, |webhook| {
            let secrets = Secrets::open(webhook, &sealer).map_err(|error| PortError::Corrupt(error.to_string()))?;
            secrets.replaced(&secret).seal(webhook, &sealer);
            webhook.previous_until = Some(now + HOUR * value.overlap_hours);
            Ok(())
        })
        .await?;
    Ok(Json(WebhookView::of(webhook, now).with_secret(&secret)))
}
