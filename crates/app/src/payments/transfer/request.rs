//! `POST /api/v1/payments/virtual-accounts`: the buyer pays by a bank transfer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, OrderId, PaymentId, UserId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::{PaymentMethod, PaymentState};
use firstcome_core::ports::{Committed, ReceiptKind};
use firstcome_core::records::{Stored, Unit};
use firstcome_core::tax::{free_to_pay, of_order};
use firstcome_core::time::Time;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bank::{digits, is_account, is_bank, is_written_in_digits};
use super::details::Details;
use super::{AccountView, VirtualAccount};
use crate::http::{Body, Buyer, IdempotencyKey, MoneySchema, Outcome, Problem, one_line, some_text};
use crate::payments::Payments;
use crate::payments::confirm::{failed, may_try_again, over};
use crate::payments::receipts::ReceiptView;
use crate::payments::rows::{Payment, failed_attempts};

/// What a bank transfer needs.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BankTransfer)]
pub(in crate::payments) struct Request {
    /// The order that is paid.
    #[garde(skip)]
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    pub(in crate::payments) order_id: OrderId,
    /// The code of the bank to pay at.
    #[garde(custom(is_bank))]
    #[schema(example = "88")]
    pub(in crate::payments) bank: String,
    /// Who pays.
    #[garde(length(chars, min = 1, max = 100), custom(one_line), custom(some_text))]
    #[schema(example = "김하나")]
    pub(in crate::payments) depositor_name: String,
    /// Where the money goes if it must go back.
    #[garde(dive)]
    pub(in crate::payments) refund_account: AccountOfBuyer,
    /// The cash receipt that is wanted.
    #[garde(dive)]
    #[serde(default)]
    pub(in crate::payments) cash_receipt: Option<WantedReceipt>,
}

/// An account of the buyer.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefundAccount)]
pub(in crate::payments) struct AccountOfBuyer {
    /// The code of its bank.
    #[garde(custom(is_bank))]
    #[schema(example = "20")]
    pub(in crate::payments) bank: String,
    /// Its number.
    #[garde(custom(is_account))]
    #[schema(example = "1002-123-456789")]
    pub(in crate::payments) account_number: String,
    /// Whose it is.
    #[garde(length(chars, min = 1, max = 60), custom(one_line), custom(some_text))]
    #[schema(example = "김하나")]
    pub(in crate::payments) holder_name: String,
}

/// A cash receipt that is wanted.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedCashReceipt)]
pub(in crate::payments) struct WantedReceipt {
    /// `deduction` for a person's income tax, `expenditure` for a business.
    #[garde(skip)]
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "deduction")]
    pub(in crate::payments) kind: ReceiptKind,
    /// A person's mobile phone or cash receipt card, a business's registration number. Never a resident number.
    #[garde(custom(|number: &str, (): &()| is_receipt_number(self.kind, number)))]
    #[schema(example = "010-1234-5678")]
    pub(in crate::payments) number: String,
}

fn is_receipt_number(kind: ReceiptKind, number: &str) -> garde::Result {
    let plain = digits(number);
    let fits = match kind {
        ReceiptKind::Deduction => {
            let is_phone = plain.starts_with("01") && (10..=11).contains(&plain.len());
            is_phone || (16..=19).contains(&plain.len())
        }
        ReceiptKind::Expenditure => plain.len() == 10,
    };
    if fits && is_written_in_digits(number) {
        return Ok(());
    }
    Err(garde::Error::new(match kind {
        ReceiptKind::Deduction => "must be the number of a mobile phone or of a cash receipt card",
        ReceiptKind::Expenditure => "must be the ten digits of a business",
    }))
}

/// A bank transfer in its state of now.
#[derive(Serialize, ToSchema)]
#[schema(as = StartedBankTransfer)]
pub(in crate::payments) struct View {
    /// Names the attempt.
    #[schema(value_type = String, example = "pay_01h455vb4pex5vsknk084sn02q")]
    payment_id: PaymentId,
    /// The order.
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: OrderId,
    /// Where it stands; `READY` while it waits for the deposit.
    #[schema(value_type = String, example = "READY")]
    state: PaymentState,
    /// What must be deposited, to the unit.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// Where to.
    virtual_account: Option<AccountView>,
    /// The cash receipt, if one is wanted.
    cash_receipt: Option<ReceiptView>,
}

