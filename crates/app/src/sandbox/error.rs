//! The provider's error answers: a status and `{"code", "message"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use firstcome_core::ports::PortError;
use serde::de::DeserializeOwned;
use serde_json::json;

/// An error as the provider answers it.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned() }
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    pub(super) fn no_payment() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND_PAYMENT", "존재하지 않는 결제 입니다.")
    }

    pub(super) fn in_progress() -> Self {
        Self::new(StatusCode::CONFLICT, "IDEMPOTENT_REQUEST_PROCESSING", "이전 멱등 요청이 처리중입니다.")
    }

    pub(super) fn internal() -> Self {
        let message = "내부 시스템 처리 작업이 실패했습니다. 잠시 후 다시 시도해주세요.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "FAILED_INTERNAL_SYSTEM_PROCESSING", message)
    }

    /// The answer to a request that is declined with `code`.
    pub(super) fn declined(code: &str) -> Self {
        let (status, message) = match code {
            "REJECT_CARD_PAYMENT" => (StatusCode::FORBIDDEN, "한도초과 혹은 잔액부족으로 결제에 실패했습니다."),
            "REJECT_CARD_COMPANY" => (StatusCode::FORBIDDEN, "결제 승인이 거절되었습니다."),
            "REJECT_ACCOUNT_PAYMENT" => (StatusCode::FORBIDDEN, "잔액부족으로 결제에 실패했습니다."),
            "INVALID_STOPPED_CARD" => (StatusCode::BAD_REQUEST, "정지된 카드 입니다."),
            "EXCEED_MAX_DAILY_PAYMENT_COUNT" => (StatusCode::BAD_REQUEST, "하루 결제 가능 횟수를 초과했습니다."),
            "PROVIDER_ERROR" => (StatusCode::BAD_REQUEST, "일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요."),
            "IDEMPOTENT_REQUEST_PROCESSING" => return Self::in_progress(),
            code if code.starts_with("FAILED_") || code.starts_with("UNKNOWN_") => {
                (StatusCode::INTERNAL_SERVER_ERROR, "결제가 완료되지 않았어요. 다시 시도해주세요.")
            }
            _ => (StatusCode::FORBIDDEN, "결제가 거절되었습니다."),
        };
        Self::new(status, code, message)
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        tracing::warn!(%error, "the sandbox's database does not answer");
        Self::internal()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "code": self.code, "message": self.message }))).into_response()
    }
}

/// Reads a JSON body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::invalid(&format!("잘못된 요청입니다. ({error})")))
}
