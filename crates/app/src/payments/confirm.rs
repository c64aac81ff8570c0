//! `POST /api/v1/payments/confirm`: the buyer comes back from the provider's checkout.
//!
//! The way of a purchase, with two commits in all: the attempt, and DONE. A repeated request is recognised by its row,
//! whose key is derived from person and idempotency key: the insert is the check. What is read before it (how many
//! attempts failed already) is read while the provider is asked.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, OrderId, PaymentId, UserId};
use firstcome_core::ledger::{Hold, HoldState, ReleaseReason};
use firstcome_core::money::Money;
use firstcome_core::payment::{PaymentMethod, PaymentState, is_not_found};
use firstcome_core::ports::{Committed, PortError, ProviderAnswer, ProviderPayment, ProviderStatus};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Payments;
use super::rows::{Payment, failed_attempts, live_payment};
use super::toss::is_payment_key;
use crate::http::{Body, Buyer, IdempotencyKey, MoneySchema, Outcome, Problem};
use crate::stock::Pinned;

/// Attempts of one order that may fail. Whoever has tried so often tries something else than to pay; and what is known of
/// an order must stay a handful.
const MAX_FAILED: usize = 20;

/// What the provider's checkout gave the buyer back.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmPayment)]
pub(super) struct Request {
    /// The order that is paid.
    #[garde(skip)]
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    pub(super) order_id: OrderId,
    /// The provider's name for the payment.
    #[garde(custom(is_key))]
    #[schema(example = "sbx_01h455vb4pex5vsknk084sn02q")]
    pub(super) payment_key: String,
    /// What the buyer was shown; must be what the order costs, less what a gift card pays of it.
    #[garde(skip)]
    #[schema(value_type = MoneySchema)]
    pub(super) amount: Money,
}

/// A payment in its state of now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfirmedPayment)]
pub(super) struct View {
    /// Names the attempt.
    #[schema(value_type = String, example = "pay_01h455vb4pex5vsknk084sn02q")]
    payment_id: PaymentId,
    /// The order.
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: OrderId,
    /// Where it stands.
    #[schema(value_type = String, example = "DONE")]
    state: PaymentState,
}

fn is_key(key: &str, (): &()) -> garde::Result {
    if is_payment_key(key) {
        return Ok(());
    }
    Err(garde::Error::new("1 to 200 letters, digits, - and _"))
}

/// Collects the money of an order and delivers it.
#[utoipa::path(
    post, path = "/api/v1/payments/confirm", tag = "payments", request_body = Request,
    params(("Idempotency-Key" = String, Header, description = "A new one for each new request; the same for a repeat")),
    responses(
        (status = 200, description = "The money is there and the order is completed", body = View),
        (status = 202, description = "The provider has not answered: ask again, or look at the order", body = View),
        (status = 402, description = "payment_failed, with provider_code and provider_message; the order keeps its time"),
        (status = 404, description = "not_found: there is no such order of yours"),
        (status = 409, description = "hold_expired, payment_in_progress, already_paid, or wrong_state after 20 failed attempts"),
        (status = 422, description = "amount_mismatch, payment_mismatch, idempotency_key_reused or invalid_body"),
        (status = 503, description = "overloaded or unavailable: nothing was collected; try again after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(payments): State<Arc<Payments>>,
    Buyer(buyer): Buyer,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<Response> {
    let confirmation = Confirmation {
        id: PaymentId::derived(&[&buyer.user.0, key.as_bytes()]),
        person: buyer.user,
        digest: body.digest,
        request: body.value,
    };
    // A task of its own: a buyer who hangs up does not leave the units pinned until the resolver comes by.
    let confirmed = tokio::spawn(async move { payments.confirm(confirmation).await });
    confirmed.await.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal)))
}

/// A request with its names.
pub(super) struct Confirmation {
    pub(super) id: PaymentId,
    pub(super) person: UserId,
    pub(super) digest: BodyDigest,
    pub(super) request: Request,
}

/// What the provider has of a payment that is to be confirmed.
enum Checked {
    /// It waits for the confirmation; so many minor units of it count as free of VAT.
    Waits { tax_free: i64 },
    /// It was charged without us.
    Taken(Box<Stored<Payment>>),
}

impl Payments {
    pub(super) async fn confirm(&self, confirmation: Confirmation) -> Outcome<Response> {
        let Ok(_place) = self.confirming.try_acquire() else { return Err(Problem::new(ErrorCode::Overloaded)) };
        let came = self.pay(&confirmation).await;
        answer(&self.as_before(confirmation.id, confirmation.digest as i64, came).await?)
    }

