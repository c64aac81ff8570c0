//! The fields of a form.

use axum::extract::{Form, FromRequest, Query, Request};
use axum::http::request::Parts;
use firstcome_core::codes::ErrorCode;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use super::problem::Problem;

/// The fields of a posted form. Protection against other sites' forms is the middleware's, see [`super::visitor`].
pub(super) struct Fields<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Form::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(_) => Err(Problem::new(ErrorCode::InvalidBody).into()),
        }
    }
}

/// The parameters of a page's URL.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(Problem::new(ErrorCode::MalformedRequest).into()),
        }
    }
}

/// A field that may be left empty.
pub(super) fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
