//! `POST /admin/mailings/{id}/stop`: whoever has not got it yet does not get it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::MailingId;
use firstcome_core::ports::Committed;
use firstcome_core::records::{RecordsExt as _, Unit};

use super::super::Accounts;
use super::list::MailingView;
use super::{Mailing, MailingState};
use crate::http::{NoBody, Outcome, Path, Problem, Seller};

/// Stops a mailing. What is queued already, a few dozen e-mails at most, still goes.
#[utoipa::path(
    post, path = "/api/v1/admin/mailings/{id}/stop", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path, example = "mlg_01h455vb4pex5vsknk084sn02q")),
    responses(
        (status = 200, description = "It is stopped", body = MailingView),
        (status = 401, description = "`unauthenticated`"), (status = 403, description = "`forbidden`"),
        (status = 404, description = "`not_found`"), (status = 409, description = "`wrong_state`: it is done already"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    _: Seller,
    Path(id): Path<MailingId>,
    _: NoBody,
) -> Outcome<Json<MailingView>> {
    let records = accounts.ports.records.as_ref();
    loop {
        let mut mailing = records.load::<Mailing>(id).await?.ok_or_else(Problem::not_found)?;
        match mailing.record.state {
            MailingState::Stopped => return Ok(Json(MailingView::of(mailing.record))),
            MailingState::Done => {
                return Err(Problem::new(ErrorCode::WrongState).detail("It was sent to everybody already"));
            }
            MailingState::Sending => {}
        }
        mailing.record.state = MailingState::Stopped;
        mailing.record.ended_at = Some(accounts.ports.clock.now());
        if records.commit(Unit::new().update(&mailing)).await? == Committed::Done {
            return Ok(Json(MailingView::of(mailing.record)));
        }
    }
}
