//! `POST /api/v1/webhooks/toss`: the provider says that a payment has changed.
//!
//! Anyone can call this, so nothing in it is believed: it only makes us ask the provider. A notice that tells what the
//! books say already, however often it comes, costs one read.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OrderId;
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::{PortError, ProviderAnswer};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Payments;
use super::rows::{attempt_of, payments_of};
use super::toss::is_payment_key;
use crate::http::{Outcome, Problem, read_body};

/// A notice, as far as it is read. The provider may send more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderNotice)]
pub(super) struct Notice {
    /// The payment that has changed.
    #[serde(default)]
    data: Option<Subject>,
    /// The order, in a notice of a deposit; that names no payment.
    #[serde(default)]
    #[schema(example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: Option<String>,
    /// The state, in a notice of a deposit.
    #[serde(default)]
    #[schema(example = "DONE")]
    status: Option<String>,
}

/// The payment that a notice is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderNoticeSubject)]
struct Subject {
    #[schema(example = "sbx_01h455vb4pex5vsknk084sn02q")]
    payment_key: String,
    #[schema(example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: String,
    #[schema(example = "DONE")]
    status: String,
}

/// Takes a notice of the payment provider.
#[utoipa::path(
    post, path = "/api/v1/webhooks/toss", tag = "payments", request_body = Notice,
    responses(
        (status = 200, description = "The books say what the provider says"),
        (status = 400, description = "malformed_body"),
        (status = 503, description = "The provider could not be asked; send the notice again"),
    ),
)]
pub(super) async fn post(State(payments): State<Arc<Payments>>, request: Request) -> Outcome<StatusCode> {
    let body = read_body(request).await?;
    let notice: Notice = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(ErrorCode::MalformedBody).detail(format!("The body is no notice: {error}")))?;
    // What began goes on when the caller hangs up.
    let heard = tokio::spawn(async move { payments.heard(notice).await });
    heard.await.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal)))
}

impl Payments {
    /// Asks the provider whether it is as a notice says.
    pub(super) async fn heard(&self, notice: Notice) -> Outcome<StatusCode> {
        let Some(subject) = self.subject(notice).await? else { return Ok(StatusCode::OK) };
        let Ok(order) = subject.order_id.parse::<OrderId>() else { return Ok(StatusCode::OK) };
        if !is_payment_key(&subject.payment_key) || self.is_known(order, &subject).await? {
            return Ok(StatusCode::OK);
        }
        self.verify(&subject.payment_key).await
    }

    /// What a notice is about. That of a deposit is about the order's bank transfer, by whatever name we know it.
    async fn subject(&self, notice: Notice) -> Result<Option<Subject>, PortError> {
        let (Notice { data: None, order_id: Some(order_id), status: Some(status) }, Ok(order)) =
            (&notice, notice.order_id.as_deref().unwrap_or_default().parse::<OrderId>())
        else {
            return Ok(notice.data);
        };
        let mut attempts = payments_of(&*self.ports.records, order).await?;
        attempts.retain(|attempt| attempt.record.is_transfer());
        attempts.sort_by_key(|attempt| (attempt.record.state != PaymentState::Fail, attempt.record.created_at));
        let Some(attempt) = attempts.pop().map(|attempt| attempt.record) else { return Ok(None) };
        let payment_key =
            if attempt.is_unnamed() { self.name_at_provider(order).await? } else { Some(attempt.payment_key) };
        let subject = |payment_key| Subject { payment_key, order_id: order_id.clone(), status: status.clone() };
        Ok(payment_key.map(subject))
    }

    /// What the provider calls the latest payment of an order.
    async fn name_at_provider(&self, order: OrderId) -> Result<Option<String>, PortError> {
        let Ok(_place) = self.verifying.try_acquire() else { return Err(PortError::Overloaded) };
        match self.ports.provider.lookup_order(order).await {
            ProviderAnswer::Payment(payment) => Ok(Some(payment.payment_key)),
            ProviderAnswer::Refused { .. } => Ok(None),
            ProviderAnswer::Unknown { reason } => Err(PortError::Unavailable(reason)),
        }
    }

    /// Whether the books say already what the notice tells.
    async fn is_known(&self, order: OrderId, subject: &Subject) -> Result<bool, PortError> {
        if matches!(subject.status.as_str(), "READY" | "IN_PROGRESS") {
            return Ok(true);
        }
        let ours = attempt_of(&*self.ports.records, order, &subject.payment_key).await?;
        let state = ours.map(|attempt| attempt.record.state);
        Ok(match subject.status.as_str() {
            // News only where a deposit is taken back.
            "WAITING_FOR_DEPOSIT" => !state.is_some_and(PaymentState::is_charged),
            "DONE" => state.is_some_and(PaymentState::is_charged),
            "CANCELED" => state == Some(PaymentState::Canceled),
            "ABORTED" | "EXPIRED" => !state.is_some_and(PaymentState::is_undecided),
            _ => false,
        })
    }

    /// Asks the provider, and follows what it says.
    pub(super) async fn verify(&self, payment_key: &str) -> Outcome<StatusCode> {
        let Ok(_place) = self.verifying.try_acquire() else { return Err(Problem::new(ErrorCode::Overloaded)) };
        match self.ports.provider.lookup(payment_key).await {
            ProviderAnswer::Payment(payment) => {
                if let Ok(order) = payment.order_id.parse() {
                    self.follow(order, payment).await?;
                }
                Ok(StatusCode::OK)
            }
            ProviderAnswer::Refused { .. } => Ok(StatusCode::OK),
            ProviderAnswer::Unknown { .. } => Err(Problem::new(ErrorCode::Unavailable)),
        }
    }
}
