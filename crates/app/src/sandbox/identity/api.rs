//! `GET /identity-verifications/{id}`, and `POST /test/verifications` for tools and tests.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{is_id, is_name};
use crate::sandbox::Sandbox;
use crate::sandbox::error::{ApiError, parse};

/// What came of a check, with the secret.
pub(super) async fn lookup(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let sent = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let expected = format!("PortOne {}", sandbox.secret_key.expose_secret());
    if !bool::from(sent.ct_eq(expected.as_bytes())) {
        return problem(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    }
    match sandbox.check(&id).await {
        Ok(None) => problem(StatusCode::NOT_FOUND, "IDENTITY_VERIFICATION_NOT_FOUND"),
        Ok(Some(known)) => {
            let mut answer = json!({ "status": known.status, "id": known.id, "statusChangedAt": known.at });
            if let Some(ci) = known.ci {
                answer["verifiedCustomer"] = json!({ "ci": ci });
                answer["verifiedAt"] = json!(known.at);
            }
            Json(answer).into_response()
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

fn problem(status: StatusCode, kind: &str) -> Response {
    (status, Json(json!({ "type": kind }))).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Passed {
    identity_verification_id: String,
    /// Who it is; nobody has failed.
    person: Option<String>,
}

/// As if a person had just passed the check, or failed it without a name.
pub(super) async fn pass(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let Passed { identity_verification_id: id, person } = parse(&body)?;
    if !is_id(&id) || person.as_deref().is_some_and(|person| !is_name(person)) {
        return Err(ApiError::invalid("identityVerificationId, person"));
    }
    sandbox.end_check(&id, person.as_deref()).await?;
    Ok(Json(json!({ "identityVerificationId": id })))
}
