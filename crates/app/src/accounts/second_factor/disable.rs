//! `POST /me/second-factor/disable`: without a second factor again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::records::{Stored, Unit};

use super::super::{Accounts, wording};
use super::recovery::BothFactors;
use super::{SecondFactor, is_off};
use crate::http::{Body, Buyer, ClientAddress, Outcome};

/// Turns the second factor off.
///
/// Needs both factors; a recovery code is one. The owner is told by e-mail. Where the shop asks for a second factor, the account
/// sells and operates nothing until there is another.
#[utoipa::path(
    post, path = "/api/v1/me/second-factor/disable", tag = "accounts", security(("bearer" = [])),
    request_body = BothFactors,
    responses(
        (status = 204, description = "A password is enough from now on"),
        (status = 401, description = "`unauthenticated`; `invalid_credentials`; `second_factor_wrong`"),
        (status = 409, description = "`wrong_state`: there is no second factor"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong passwords or codes; `retry_after` seconds"),
        (status = 503, description = "`overloaded`: too many log-ins at the moment"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    address: ClientAddress,
    Body { value, .. }: Body<BothFactors>,
) -> Outcome<StatusCode> {
    let user = accounts.user(caller.user).await?.record;
    accounts.second_factor(user.id).await?.ok_or_else(is_off)?;
    accounts.require_password(&user, value.password, address).await?;
    let email = user.email(&accounts.ports.keys.sealer())?;
    // Updated before it is deleted: of twins with one code one is refused.
    let removed = |used: &Stored<SecondFactor>| {
        let mut unit = Unit::new().update(used).delete(&used.record);
        unit.append(accounts.mails.queue_about(user.id, wording::second_factor_off(&email)));
        unit
    };
    accounts.prove(&user, &value.code, address, removed).await?;
    Ok(StatusCode::NO_CONTENT)
}
