//! `POST /admin/dead-letters/{id}/replay`: handles an event again, when what kept it from being handled is mended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::EventId;
use firstcome_core::records::RecordsExt as _;

use super::{Filters, LetterView, Letters};
use crate::consumer::{DeadLetter, Replayed};
use crate::http::{NoBody, Operator, Outcome, Path, Problem, QueryString};

/// Handles the event again. Repeatable: what was replayed before is answered as it is, and changes nothing. What fails
/// again changes nothing either, and says why.
#[utoipa::path(
    post, path = "/api/v1/admin/dead-letters/{id}/replay", tag = "admin",
    params(
        ("id" = String, Path), ("role" = Option<String>, Query, description = "The letter's role; the others are not asked"),
    ),
    responses(
        (status = 200, body = LetterView), (status = 400), (status = 404),
        (status = 409, description = "replay_failed, wrong_state"), (status = 503),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(here): State<Arc<Vec<Letters>>>,
    Operator(operator): Operator,
    Path(id): Path<String>,
    QueryString(filters): QueryString<Filters>,
    _: NoBody,
) -> Outcome<Json<LetterView>> {
    let roles = filters.roles()?;
    let id: EventId = id.parse().map_err(|_| Problem::not_found())?;
    for letters in here.iter().filter(|letters| roles.contains(&letters.role)) {
        if let Some(letter) = letters.records.load::<DeadLetter>(id).await? {
            tracing::info!(letter = %id, consumer = letter.record.consumer, operator = %operator.user, "replayed by hand");
            return letters.replay(letter.record).await.map(Json);
        }
    }
    Err(Problem::not_found())
}

impl Letters {
    async fn replay(&self, letter: DeadLetter) -> Outcome<LetterView> {
        let Some(consumer) = self.consumers.iter().find(|consumer| consumer.consumer() == letter.consumer) else {
            return Err(failed(format!("there is no consumer {} any more", letter.consumer)));
        };
        match consumer.replay(letter.id).await?.ok_or_else(Problem::not_found)? {
            Replayed::Done(letter) => Ok(LetterView::new(self.role, letter)),
            Replayed::UnderWay => Err(Problem::new(ErrorCode::WrongState)
                .detail("Another replay of this letter is under way; ask again what came of it")
                .retry_after(1)),
            Replayed::Failed(reason) => Err(failed(reason)),
        }
    }
}

fn failed(reason: String) -> Problem {
    Problem::new(ErrorCode::ReplayFailed).detail(format!("Nothing has changed: {reason}")).with("reason", reason)
}