    /// What came of a request. One that came before is answered by what became of it, not by what would become of it now.
    pub(super) async fn as_before(
        &self,
        id: PaymentId,
        digest: i64,
        came: Outcome<Stored<Payment>>,
    ) -> Outcome<Payment> {
        let problem = match came {
            Ok(payment) => return Ok(payment.record),
            Err(problem) => problem,
        };
        match self.ports.records.load::<Payment>(id).await? {
            Some(payment) if payment.record.digest == digest => Ok(payment.record),
            Some(_) => Err(Problem::new(ErrorCode::IdempotencyKeyReused)),
            None => Err(problem),
        }
    }

    async fn pay(&self, confirmation: &Confirmation) -> Outcome<Stored<Payment>> {
        let hold = self.payable(confirmation).await?;
        let (checked, failed) =
            tokio::join!(self.check_at_provider(confirmation), failed_attempts(&*self.ports.records, hold.order));
        // Money that came is taken, however often it was tried before.
        let tax_free = match checked? {
            Checked::Taken(payment) => return Ok(*payment),
            Checked::Waits { tax_free } => tax_free,
        };
        may_try_again(failed?)?;
        let attempt = self.write_attempt(confirmation, tax_free).await?;
        let refused = match self.stock.begin(&hold, attempt.record.payment_id).await {
            Ok(Pinned::Yes) => {
                return match self.overtaken(&attempt, &hold).await? {
                    Some(payment) => Ok(payment),
                    None => Ok(self.collect(attempt, &hold).await?),
                };
            }
            Ok(Pinned::No(code)) => Problem::new(code),
            Ok(Pinned::Over) => over(),
            Err(PortError::Overloaded) => Problem::new(ErrorCode::Overloaded),
            Err(error) => return Ok(self.undecided(attempt, error.to_string()).await?),
        };
        self.withdraw(attempt).await?;
        Err(refused)
    }

    /// The hold of the caller's order, if it can still be paid. One that seems to be held is good enough: whether it is
    /// will be decided when it is pinned.
    async fn payable(&self, confirmation: &Confirmation) -> Outcome<Hold> {
        let order = confirmation.request.order_id;
        let hold = match self.ports.ledger.known(order).await? {
            Some(hold) if hold.state == HoldState::Held => Some(hold),
            _ => self.ports.ledger.find(order).await?,
        };
        let hold = hold.filter(|hold| hold.person == confirmation.person).ok_or_else(Problem::not_found)?;
        match hold.state {
            HoldState::Held => {}
            HoldState::Released if hold.reason == ReleaseReason::Expired => {}
            HoldState::Released => return Err(Problem::new(ErrorCode::HoldExpired)),
            HoldState::Paying => return Err(Problem::new(ErrorCode::PaymentInProgress)),
            HoldState::Sold | HoldState::Returned => return Err(Problem::new(ErrorCode::AlreadyPaid)),
            HoldState::Prepared => return Err(Problem::not_found()),
        }
        if hold.due() != confirmation.request.amount {
            return Err(Problem::new(ErrorCode::AmountMismatch).with("amount", hold.due()));
        }
        Ok(hold)
    }

    /// Step 1: the provider's payment must be for this order, amount and currency. A payment that was charged without us
    /// is taken as it is.
    async fn check_at_provider(&self, confirmation: &Confirmation) -> Outcome<Checked> {
        let Request { order_id, payment_key, amount } = &confirmation.request;
        let payment = match self.ports.provider.lookup(payment_key).await {
            ProviderAnswer::Payment(payment) => payment,
            ProviderAnswer::Refused { code, .. } if is_not_found(&code) => {
                return Err(Problem::new(ErrorCode::PaymentMismatch).with("provider_code", code));
            }
            ProviderAnswer::Refused { code, .. } => {
                tracing::error!(code, "the payment provider refuses to be asked");
                return Err(Problem::new(ErrorCode::Unavailable));
            }
            ProviderAnswer::Unknown { reason } => {
                tracing::warn!(reason, "the payment provider does not answer");
                return Err(Problem::new(ErrorCode::Unavailable));
            }
        };
        if payment.order_id.parse() != Ok(*order_id) {
            return Err(Problem::new(ErrorCode::PaymentMismatch));
        }
        if payment.total != *amount {
            return Err(Problem::new(ErrorCode::AmountMismatch).with("amount", amount));
        }
        match payment.status {
            ProviderStatus::Ready | ProviderStatus::InProgress => Ok(Checked::Waits { tax_free: payment.tax_free }),
            ProviderStatus::Done | ProviderStatus::PartialCanceled => self.taken_as_it_is(*order_id, payment).await,
            ProviderStatus::WaitingForDeposit => Err(refused("WAITING_FOR_DEPOSIT", "The deposit has not arrived")),
            ProviderStatus::Canceled => Err(refused("CANCELED", "The payment was canceled at the provider")),
            ProviderStatus::Aborted => Err(refused("ABORTED", "The payment was not approved")),
            ProviderStatus::Expired => Err(refused("EXPIRED", "The payment was not confirmed in time")),
        }
    }

