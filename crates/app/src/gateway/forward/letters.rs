//! The dead letters of a cluster. Each role keeps its own, so the gateway asks every role, in the caller's name, and gives
//! one answer; see [`crate::letters`].

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Response, StatusCode, Uri};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use firstcome_core::ports::RoleName;
use futures_util::future::join_all;
use utoipa_axum::router::OpenApiRouter;

use super::Forwarder;
use crate::http::{Items, NoBody, Operator, PageParameters, Problem, QueryString};
use crate::letters::{Filters, LetterView, PATH, REPLAY};

/// Bytes of a role's page; a hundred letters with long reasons are far below.
const LARGEST: usize = 16 * 1024 * 1024;

/// Described by [`crate::letters::openapi`].
pub(super) fn routes() -> OpenApiRouter<Arc<Forwarder>> {
    OpenApiRouter::new().route(PATH, get(list)).route(REPLAY, post(replay))
}

/// The pages of all roles as one. A role that does not answer is no role without letters: then it says so, and
/// `?role=` asks the others.
async fn list(
    State(forwarder): State<Arc<Forwarder>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    asked: PageParameters,
    parts: Parts,
) -> Result<Json<Items<LetterView>>, Response<Body>> {
    let roles = filters.roles().map_err(Problem::into_response)?;
    let mut pages = Vec::new();
    for answer in forwarder.ask(roles, &parts).await {
        if answer.status() != StatusCode::OK {
            return Err(answer);
        }
        pages.push(read(answer).await.map_err(Problem::into_response)?);
    }
    Ok(Json(LetterView::merge(pages, &asked)))
}

/// A letter is in one role's database: whoever has it replays it, and to all others it is not there.
async fn replay(
    State(forwarder): State<Arc<Forwarder>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    parts: Parts,
    _: NoBody,
) -> Result<Response<Body>, Problem> {
    let answers = forwarder.ask(filters.roles()?, &parts).await;
    // What whoever has it says counts, whatever became of the others. One that does not answer might have it; "not there" is
    // said only when all of them say so.
    let rank = |answer: &Response<Body>| match answer.status() {
        status if status.is_success() => 0,
        StatusCode::NOT_FOUND => 3,
        status if status.is_client_error() => 1,
        _ => 2,
    };
    answers.into_iter().min_by_key(rank).ok_or_else(Problem::not_found)
}

impl Forwarder {
    /// Asks each of these roles the same, at once.
    async fn ask(&self, roles: Vec<RoleName>, request: &Parts) -> Vec<Response<Body>> {
        let asked = roles.into_iter().map(|role| {
            let mut parts = request.clone();
            parts.uri = of_role(&parts.uri, role);
            self.answer_by(role, Request::from_parts(parts, Body::empty()))
        });
        join_all(asked).await
    }
}

/// The same path and query, of one role.
fn of_role(uri: &Uri, role: RoleName) -> Uri {
    let query = uri.query().unwrap_or_default().split('&');
    let others = query.filter(|pair| !pair.is_empty() && *pair != "role" && !pair.starts_with("role="));
    let role = format!("role={}", role.as_str());
    let query: Vec<&str> = others.chain([role.as_str()]).collect();
    let path = format!("{}?{}", uri.path(), query.join("&"));
    // What was an address is still one.
    path.parse::<PathAndQuery>().map_or_else(|_| uri.clone(), Uri::from)
}

async fn read(answer: Response<Body>) -> Result<Items<LetterView>, Problem> {
    let broken = |error: &dyn std::fmt::Display| {
        Problem::from(firstcome_core::ports::PortError::Unavailable(format!("a page of dead letters: {error}")))
    };
    let bytes = axum::body::to_bytes(answer.into_body(), LARGEST).await.map_err(|error| broken(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| broken(&error))
}

#[cfg(test)]
mod tests;
