//! The account: the devices that are logged in, and logging out of them.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::api::{Call, segment};
use super::contract::{Items, Session};
use super::failure::Failure;
use super::login::ended;
use super::respond::{html, redirect};
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'a> {
    page: &'a Visitor,
    sessions: Vec<Session>,
}

/// `GET /account`
pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    let sessions: Items<Session> = visitor.ask(Call::get("/me/sessions")).await?;
    Ok(html(&visitor, StatusCode::OK, &Page { page: &visitor, sessions: sessions.items }))
}

/// `POST /account/sessions/{id}/end`
pub(super) async fn end_one(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let path = format!("/me/sessions/{}", segment(&id)?);
    // One that is gone already is what the visitor wanted.
    match visitor.ask::<Option<Value>>(Call::delete(&path)).await {
        Err(problem) if problem.status != StatusCode::NOT_FOUND => Err(problem.into()),
        _ => Ok(redirect("/account")),
    }
}

/// `POST /account/logout-all`
pub(super) async fn end_all(visitor: Visitor) -> Result<Response, Failure> {
    ended(visitor.ask::<Option<Value>>(Call::post_empty("/auth/logout-all")).await)?;
    let mut response = redirect("/");
    visitor.end_session(&mut response);
    Ok(response)
}
