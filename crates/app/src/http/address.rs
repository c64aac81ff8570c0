//! What stands in the address of a request: the parameters of its path and its query. As axum's own, with problem
//! documents for what cannot be read.

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::request::Parts;
use firstcome_core::codes::ErrorCode;
use serde::de::DeserializeOwned;

use super::Problem;

/// The parameters of the path.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

/// The parameters behind the question mark.
#[derive(Debug, Clone)]
pub struct QueryString<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = AxumPath::from_request_parts(parts, state).await;
        read.map(|AxumPath(value)| Self(value)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = AxumQuery::try_from_uri(&parts.uri);
        read.map(|AxumQuery(value)| Self(value)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

fn malformed(detail: String) -> Problem {
    Problem::new(ErrorCode::MalformedRequest).detail(detail)
}
