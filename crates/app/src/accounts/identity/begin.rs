//! `POST /me/identity`: a check of who the caller is begins.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::IdentityCheckId;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Accounts;
use super::IdentityCheck;
use crate::http::{Body, Buyer, Outcome, Problem};

/// How long somebody may take.
const PATIENCE: Duration = Duration::from_hours(1);

/// Where the person is to come back to.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct BeginCheck {
    /// An address of the client, where it then asks with `POST /me/identity/confirm`.
    #[schema(max_length = 2048, example = "https://shop.example.com/account")]
    #[garde(length(bytes, max = 2048), custom(web_address))]
    return_url: String,
}

fn web_address(text: &str, (): &()) -> garde::Result {
    let uri = text.parse::<axum::http::Uri>().ok();
    match uri.as_ref().and_then(axum::http::Uri::scheme_str) {
        Some("http" | "https") => Ok(()),
        _ => Err(garde::Error::new("must be an address such as https://shop.example.com/account")),
    }
}

/// A check that has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct Begun {
    #[schema(value_type = String, example = "idc_01h455vb4pex5vsknk084sn02q")]
    check_id: IdentityCheckId,
    /// Where the person goes to be checked.
    #[schema(example = "https://identity.example.com/check?identityVerificationId=idc_01h455vb4pex5vsknk084sn02q")]
    url: String,
    /// Until when it can be confirmed.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

/// Begins a check of who the caller is. A check before it is worth nothing then.
#[utoipa::path(
    post, path = "/api/v1/me/identity", tag = "accounts", security(("bearer" = [])),
    request_body = BeginCheck,
    responses(
        (status = 201, description = "Send the person to `url`", body = Begun),
        (status = 401, description = "`unauthenticated`"),
        (status = 409, description = "`wrong_state`: it is verified already, or this shop checks nobody"),
        (status = 422, description = "`invalid_body`"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    Body { value, .. }: Body<BeginCheck>,
) -> Outcome<(StatusCode, Json<Begun>)> {
    let refused = |why: &str| Problem::new(ErrorCode::WrongState).detail(why);
    let provider = accounts.options.identity.provider.as_ref();
    let provider = provider.ok_or_else(|| refused("This shop does not check who people are"))?;
    accounts.user(caller.user).await?;
    if accounts.identity(caller.user).await?.is_some() {
        return Err(refused("It is verified already"));
    }
    let ports = &accounts.ports;
    let now = ports.clock.now();
    let check = IdentityCheckId::at(now, random_bytes(ports.random.as_ref()));
    let begun = IdentityCheck { owner: caller.user, check, expires_at: now + PATIENCE };
    loop {
        let unit = match ports.records.load::<IdentityCheck>(caller.user).await? {
            None => Unit::new().insert(&begun),
            Some(Stored { version, .. }) => Unit::new().update(&Stored { record: begun.clone(), version }),
        };
        if ports.records.commit(unit).await? == Committed::Done {
            let url = provider.page(check, &value.return_url);
            return Ok((StatusCode::CREATED, Json(Begun { check_id: check, url, expires_at: begun.expires_at })));
        }
    }
}
