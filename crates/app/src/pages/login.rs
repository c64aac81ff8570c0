//! Logging in and out.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::codes::ErrorCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Call;
use super::failure::Failure;
use super::fields::{Fields, Parameters, filled};
use super::problem::Problem;
use super::respond::{html, local_path, redirect};
use super::session::Tokens;
use super::visitor::{Visitor, roles_of};

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    page: &'a Visitor,
    email: &'a str,
    next: &'a str,
    /// Whether the account has a second factor.
    asks_for_code: bool,
    refusal: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

/// `GET /login`
pub(super) async fn show(visitor: Visitor, Parameters(Next { next }): Parameters<Next>) -> Response {
    let next = local_path(next.as_deref()).unwrap_or_default();
    if visitor.is_signed_in() {
        return redirect(if next.is_empty() { "/" } else { next });
    }
    html(&visitor, StatusCode::OK, &Page { page: &visitor, email: "", next, asks_for_code: false, refusal: None })
}

#[derive(Deserialize)]
pub(super) struct Form {
    email: String,
    password: String,
    #[serde(default)]
    code: String,
    next: Option<String>,
}

/// `POST /login`
pub(super) async fn submit(visitor: Visitor, Fields(form): Fields<Form>) -> Result<Response, Failure> {
    let code = filled(&form.code);
    match begin(&visitor, form.email.trim(), &form.password, code, form.next.as_deref()).await {
        Ok(response) => Ok(response),
        Err(problem) if problem.status.is_server_error() => Err(problem.into()),
        Err(problem) => {
            let refusal = Some(problem.message(&visitor));
            let next = local_path(form.next.as_deref()).unwrap_or_default();
            let asks_for_code = asks_for_code(&problem) || code.is_some();
            let page = Page { page: &visitor, email: &form.email, next, asks_for_code, refusal };
            Ok(html(&visitor, problem.status, &page))
        }
    }
}

/// Whether the password was right, and a code is missing or wrong.
fn asks_for_code(problem: &Problem) -> bool {
    problem.is(ErrorCode::SecondFactorRequired) || problem.is(ErrorCode::SecondFactorWrong)
}

/// Logs in and goes on to where the visitor wanted, the seller to their own part of the shop.
pub(super) async fn begin(
    visitor: &Visitor,
    email: &str,
    password: &str,
    code: Option<&str>,
    next: Option<&str>,
) -> Result<Response, Problem> {
    let mut body = json!({ "email": email, "password": password });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    let tokens: Tokens = visitor.ask(Call::post("/auth/login", &body)).await?;
    let sells = roles_of(&tokens.access_token).iter().any(|role| role == "seller" || role == "operator");
    let home = if sells { "/admin" } else { "/" };
    let mut response = redirect(local_path(next).unwrap_or(home));
    visitor.begin_session(&tokens, &mut response);
    Ok(response)
}

/// [`begin`] for whoever has just set their password. That is done, and its code used up: if the log-in has to wait, it is all
/// that is left to do.
pub(super) async fn begin_with_new(visitor: &Visitor, email: &str, password: &str, next: Option<&str>) -> Response {
    begin(visitor, email, password, None, next).await.unwrap_or_else(|problem| {
        let refusal = Some(visitor.say("login-left", problem.message(visitor)));
        let next = local_path(next).unwrap_or_default();
        let asks_for_code = asks_for_code(&problem);
        html(visitor, StatusCode::OK, &Page { page: visitor, email, next, asks_for_code, refusal })
    })
}

/// `POST /logout`
pub(super) async fn out(visitor: Visitor) -> Result<Response, Failure> {
    if visitor.is_signed_in() {
        ended(visitor.ask::<Option<Value>>(Call::post_empty("/auth/logout")).await)?;
    }
    let mut response = redirect("/");
    visitor.end_session(&mut response);
    Ok(response)
}

/// Whether a session is over now: also when it was before. Anything else would leave it open behind the visitor's back.
pub(super) fn ended(answer: Result<Option<Value>, Problem>) -> Result<(), Problem> {
    match answer {
        Err(problem) if problem.status != StatusCode::UNAUTHORIZED => Err(problem),
        _ => Ok(()),
    }
}
