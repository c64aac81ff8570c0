//! `PATCH /admin/webhooks/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::time::Time;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Notices;
use super::notice::NoticeKind;
use super::rows::{Webhook, WebhookState};
use super::webhook_create::known_events;
use super::webhooks::WebhookView;
use crate::http::{Body, Outcome, Path, Seller, one_line};

/// What is to change; what is left out stays.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookEdit {
    /// Where it listens from now on. What waits goes there too.
    #[garde(skip)]
    #[schema(max_length = 2048, example = "https://erp.example.com/firstcome")]
    url: Option<String>,
    /// For people.
    #[garde(inner(length(chars, max = 200), custom(one_line)))]
    #[schema(example = "the warehouse")]
    description: Option<String>,
    /// What it is told from now on; everything when it is empty.
    #[garde(inner(custom(all_known)))]
    events: Option<Vec<NoticeKind>>,
    /// Whether it is paused. While it is, it is told nothing, and what waits goes on waiting.
    #[garde(skip)]
    paused: Option<bool>,
}

#[expect(clippy::ptr_arg, reason = "garde calls it with the field")]
fn all_known(events: &Vec<NoticeKind>, context: &()) -> garde::Result {
    known_events(events, context)
}

/// Changes what a system is told, where it listens, or whether it is told anything.
#[utoipa::path(
    patch, path = "/api/v1/admin/webhooks/{id}", tag = "admin", request_body = WebhookEdit,
    params(("id" = String, Path)),
    responses(
        (status = 200, body = WebhookView),
        (status = 404, description = "not_found"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn patch(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    Path(id): Path<String>,
    Body { value, .. }: Body<WebhookEdit>,
) -> Outcome<Json<WebhookView>> {
    value.url.as_deref().map_or(Ok(()), |url| notices.check_url(url))?;
    let webhook = notices
        .change(&id, |webhook| {
            value.apply(webhook, notices.ports.clock.now());
            Ok(())
        })
        .await?;
    Ok(Json(WebhookView::of(webhook, notices.ports.clock.now())))
}

impl WebhookEdit {
    fn apply(&self, webhook: &mut Webhook, now: Time) {
        if let Some(url) = &self.url {
            webhook.url.clone_from(url);
        }
        if let Some(description) = &self.description {
            webhook.description.clone_from(description);
        }
        if let Some(events) = &self.events {
            webhook.kinds.0.clone_from(events);
        }
        if self.paused == Some(false) && webhook.state == WebhookState::Paused {
            webhook.resumed_at = Some(now);
        }
        if let Some(paused) = self.paused {
            webhook.state = if paused { WebhookState::Paused } else { WebhookState::Active };
            webhook.reason = None;
        }
    }
}
