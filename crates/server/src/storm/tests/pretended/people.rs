//! How people sign up and log in at the pretended shop, which knows nobody.

use axum::Json;
use axum::http::StatusCode;
use firstcome_core::ids::UserId;
use serde_json::{Value, json};

use super::{Reply, problem};

const CODE: &str = "042137";
const TOKEN: &str = "vrf_x";

pub(super) async fn me() -> Reply {
    (StatusCode::OK, Json(json!({ "user_id": UserId([1; 16]) })))
}

pub(super) async fn mailbox() -> Reply {
    (StatusCode::OK, Json(json!({ "items": [{ "body": format!("Hello,\n\n  {CODE}\n") }] })))
}

pub(super) async fn verify(Json(body): Json<Value>) -> Reply {
    if body["code"] == CODE {
        return (StatusCode::OK, Json(json!({ "verification_token": TOKEN })));
    }
    problem(StatusCode::BAD_REQUEST, "invalid_code")
}

pub(super) async fn sign_up(Json(body): Json<Value>) -> Reply {
    if body["verification_token"] == TOKEN {
        return (StatusCode::CREATED, Json(json!({ "user_id": UserId([1; 16]) })));
    }
    problem(StatusCode::BAD_REQUEST, "invalid_code")
}

pub(super) async fn log_in() -> Reply {
    (StatusCode::OK, Json(json!({ "access_token": "token" })))
}