/// Opens a virtual account for an order, into which its money is paid before the order's time is over.
#[utoipa::path(
    post, path = "/api/v1/payments/virtual-accounts", tag = "payments", request_body = Request,
    params(("Idempotency-Key" = String, Header, description = "A new one for each new request; the same for a repeat")),
    responses(
        (status = 200, description = "The deposit is there", body = View),
        (status = 201, description = "The account is open and waits for its deposit", body = View),
        (status = 202, description = "The provider has not answered yet: its number follows in GET /payments/{order_id}", body = View),
        (status = 402, description = "payment_failed, with provider_code and provider_message; the order keeps its time"),
        (status = 404, description = "not_found: there is no such order of yours"),
        (status = 409, description = "hold_expired, payment_in_progress, already_paid, virtual_account_issued, or wrong_state for an order in another currency than KRW or after 20 failed attempts"),
        (status = 422, description = "idempotency_key_reused or invalid_body"),
        (status = 503, description = "overloaded or unavailable: nothing was opened; try again after Retry-After"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn post(
    State(payments): State<Arc<Payments>>,
    Buyer(buyer): Buyer,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<Response> {
    let wanted = Wanted {
        id: PaymentId::derived(&[&buyer.user.0, key.as_bytes()]),
        person: buyer.user,
        digest: payments.hidden(body.digest),
        request: body.value,
    };
    // A task of its own: what began goes on when the buyer hangs up.
    let opened = tokio::spawn(async move { payments.transfer(wanted).await });
    opened.await.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal)))
}

/// A request with its names.
pub(in crate::payments) struct Wanted {
    pub(in crate::payments) id: PaymentId,
    pub(in crate::payments) person: UserId,
    pub(in crate::payments) digest: i64,
    pub(in crate::payments) request: Request,
}

impl Payments {
    /// What is kept of a body's digest: nobody can try out on it what the body said of a person.
    fn hidden(&self, digest: BodyDigest) -> i64 {
        let index = self.ports.keys.index.of(&[b"virtual-accounts", &digest.to_be_bytes()]);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&index[..8]);
        i64::from_be_bytes(bytes)
    }

    pub(in crate::payments) async fn transfer(&self, wanted: Wanted) -> Outcome<Response> {
        let Ok(_place) = self.confirming.try_acquire() else { return Err(Problem::new(ErrorCode::Overloaded)) };
        let (id, digest) = (wanted.id, wanted.digest);
        let came = self.begin_transfer(wanted).await;
        self.answer(&self.as_before(id, digest, came).await?).await
    }

    async fn begin_transfer(&self, wanted: Wanted) -> Outcome<Stored<Payment>> {
        let (hold, due_at) = self.open_to_transfer(&wanted).await?;
        may_try_again(failed_attempts(&*self.ports.records, hold.order).await?)?;
        let attempt = self.write_account(wanted, &hold, due_at).await?;
        Ok(self.open_account(attempt).await?)
    }

    /// The hold of the caller's order, if there is time left to pay it, and until when.
    async fn open_to_transfer(&self, wanted: &Wanted) -> Outcome<(Hold, Time)> {
        let hold = self.ports.ledger.find(wanted.request.order_id).await?;
        let hold = hold.filter(|hold| hold.person == wanted.person).ok_or_else(Problem::not_found)?;
        let now = self.now();
        match hold.state {
            HoldState::Held if deadline(&hold) > now => {}
            HoldState::Held | HoldState::Released => return Err(Problem::new(ErrorCode::HoldExpired)),
            HoldState::Paying => return Err(Problem::new(ErrorCode::PaymentInProgress)),
            HoldState::Sold | HoldState::Returned => return Err(Problem::new(ErrorCode::AlreadyPaid)),
            HoldState::Prepared => return Err(Problem::not_found()),
        }
        if hold.due().currency != Currency::KRW {
            return Err(Problem::new(ErrorCode::WrongState).detail("Bank transfers are in KRW; pay by card"));
        }
        let end = self.stock.usable_until(&hold).await?;
        let due_at = end.map_or(deadline(&hold), |end| deadline(&hold).min(whole_seconds(end)));
        if due_at <= now { Err(over()) } else { Ok((hold, due_at)) }
    }

    /// The attempt and its account are on the disk before the provider is asked.
    async fn write_account(&self, wanted: Wanted, hold: &Hold, due_at: Time) -> Outcome<Stored<Payment>> {
        let Wanted { id, person, digest, request } = wanted;
        let (now, due) = (self.now(), hold.due());
        // Gift cards and coupons that are sold count as taxed: what kind an offer is of is not known here.
        let tax_free = free_to_pay(hold, of_order(hold, |_| false));
        let attempt = Payment {
            payment_id: id,
            order_id: hold.order,
            person,
            payment_key: id.to_string(),
            digest,
            amount: due.amount,
            currency: due.currency,
            state: PaymentState::Ready,
            live: None,
            refunded: 0,
            code: None,
            message: None,
            tries: 0,
            due_at: Some(now + self.options.lease),
            created_at: now,
            updated_at: now,
            method: Some(PaymentMethod::BankTransfer),
            tax_free: (tax_free > 0).then_some(tax_free),
        };
        let account = VirtualAccount::asked(&attempt, due_at, &request);
        let account = account.with(&Details::of(request), &self.ports.keys.sealer());
        match self.ports.records.commit(Unit::new().insert(&attempt).insert(&account)).await? {
            Committed::Done => Ok(Stored { record: attempt, version: 1 }),
            Committed::Conflict(_) => Err(Problem::new(ErrorCode::VirtualAccountIssued)
                .detail("The order has an account to pay into; GET /payments/{order_id} shows it")),
        }
    }

    async fn answer(&self, payment: &Payment) -> Outcome<Response> {
        if payment.state == PaymentState::Fail {
            return Err(failed(payment));
        }
        let status = match payment.state {
            PaymentState::Ready if !payment.is_unnamed() => StatusCode::CREATED,
            state if state.is_undecided() => StatusCode::ACCEPTED,
            _ => StatusCode::OK,
        };
        let view = View {
            payment_id: payment.payment_id,
            order_id: payment.order_id,
            state: payment.state,
            amount: payment.money(),
            virtual_account: self.account_view(payment).await?,
            cash_receipt: self.receipt_view(payment).await?,
        };
        Ok((status, Json(view)).into_response())
    }
}

