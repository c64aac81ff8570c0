//! `GET /admin/webhook-deliveries` and `GET /admin/webhook-deliveries/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{DeliveryId, NoticeId, WebhookId};
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt as _, Stored};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Notices;
use super::notice::NoticeKind;
use super::rows::{Delivery, DeliveryState};
use crate::http::{Items, Operator, Outcome, PageParameters, Path, Problem, QueryString, named};

/// Which deliveries are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    webhook: Option<String>,
    event: Option<String>,
}

/// A notice on its way to one system.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(super) struct DeliveryView {
    #[schema(value_type = String, example = "dlv_01h455vb4pex5vsknk084sn02q")]
    delivery_id: DeliveryId,
    #[schema(value_type = String, example = "whk_01h455vb4pex5vsknk084sn02q")]
    webhook_id: WebhookId,
    /// The header `webhook-id`, the same at each try and for each webhook.
    #[schema(value_type = String, example = "msg_01h455vb4pex5vsknk084sn02q")]
    notice_id: NoticeId,
    event: NoticeKind,
    /// What it is about.
    #[schema(example = "ord_01h455vb4pex5vsknk084sn02q")]
    subject: String,
    state: DeliveryState,
    /// Tries so far.
    tries: u32,
    /// The status of the last answer; none when nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    next_try_at: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

/// A delivery with what is sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookDeliveryWithBody {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What is sent.
    #[schema(value_type = Object)]
    body: serde_json::Value,
}

impl DeliveryView {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            delivery_id: delivery.id,
            webhook_id: delivery.webhook,
            notice_id: delivery.notice,
            event: delivery.kind,
            subject: delivery.subject.clone(),
            state: delivery.state,
            tries: delivery.tries,
            last_status: delivery.answer,
            reason: delivery.reason.clone(),
            next_try_at: (delivery.state == DeliveryState::Waiting).then_some(delivery.due_at),
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

/// Notices on their way to the seller's systems, and those that were delivered within 7 days or given up within 30; newest
/// first.
#[utoipa::path(
    get, path = "/api/v1/admin/webhook-deliveries", tag = "admin",
    params(
        ("state" = Option<String>, Query, description = "waiting, delivered or given_up"),
        ("webhook" = Option<String>, Query, description = "Only those to this one"),
        ("event" = Option<String>, Query, description = "Only those that tell this"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<DeliveryView>), (status = 400, description = "malformed_request")),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(notices): State<Arc<Notices>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<DeliveryView>>> {
    let mut query = Query::all(Delivery::TABLE, page.limit + 1).order_by("created_at", Direction::Descending);
    if let Some(state) = named::<DeliveryState>("state", filters.state.as_deref())? {
        query = query.is("state", state);
    }
    if let Some(webhook) = named::<WebhookId>("webhook", filters.webhook.as_deref())? {
        query = query.is("webhook", webhook);
    }
    if let Some(event) = named::<NoticeKind>("event", filters.event.as_deref())? {
        query = query.is("kind", event);
    }
    let rows = notices.ports.records.list::<Delivery>(page.within(query)?).await?;
    let place = |row: &Stored<Delivery>| (row.record.created_at.to_value(), row.record.key());
    Ok(Json(page.page(rows, place, |row| DeliveryView::of(&row.record))))
}

/// A notice on its way to one system, with what is sent.
#[utoipa::path(
    get, path = "/api/v1/admin/webhook-deliveries/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = WebhookDeliveryWithBody), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(notices): State<Arc<Notices>>,
    _: Operator,
    Path(id): Path<String>,
) -> Outcome<Json<WebhookDeliveryWithBody>> {
    let delivery = notices.delivery(&id).await?.record;
    let body = serde_json::from_str(&delivery.body).unwrap_or_default();
    Ok(Json(WebhookDeliveryWithBody { delivery: DeliveryView::of(&delivery), body }))
}

impl Notices {
    /// The delivery of this id, if it is there.
    pub(super) async fn delivery(&self, id: &str) -> Outcome<Stored<Delivery>> {
        let id: DeliveryId = id.parse().map_err(|_| Problem::not_found())?;
        self.ports.records.load::<Delivery>(id).await?.ok_or_else(Problem::not_found)
    }
}
