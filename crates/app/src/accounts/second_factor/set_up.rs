//! `POST /me/second-factor`: begins to set up a second factor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::people::Password;
use super::super::{Accounts, totp};
use super::{SecondFactor, place};
use crate::http::{Body, Buyer, ClientAddress, Outcome, Problem};

/// Proof that it is the owner who asks, and not only their device.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct SetUp {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    password: Password,
}

/// What an authenticator app needs. It is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct NewSecret {
    /// To be typed into the app: base 32.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same as a QR code for the app to read.
    #[schema(
        example = "otpauth://totp/Firstcome:kim%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Firstcome&algorithm=SHA1&digits=6&period=30"
    )]
    otpauth_uri: String,
}

/// Begins to set up a second factor: a secret for an authenticator app.
///
/// It does not count before `POST /me/second-factor/confirm`; asked again, it is another secret.
#[utoipa::path(
    post, path = "/api/v1/me/second-factor", tag = "accounts", security(("bearer" = [])),
    request_body = SetUp,
    responses(
        (status = 201, description = "The secret", body = NewSecret),
        (status = 401, description = "`unauthenticated`; `invalid_credentials`: the password is another"),
        (status = 409, description = "`wrong_state`: there is a second factor"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong passwords; `retry_after` seconds"),
        (status = 503, description = "`overloaded`: too many log-ins at the moment"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    address: ClientAddress,
    Body { value, .. }: Body<SetUp>,
) -> Outcome<(StatusCode, Json<NewSecret>)> {
    let ports = &accounts.ports;
    let user = accounts.user(caller.user).await?.record;
    accounts.require_password(&user, value.password, address).await?;
    let email = user.email(&ports.keys.sealer())?;
    let secret = totp::to_text(&random_bytes::<{ totp::SECRET_BYTES }>(ports.random.as_ref()));
    let sealer = ports.keys.sealer();
    let factor = SecondFactor {
        owner: user.id,
        sealed_with: sealer.key(),
        secret: sealer.seal(&place(&user.id), &secret),
        used_step: 0,
        recovery: Vec::new(),
        wrong: 0,
        enabled_at: None,
        created_at: ports.clock.now(),
    };
    loop {
        // Read and written: an account that goes in this moment takes the commit with it.
        let account = accounts.user(caller.user).await?;
        let unit = match ports.records.load::<SecondFactor>(user.id).await? {
            None => Unit::new().insert(&factor),
            Some(stored) if stored.record.enabled_at.is_none() => {
                Unit::new().update(&Stored { record: factor.clone(), version: stored.version })
            }
            Some(_) => {
                return Err(Problem::new(ErrorCode::WrongState).detail("There is a second factor; turn it off first"));
            }
        };
        if ports.records.commit(unit.update(&account)).await? == Committed::Done {
            let otpauth_uri = totp::address(&secret, &email);
            return Ok((StatusCode::CREATED, Json(NewSecret { secret, otpauth_uri })));
        }
    }
}