/// Until when a deposit is taken for a hold: to its end.
fn deadline(hold: &Hold) -> Time {
    whole_seconds(hold.expires_at)
}

/// A time in the provider's whole seconds.
fn whole_seconds(time: Time) -> Time {
    Time::from_millis(time.as_secs() * 1_000)
}

impl VirtualAccount {
    fn asked(attempt: &Payment, due_at: Time, request: &Request) -> Self {
        Self {
            payment_id: attempt.payment_id,
            order_id: attempt.order_id,
            person: attempt.person,
            live: Some(attempt.order_id),
            bank: request.bank.clone(),
            due_at,
            receipt: request.cash_receipt.as_ref().map(|receipt| receipt.kind),
            forget_at: Some(due_at + super::forget::UNPAID_FOR),
            erased_at: None,
            created_at: attempt.created_at,
            sealed_with: 0,
            sealed: Vec::new(),
        }
    }
}

impl Details {
    fn of(request: Request) -> Self {
        Self {
            depositor: request.depositor_name,
            refund_bank: request.refund_account.bank,
            refund_number: digits(&request.refund_account.account_number),
            refund_holder: request.refund_account.holder_name,
            receipt_number: request.cash_receipt.map(|receipt| digits(&receipt.number)),
            account_number: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_receipts() {
        use ReceiptKind::{Deduction, Expenditure};
        for (kind, good) in [
            (Deduction, "010-1234-5678"),
            (Deduction, "0111234567"),
            (Deduction, "1234567890123456789"),
            (Expenditure, "123-45-67890"),
        ] {
            assert!(is_receipt_number(kind, good).is_ok(), "{good}");
        }
        for (kind, bad) in [
            (Deduction, ""),
            (Deduction, "02-123-4567"),
            (Deduction, "900101-1234567"),
            (Deduction, "010 1234 5678"),
            (Expenditure, "010-1234-5678"),
            (Expenditure, "123456789"),
        ] {
            assert!(is_receipt_number(kind, bad).is_err(), "{bad}");
        }
    }
}