    async fn taken_as_it_is(&self, order: OrderId, payment: ProviderPayment) -> Outcome<Checked> {
        self.follow(order, payment).await?;
        let live = live_payment(&*self.ports.records, order).await?;
        live.map(|payment| Checked::Taken(Box::new(payment))).ok_or_else(|| Problem::new(ErrorCode::AlreadyPaid))
    }

    /// Step 2: the attempt is on the disk before anyone is asked to do anything.
    pub(super) async fn write_attempt(&self, confirmation: &Confirmation, tax_free: i64) -> Outcome<Stored<Payment>> {
        let now = self.now();
        let Request { order_id, payment_key, amount } = &confirmation.request;
        let attempt = Payment {
            payment_id: confirmation.id,
            order_id: *order_id,
            person: confirmation.person,
            payment_key: payment_key.clone(),
            digest: confirmation.digest as i64,
            amount: amount.amount,
            currency: amount.currency,
            state: PaymentState::InProgress,
            live: Some(*order_id),
            refunded: 0,
            code: None,
            message: None,
            tries: 0,
            due_at: Some(now + self.options.lease),
            created_at: now,
            updated_at: now,
            method: Some(PaymentMethod::Checkout),
            tax_free: (tax_free > 0).then_some(tax_free),
        };
        match self.ports.records.commit(Unit::new().insert(&attempt)).await? {
            Committed::Done => Ok(Stored { record: attempt, version: 1 }),
            Committed::Conflict(_) => {
                let live = live_payment(&*self.ports.records, *order_id).await?;
                let paid = live.is_some_and(|payment| payment.record.state.is_charged());
                Err(Problem::new(if paid { ErrorCode::AlreadyPaid } else { ErrorCode::PaymentInProgress }))
            }
        }
    }

    /// Takes back an attempt that pinned nothing, so that the same request is decided anew. If someone else went on with
    /// it in the meantime it stays.
    async fn withdraw(&self, attempt: Stored<Payment>) -> Result<(), PortError> {
        let unit = Unit::new().update(&attempt).delete(&attempt.record);
        self.ports.records.commit(unit).await.map(|_| ())
    }
}

/// Refuses one more attempt of an order of which so many failed.
pub(super) fn may_try_again(failed: usize) -> Outcome<()> {
    if failed < MAX_FAILED {
        return Ok(());
    }
    let detail = format!("{MAX_FAILED} payments of this order failed; no more are tried. Order anew");
    Err(Problem::new(ErrorCode::WrongState).detail(detail).with("failed_attempts", MAX_FAILED))
}

/// What the buyer is told who would pay for a day that is over.
pub(super) fn over() -> Problem {
    Problem::new(ErrorCode::HoldExpired).detail("The day that the order is for is over. No money was taken")
}

fn refused(code: &str, message: &str) -> Problem {
    Problem::new(ErrorCode::PaymentFailed).detail(message).with("provider_code", code).with("provider_message", message)
}

/// What the buyer is told of an attempt that failed.
pub(super) fn failed(payment: &Payment) -> Problem {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    refused(&text(&payment.code), &text(&payment.message)).with("payment_id", payment.payment_id)
}

/// What the buyer is told of an attempt.
fn answer(payment: &Payment) -> Outcome<Response> {
    let status = match payment.state {
        PaymentState::Done | PaymentState::PartialCanceled | PaymentState::Canceled => StatusCode::OK,
        PaymentState::Ready | PaymentState::InProgress | PaymentState::Unknown | PaymentState::Quarantined => {
            StatusCode::ACCEPTED
        }
        PaymentState::Fail => return Err(failed(payment)),
    };
    let view = View { payment_id: payment.payment_id, order_id: payment.order_id, state: payment.state };
    Ok((status, Json(view)).into_response())
}
