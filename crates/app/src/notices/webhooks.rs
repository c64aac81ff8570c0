//! `GET /admin/webhooks` and `GET /admin/webhooks/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::WebhookId;
use firstcome_core::ports::Committed;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::Notices;
use super::notice::NoticeKind;
use super::rows::{Webhook, WebhookState};
use crate::http::{Items, Outcome, PageParameters, Path, Problem, Seller};

/// How often a change is tried while others are faster.
const TRIES: u32 = 16;

/// A system of the seller's that is told what happens.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    #[schema(value_type = String, example = "whk_01h455vb4pex5vsknk084sn02q")]
    webhook_id: WebhookId,
    #[schema(example = "https://erp.example.com/firstcome")]
    url: String,
    #[schema(example = "the warehouse")]
    description: String,
    /// What it is told; everything when it is empty.
    events: Vec<NoticeKind>,
    /// While it is, it is told nothing, and what waits goes on waiting.
    paused: bool,
    /// Why it was paused, unless a person did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Until when notices are signed with the secret before as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookView,
    /// Notices are signed with it. Keep it where your system finds it; it is not shown again.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
}

impl WebhookView {
    /// A webhook as it is now.
    pub(super) fn of(webhook: Webhook, now: Time) -> Self {
        Self {
            webhook_id: webhook.id,
            url: webhook.url,
            description: webhook.description,
            events: webhook.kinds.0,
            paused: webhook.state == WebhookState::Paused,
            reason: webhook.reason,
            previous_secret_until: webhook.previous_until.filter(|until| now < *until),
            created_at: webhook.created_at,
        }
    }

    /// The same with its secret.
    pub(super) fn with_secret(self, secret: &SecretString) -> WebhookWithSecret {
        WebhookWithSecret { webhook: self, secret: secret.expose_secret().to_owned() }
    }
}

/// The systems that are told what happens, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/webhooks", tag = "admin",
    params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Items<WebhookView>)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    page: PageParameters,
) -> Outcome<Json<Items<WebhookView>>> {
    let there = [WebhookState::Active, WebhookState::Paused].map(|state| state.to_value()).to_vec();
    let query = Query::all(Webhook::TABLE, page.limit + 1)
        .filter("state", Comparison::IsOneOf(there))
        .order_by("created_at", Direction::Descending);
    let rows = notices.ports.records.list::<Webhook>(page.within(query)?).await?;
    let place = |row: &Stored<Webhook>| (row.record.created_at.to_value(), row.record.key());
    let now = notices.ports.clock.now();
    Ok(Json(page.page(rows, place, |row| WebhookView::of(row.record, now))))
}

/// A system that is told what happens.
#[utoipa::path(
    get, path = "/api/v1/admin/webhooks/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = WebhookView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    Path(id): Path<String>,
) -> Outcome<Json<WebhookView>> {
    let webhook = notices.webhook(&id).await?.record;
    Ok(Json(WebhookView::of(webhook, notices.ports.clock.now())))
}

impl Notices {
    /// The webhook of this id, if it is there.
    pub(super) async fn webhook(&self, id: &str) -> Outcome<Stored<Webhook>> {
        let id: WebhookId = id.parse().map_err(|_| Problem::not_found())?;
        let found = self.ports.records.load::<Webhook>(id).await?;
        found.filter(|found| found.record.state != WebhookState::Removed).ok_or_else(Problem::not_found)
    }

    /// Changes a webhook, whoever else does at the same moment, and returns it as it is then.
    pub(super) async fn change(&self, id: &str, change: impl Fn(&mut Webhook) -> Outcome<()>) -> Outcome<Webhook> {
        for _ in 0..TRIES {
            let mut webhook = self.webhook(id).await?;
            change(&mut webhook.record)?;
            if self.ports.records.commit(Unit::new().update(&webhook)).await? == Committed::Done {
                self.deliveries.wake();
                return Ok(webhook.record);
            }
        }
        Err(Problem::new(ErrorCode::Overloaded))
    }
}
