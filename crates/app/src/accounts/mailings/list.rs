//! `GET /admin/mailings` and `GET /admin/mailings/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::MailingId;
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt as _, Stored};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Accounts;
use super::{Mailing, MailingState};
use crate::http::{Items, Outcome, PageParameters, Path, Problem, Seller};

/// Advertising, and how far it has come.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Mailing)]
pub(super) struct MailingView {
    #[schema(value_type = String, example = "mlg_01h455vb4pex5vsknk084sn02q")]
    mailing_id: MailingId,
    state: MailingState,
    #[schema(example = "겨울 공연 티켓이 열립니다 · Winter tickets open soon")]
    subject: String,
    text: String,
    /// Whether it goes to those only who agreed to nights.
    at_night: bool,
    /// How many e-mails were queued so far. Some of them may wait to be delivered.
    queued: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it was done or stopped.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

impl MailingView {
    /// A mailing as it is now.
    pub(super) fn of(mailing: Mailing) -> Self {
        let Mailing { id, state, subject, text, at_night, queued, created_at, ended_at, .. } = mailing;
        Self { mailing_id: id, state, subject, text, at_night, queued, created_at, ended_at }
    }
}

/// Lists mailings, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/mailings", tag = "admin", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 if left out"), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<MailingView>), (status = 400), (status = 401), (status = 403)),
)]
pub(super) async fn get(
    State(accounts): State<Arc<Accounts>>,
    _: Seller,
    asked: PageParameters,
) -> Outcome<Json<Items<MailingView>>> {
    let query = Query::all(Mailing::TABLE, asked.limit + 1).order_by("created_at", Direction::Descending);
    let rows = accounts.ports.records.list::<Mailing>(asked.within(query)?).await?;
    let place = |row: &Stored<Mailing>| (row.record.created_at.to_value(), row.record.key());
    Ok(Json(asked.page(rows, place, |row| MailingView::of(row.record))))
}

/// Shows how far a mailing has come.
#[utoipa::path(
    get, path = "/api/v1/admin/mailings/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path, example = "mlg_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, body = MailingView), (status = 401), (status = 403), (status = 404)),
)]
pub(super) async fn get_one(
    State(accounts): State<Arc<Accounts>>,
    _: Seller,
    Path(id): Path<MailingId>,
) -> Outcome<Json<MailingView>> {
    let mailing = accounts.ports.records.load::<Mailing>(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(MailingView::of(mailing.record)))
}
