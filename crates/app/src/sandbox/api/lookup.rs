//! `GET /v1/payments/{paymentKey}` and `GET /v1/payments/orders/{orderId}`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use firstcome_core::ports::PortError;

use super::Shown;
use super::authorization::Authorized;
use crate::sandbox::Sandbox;
use crate::sandbox::error::ApiError;
use crate::sandbox::faults::{Fault, Kind, On};
use crate::sandbox::object::View;
use crate::sandbox::store::Known;

/// The payment of a key.
pub(in crate::sandbox) async fn by_key(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    Path(payment_key): Path<String>,
) -> Response {
    let work = async move |sandbox: Arc<Sandbox>, fault| {
        let found = sandbox.store.find(&payment_key).await;
        sandbox.show(found, fault).await
    };
    sandbox.answer(On::Lookup, work).await
}

/// The latest payment of an order.
pub(in crate::sandbox) async fn by_order(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    Path(order_id): Path<String>,
) -> Response {
    let work = async move |sandbox: Arc<Sandbox>, fault| {
        let found = sandbox.store.find_by_order(&order_id).await;
        sandbox.show(found, fault).await
    };
    sandbox.answer(On::Lookup, work).await
}

impl Sandbox {
    async fn show(&self, found: Result<Option<Known>, PortError>, fault: Fault) -> Result<Shown, ApiError> {
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        if fault.kind == Some(Kind::Decline) {
            return Err(ApiError::declined(&fault.code));
        }
        let known = found?.ok_or_else(ApiError::no_payment)?;
        Ok((known, View::Now(self.now())))
    }
}
