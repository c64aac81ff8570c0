//! `POST /sandbox/toss/checkout/{pay,decline,leave}`: what the buyer chose.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::page::{Checkout, render};
use super::return_url::with_parameters;
use crate::sandbox::Sandbox;

/// Ends the checkout and sends the buyer back to the shop.
pub(in crate::sandbox) async fn decide(
    State(sandbox): State<Arc<Sandbox>>,
    Path(decision): Path<String>,
    headers: HeaderMap,
    checkout: Result<Form<Checkout>, FormRejection>,
) -> Response {
    let Ok(Form(checkout)) = checkout else { return render(&headers, None) };
    let Some(purchase) = checkout.purchase(&headers) else { return render(&headers, None) };
    let order = checkout.order_id.as_str();
    let back = match decision.as_str() {
        "pay" => match sandbox.pay(purchase).await {
            Ok(key) => {
                let amount = checkout.amount.to_string();
                let parameters = [("paymentKey", key.as_str()), ("orderId", order), ("amount", &amount)];
                with_parameters(&checkout.success_url, &parameters)
            }
            Err(error) => return error.into_response(),
        },
        "decline" => failed(&checkout, "REJECT_CARD_COMPANY", "결제 승인이 거절되었습니다."),
        "leave" => failed(&checkout, "PAY_PROCESS_CANCELED", "사용자에 의해 결제가 취소되었습니다."),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Redirect::to(&back).into_response()
}

fn failed(checkout: &Checkout, code: &str, message: &str) -> String {
    with_parameters(&checkout.fail_url, &[("code", code), ("message", message), ("orderId", &checkout.order_id)])
}
