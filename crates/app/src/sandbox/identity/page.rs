//! `GET /check?identityVerificationId&redirectUrl`, and what a person chooses there.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{is_id, is_name};
use crate::sandbox::Sandbox;
use crate::sandbox::checkout::return_url::{checked, with_parameters};
use crate::sandbox::error::ApiError;

/// What the shop opened the page with; the buttons send it on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    identity_verification_id: String,
    redirect_url: String,
    #[serde(default)]
    person: String,
}

#[derive(Template)]
#[template(path = "sandbox/identity.html")]
struct Page<'a> {
    /// None when the check cannot open.
    check: Option<&'a Check>,
}

impl Check {
    fn is_sound(&self, headers: &HeaderMap) -> bool {
        is_id(&self.identity_verification_id) && checked(&self.redirect_url, headers).is_some()
    }
}

/// The page.
pub(super) async fn show(
    State(_): State<Arc<Sandbox>>,
    headers: HeaderMap,
    check: Result<Query<Check>, QueryRejection>,
) -> Response {
    render(check.ok().as_ref().map(|Query(check)| check).filter(|check| check.is_sound(&headers)))
}

/// Ends the check and sends the person back to the shop.
pub(super) async fn decide(
    State(sandbox): State<Arc<Sandbox>>,
    Path(decision): Path<String>,
    headers: HeaderMap,
    check: Result<Form<Check>, FormRejection>,
) -> Response {
    let Some(check) = check.ok().map(|Form(check)| check).filter(|check| check.is_sound(&headers)) else {
        return render(None);
    };
    let person = match decision.as_str() {
        "pass" if is_name(&check.person) => Some(check.person.as_str()),
        "pass" => return render(Some(&check)),
        "fail" => None,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if let Err(error) = sandbox.end_check(&check.identity_verification_id, person).await {
        return ApiError::from(error).into_response();
    }
    let parameters = [("identityVerificationId", check.identity_verification_id.as_str())];
    Redirect::to(&with_parameters(&check.redirect_url, &parameters)).into_response()
}

fn render(check: Option<&Check>) -> Response {
    let status = if check.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    match (Page { check }).render() {
        Ok(html) => (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page of a check cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
