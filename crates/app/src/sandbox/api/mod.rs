//! The provider's API: looking up, confirming, canceling and listing payments, with the secret key.

mod authorization;
pub(super) mod cancel;
pub(super) mod confirm;
mod idempotency;
pub(super) mod lookup;
pub(super) mod transactions;

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use firstcome_core::time::Time;

use super::Sandbox;
use super::error::ApiError;
use super::faults::{Fault, Kind, On, broken_connection};
use super::object::{PaymentObject, View};
use super::store::Known;

/// A payment as it is to be shown.
type Shown = (Known, View);

impl Sandbox {
    fn now(&self) -> Time {
        self.clock.now()
    }

    /// Answers a call with what goes wrong with it. The work goes on when the caller hangs up, as it would at the
    /// provider.
    async fn answer<W, F>(self: Arc<Self>, on: On, work: W) -> Response
    where
        W: FnOnce(Arc<Self>, Fault) -> F + Send + 'static,
        F: Future<Output = Result<Shown, ApiError>> + Send + 'static,
    {
        let fault = self.faults.strike(on);
        let lost = fault.kind == Some(Kind::AnswerLost);
        if fault.kind == Some(Kind::Error500) {
            tokio::time::sleep(fault.delay).await;
            return ApiError::internal().into_response();
        }
        let outcome = tokio::spawn(work(self, fault)).await.unwrap_or_else(|_| Err(ApiError::internal()));
        match outcome {
            _ if lost => broken_connection(),
            Ok((known, view)) => Json(PaymentObject::of(&known.record, view)).into_response(),
            Err(error) => error.into_response(),
        }
    }
}
