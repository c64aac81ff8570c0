//! Running an offer: open, close, freeze, unfreeze, adjust.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, OfferId};
use firstcome_core::ledger::{Command, MAX_STOCK, Outcome as LedgerOutcome};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Catalog;
use super::adjustments::AdjustmentRow;
use super::view::OfferView;
use crate::http::{Body, IdempotencyKey, NoBody, Outcome, Path, Problem, Seller, one_line};

/// A change of stock.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdjustStock)]
pub(super) struct Adjustment {
    /// Units to add, or to take away when negative.
    #[garde(custom(a_change))]
    #[schema(example = 50)]
    delta: i64,
    /// Why, for the books.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "fifty more came")]
    reason: String,
}

fn a_change(delta: &i64, (): &()) -> garde::Result {
    match delta.unsigned_abs() {
        0 => Err(garde::Error::new("must not be 0")),
        1..=MAX_STOCK => Ok(()),
        _ => Err(garde::Error::new(format!("out of range: an offer has at most {MAX_STOCK} units"))),
    }
}

/// Opens the offer now, also one that has ended or is a draft; not when the day that its tickets are for is over.
#[utoipa::path(
    post, path = "/api/v1/admin/offers/{id}/open", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = OfferView), (status = 409, description = "wrong_state: its day is over")),
    security(("bearer" = [])),
)]
pub(super) async fn open(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<Json<OfferView>> {
    let mut stored = catalog.offer(parse(&id)?).await?;
    let now = catalog.ports.clock.now();
    let info = &mut stored.record.offer.0;
    let open = !info.draft && info.opens_at <= now && info.closes_at.is_none_or(|closes_at| closes_at > now);
    if open {
        return catalog.view(stored.record).await.map(Json);
    }
    if catalog.is_to_come(&info.product, info.time_zone.as_deref()).is_err() {
        return Err(Problem::new(ErrorCode::WrongState).detail("The day that it is for is over"));
    }
    info.draft = false;
    info.opens_at = info.opens_at.min(now);
    info.closes_at = info.closes_at.filter(|closes_at| *closes_at > now);
    super::visit::closes_with_it(info, &catalog.ports.time_zone)?;
    let row = catalog.save_offer(stored).await?;
    catalog.view(row).await.map(Json)
}

/// Closes the offer now. Holds that were made live on until they are paid or expire.
#[utoipa::path(
    post, path = "/api/v1/admin/offers/{id}/close", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = OfferView), (status = 409, description = "wrong_state: a draft")),
    security(("bearer" = [])),
)]
pub(super) async fn close(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<Json<OfferView>> {
    let mut stored = catalog.offer(parse(&id)?).await?;
    let now = catalog.ports.clock.now();
    let info = &mut stored.record.offer.0;
    if info.draft {
        return Err(Problem::new(ErrorCode::WrongState).detail("A draft is not open"));
    }
    if info.closes_at.is_some_and(|closes_at| closes_at <= now) {
        return catalog.view(stored.record).await.map(Json);
    }
    info.closes_at = Some(now);
    // An offer that has not opened yet closes with an empty window.
    info.opens_at = info.opens_at.min(now - Duration::from_micros(1));
    let row = catalog.save_offer(stored).await?;
    catalog.view(row).await.map(Json)
}

/// Stops granting until it is unfrozen. Holds and payments go on.
#[utoipa::path(
    post, path = "/api/v1/admin/offers/{id}/freeze", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = OfferView)), security(("bearer" = [])),
)]
pub(super) async fn freeze(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<Json<OfferView>> {
    catalog.set_frozen(parse(&id)?, Command::Freeze).await.map(Json)
}

/// Grants again.
#[utoipa::path(
    post, path = "/api/v1/admin/offers/{id}/unfreeze", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = OfferView)), security(("bearer" = [])),
)]
pub(super) async fn unfreeze(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<Json<OfferView>> {
    catalog.set_frozen(parse(&id)?, Command::Unfreeze).await.map(Json)
}

/// Changes the stock. The same key changes it once. Who did it, when and why is kept, and shown by
/// `GET /admin/offers/{id}`.
#[utoipa::path(
    post, path = "/api/v1/admin/offers/{id}/adjust", tag = "admin", request_body = Adjustment,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = OfferView),
        (status = 409, description = "would_go_negative, or wrong_state for a draft"),
        (status = 422, description = "invalid_body, or idempotency_key_reused"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn adjust(
    State(catalog): State<Arc<Catalog>>,
    Seller(seller): Seller,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Adjustment>,
) -> Outcome<Json<OfferView>> {
    let stored = catalog.offer(parse(&id)?).await?;
    let number = stored.record.number;
    let Adjustment { delta, reason } = body.value;
    let (id, offer) = (EventId::derived(&[b"adjust", &seller.user.0, key.as_bytes()]), stored.record.offer_id);
    let (digest, at) = ([&offer.0[..], &body.digest.to_be_bytes()].concat(), catalog.ports.clock.now());
    let row = AdjustmentRow { id, digest, offer, by: seller.user, at, delta, reason };
    catalog.intend(&row).await?;
    match catalog.ports.ledger.decide(number, Command::Adjust { id, delta }).await? {
        LedgerOutcome::Done { seq } => {
            tracing::info!(%offer, by = %seller.user, delta, seq, reason = row.reason, "stock adjusted");
            catalog.view(stored.record).await.map(Json)
        }
        LedgerOutcome::WouldGoNegative { .. } if delta > 0 => {
            let why = format!("out of range: the offer would have more than {MAX_STOCK} units");
            Err(Problem::field("delta", &why))
        }
        LedgerOutcome::WouldGoNegative { available } => {
            Err(Problem::new(ErrorCode::WouldGoNegative).with("available", available))
        }
        _ => Err(draft()),
    }
}

fn parse(id: &str) -> Outcome<OfferId> {
    id.parse().map_err(|_| Problem::not_found())
}

fn draft() -> Problem {
    Problem::new(ErrorCode::WrongState).detail("A draft has no units yet; open it first")
}

impl Catalog {
    async fn set_frozen(&self, offer: OfferId, command: Command) -> Outcome<OfferView> {
        let stored = self.offer(offer).await?;
        match self.ports.ledger.decide(offer.number(), command).await? {
            LedgerOutcome::Done { .. } => self.view(stored.record).await,
            _ => Err(draft()),
        }
    }
}
