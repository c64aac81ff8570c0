//! `GET` and `POST /unsubscribe/{token}`: advertising is taken back with one click, without logging in (RFC 8058).
//!
//! Reading changes nothing: what scans e-mails follows links. The page has the one button, which sends what mail programs send.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::ports::Committed;

use super::super::Accounts;
use super::link::owner_of;
use super::{ConsentState, ConsentWay};
use crate::http::{Outcome, Path, Problem};

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct Page {
    is_done: bool,
}

/// A page with a button that takes the consent to advertising back.
#[utoipa::path(
    get, path = "/api/v1/unsubscribe/{token}", tag = "accounts", params(("token" = String, Path, description = "From an e-mail")),
    responses(
        (status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 404, description = "`not_found`: the link is broken"),
    )
)]
pub(super) async fn get(State(accounts): State<Arc<Accounts>>, Path(token): Path<String>) -> Outcome<Response> {
    owner_of(&token, &accounts.ports.keys.index).ok_or_else(Problem::not_found)?;
    page(false)
}

/// Takes the consent to advertising back. It takes whatever body comes: mail programs send `List-Unsubscribe=One-Click`.
#[utoipa::path(
    post, path = "/api/v1/unsubscribe/{token}", tag = "accounts", params(("token" = String, Path, description = "From an e-mail")),
    responses(
        (status = 200, description = "No advertising is sent any more; also when none was", content_type = "text/html", body = String),
        (status = 404, description = "`not_found`: the link is broken"),
    )
)]
pub(super) async fn post(State(accounts): State<Arc<Accounts>>, Path(token): Path<String>) -> Outcome<Response> {
    let owner = owner_of(&token, &accounts.ports.keys.index).ok_or_else(Problem::not_found)?;
    accounts.stop_advertising(owner).await?;
    page(true)
}

impl Accounts {
    pub(in crate::accounts) async fn stop_advertising(&self, owner: UserId) -> Outcome<()> {
        loop {
            // Of an account that is gone there is none.
            let known = self.consents(owner).await?.filter(|stored| stored.record.is_advertised);
            let Some(known) = known else { return Ok(()) };
            let after: ConsentState = known.record.clone().advertised("", false, false);
            if self.change_consents(Some(known), &after, ConsentWay::Link).await? == Committed::Done {
                return Ok(());
            }
        }
    }
}

fn page(is_done: bool) -> Outcome<Response> {
    let html = Page { is_done }.render();
    let html = html.map_err(|error| Problem::new(ErrorCode::Internal).detail(error.to_string()))?;
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, Html(html)).into_response())
}
