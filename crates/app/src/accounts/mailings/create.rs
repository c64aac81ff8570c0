//! `POST /admin/mailings`: advertising to those who agreed to it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::MailingId;
use firstcome_core::ports::Committed;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{Accounts, people};
use super::list::MailingView;
use super::{Mailing, MailingState};
use crate::actions::about;
use crate::http::{Body, IdempotencyKey, Outcome, Problem, Seller, one_line};

/// Mailings that go on at once.
pub(super) const MOST: u32 = 20;

/// What is to be sent.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct NewMailing {
    /// 1 to 200 characters; `(광고)` is put before it.
    #[schema(min_length = 1, max_length = 200, example = "겨울 공연 티켓이 열립니다 · Winter tickets open soon")]
    #[garde(custom(people::text::<200>), custom(one_line))]
    subject: String,
    /// 1 to 20,000 characters; who sends it, and the way out, are put behind it.
    #[schema(min_length = 1, max_length = 20_000, example = "12월 1일 오후 2시에 시작합니다.")]
    #[garde(custom(people::text::<20_000>))]
    text: String,
    /// Whether it goes to those only who agreed to advertising at night, and then also at night.
    #[serde(default)]
    at_night: bool,
}

/// Sends advertising to everybody who agreed to it.
///
/// By day only, unless `at_night`. Nobody gets it twice; who takes their consent back before it comes to them does not get it.
#[utoipa::path(
    post, path = "/api/v1/admin/mailings", tag = "admin", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header)),
    request_body = NewMailing,
    responses(
        (status = 202, description = "It is on its way; the same request again is the same mailing", body = MailingView),
        (status = 400, description = "`idempotency_key_missing`"),
        (status = 401, description = "`unauthenticated`"), (status = 403, description = "`forbidden`"),
        (status = 409, description = "`wrong_state`: no sender is configured, or too many go on"),
        (status = 422, description = "`invalid_body`; `idempotency_key_reused`"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Seller(caller): Seller,
    IdempotencyKey(key): IdempotencyKey,
    Body { value, digest }: Body<NewMailing>,
) -> Outcome<(StatusCode, Json<MailingView>)> {
    let records = accounts.ports.records.as_ref();
    let id = MailingId::derived(&[&caller.user.0, key.as_bytes()]);
    let request = digest.to_be_bytes().to_vec();
    about(id);
    loop {
        if let Some(known) = records.load::<Mailing>(id).await? {
            if known.record.request != request {
                return Err(Problem::new(ErrorCode::IdempotencyKeyReused));
            }
            return Ok((StatusCode::ACCEPTED, Json(MailingView::of(known.record))));
        }
        accounts.may_send().await?;
        let mailing = Mailing {
            id,
            request: request.clone(),
            state: MailingState::Sending,
            subject: value.subject.clone(),
            text: value.text.clone(),
            at_night: value.at_night,
            after: None,
            queued: 0,
            created_at: accounts.ports.clock.now(),
            ended_at: None,
        };
        if records.commit(Unit::new().insert(&mailing)).await? == Committed::Done {
            return Ok((StatusCode::ACCEPTED, Json(MailingView::of(mailing))));
        }
    }
}

impl Accounts {
    async fn may_send(&self) -> Outcome<()> {
        let refused = |why: &str| Problem::new(ErrorCode::WrongState).detail(why);
        if self.options.advertising.sender.is_none() {
            return Err(refused("Who sends advertising must be named: advertising.sender and advertising.contact"));
        }
        let going = Query::all(Mailing::TABLE, MOST).is("state", MailingState::Sending);
        if self.ports.records.select(going).await?.len() >= MOST as usize {
            return Err(refused("Too many mailings go on; stop one or wait").with("limit", MOST));
        }
        Ok(())
    }
}
