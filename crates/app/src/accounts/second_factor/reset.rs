//! `POST /admin/accounts/{id}/second-factor/reset`: an operator lets somebody in again who has lost the phone and the recovery
//! codes. Who that is the operator must know by other means.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::records::{RecordsExt as _, Unit};

use super::super::records::User;
use super::super::{Accounts, wording};
use super::is_off;
use crate::http::{Administrator, NoBody, Outcome, Path, Problem};

/// Turns the second factor of another account off. Operators only.
///
/// Every session of the account ends, and its owner is told by e-mail. One's own is turned off with both factors instead.
#[utoipa::path(
    post, path = "/api/v1/admin/accounts/{id}/second-factor/reset", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path, example = "usr_01h455vb4pex5vsknk084sn02q")),
    responses(
        (status = 204, description = "The password is enough to log in"),
        (status = 401, description = "`unauthenticated`"), (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not_found`: no such account"),
        (status = 409, description = "`wrong_state`: it has no second factor, or is the operator's own account"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Administrator(caller): Administrator,
    Path(id): Path<UserId>,
    _: NoBody,
) -> Outcome<StatusCode> {
    let records = accounts.ports.records.as_ref();
    if id == caller.user {
        let detail = "Turn your own off with POST /me/second-factor/disable";
        return Err(Problem::new(ErrorCode::WrongState).detail(detail));
    }
    let user = records.load::<User>(id).await?.ok_or_else(Problem::not_found)?.record;
    let email = user.email(&accounts.ports.keys.sealer())?;
    loop {
        let factor = accounts.second_factor(id).await?.ok_or_else(is_off)?;
        let mut unit = Unit::new().update(&factor).delete(&factor.record);
        unit.append(accounts.mails.queue_about(id, wording::second_factor_reset(&email)));
        if accounts.end_sessions_with(id, None, unit).await? {
            accounts.mails.wake();
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}
