//! `POST /me/second-factor/confirm`: a first code, and the second factor counts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{Accounts, wording};
use super::SecondFactor;
use super::recovery::RecoveryCodes;
use crate::http::{Body, Buyer, Outcome, Problem};

/// Proof that the app has the secret.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct FirstCode {
    /// The six digits that the app shows.
    #[schema(max_length = 32, example = "287082")]
    #[garde(length(chars, max = 32))]
    code: String,
}

/// Turns the second factor on.
///
/// Every other session ends, and the owner is told by e-mail. Where the shop asks for a second factor, renew the tokens of this
/// session to sell and operate.
#[utoipa::path(
    post, path = "/api/v1/me/second-factor/confirm", tag = "accounts", security(("bearer" = [])),
    request_body = FirstCode,
    responses(
        (status = 200, description = "It counts from now on", body = RecoveryCodes),
        (status = 401, description = "`unauthenticated`; `second_factor_wrong`: no code of about now; is the phone's clock right?"),
        (status = 409, description = "`wrong_state`: it was not begun, or is confirmed already"),
        (status = 422, description = "`invalid_body`"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    Body { value, .. }: Body<FirstCode>,
) -> Outcome<Json<RecoveryCodes>> {
    let super::super::Ports { records, keys, random, clock, .. } = &accounts.ports;
    let user = accounts.user(caller.user).await?.record;
    let email = user.email(&keys.sealer())?;
    let (codes, recovery) = RecoveryCodes::new(user.id, &keys.index, random.as_ref());
    loop {
        let begun = records.load::<SecondFactor>(user.id).await?;
        let Some(Stored { record, version }) = begun.filter(|stored| stored.record.enabled_at.is_none()) else {
            let detail = "Begin with POST /me/second-factor; what is confirmed counts already";
            return Err(Problem::new(ErrorCode::WrongState).detail(detail));
        };
        let used = record.using(&value.code, keys, clock.now())?;
        let used = used.ok_or_else(|| Problem::new(ErrorCode::SecondFactorWrong))?;
        let record = SecondFactor { recovery: recovery.clone(), enabled_at: Some(clock.now()), ..used };
        let mut unit = Unit::new().update(&Stored { record, version });
        unit.append(accounts.mails.queue_about(user.id, wording::second_factor_on(&email)));
        if accounts.end_sessions_with(user.id, Some(caller.session), unit).await? {
            accounts.mails.wake();
            return Ok(Json(codes));
        }
    }
}
