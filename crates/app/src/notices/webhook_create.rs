//! `POST /admin/webhooks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::WebhookId;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::{self, Comparison, Field as _, Query, Record as _, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::feed::MOST_WEBHOOKS;
use super::notice::NoticeKind;
use super::rows::{Webhook, WebhookState};
use super::secret::{self, Secrets};
use super::webhooks::{WebhookView, WebhookWithSecret};
use super::{Notices, address};
use crate::actions::about;
use crate::http::{Body, Outcome, Problem, Seller, one_line};

/// A system that is to be told what happens.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// Where it listens: https, and an address of the public Internet; in development any.
    #[garde(skip)]
    #[schema(max_length = 2048, example = "https://erp.example.com/firstcome")]
    url: String,
    /// For people.
    #[serde(default)]
    #[garde(length(chars, max = 200), custom(one_line))]
    #[schema(example = "the warehouse")]
    description: String,
    /// What it is told; everything if left out or empty.
    #[serde(default)]
    #[garde(custom(known_events))]
    events: Vec<NoticeKind>,
}

/// Refuses what nobody can ask for, and what is asked for twice.
pub(super) fn known_events(events: &[NoticeKind], (): &()) -> garde::Result {
    if events.contains(&NoticeKind::Test) {
        return Err(garde::Error::new("webhook.test comes when it is asked for; it cannot be chosen"));
    }
    let twice = events.iter().enumerate().any(|(place, event)| events[..place].contains(event));
    if twice { Err(garde::Error::new("each event can stand here once")) } else { Ok(()) }
}

/// Has a system told what happens from now on. The answer shows its secret, this once.
#[utoipa::path(
    post, path = "/api/v1/admin/webhooks", tag = "admin", request_body = NewWebhook,
    responses(
        (status = 201, body = WebhookWithSecret),
        (status = 409, description = "wrong_state: there are as many as there may be"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(notices): State<Arc<Notices>>,
    _: Seller,
    Body { value, .. }: Body<NewWebhook>,
) -> Outcome<(StatusCode, Json<WebhookWithSecret>)> {
    notices.check_url(&value.url)?;
    let ports = &notices.ports;
    let there = [WebhookState::Active, WebhookState::Paused].map(|state| state.to_value()).to_vec();
    let query = Query::all(Webhook::TABLE, MOST_WEBHOOKS).filter("state", Comparison::IsOneOf(there));
    if ports.records.select(query).await?.len() >= MOST_WEBHOOKS as usize {
        let detail = format!("There are {MOST_WEBHOOKS} webhooks; remove one first");
        return Err(Problem::new(ErrorCode::WrongState).detail(detail).with("limit", MOST_WEBHOOKS));
    }
    let (now, secret) = (ports.clock.now(), secret::new(&*ports.random));
    let mut webhook = Webhook {
        id: WebhookId::at(now, random_bytes(&*ports.random)),
        url: value.url,
        description: value.description,
        kinds: records::Json(value.events),
        state: WebhookState::Active,
        reason: None,
        sealed_with: 0,
        secrets: Vec::new(),
        previous_until: None,
        created_at: now,
        removed_at: None,
        resumed_at: None,
    };
    Secrets::of(&secret).seal(&mut webhook, &ports.keys.sealer());
    about(webhook.id);
    if ports.records.commit(Unit::new().insert(&webhook)).await? != Committed::Done {
        return Err(Problem::new(ErrorCode::Overloaded));
    }
    Ok((StatusCode::CREATED, Json(WebhookView::of(webhook, now).with_secret(&secret))))
}

impl Notices {
    /// Refuses a URL that notices are not sent to.
    pub(super) fn check_url(&self, url: &str) -> Outcome<()> {
        address::parse(url, self.options.development).map(drop).map_err(|why| Problem::field("url", why))
    }
}
