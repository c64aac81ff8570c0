//! `POST /v1/virtual-accounts`: an account that the buyer pays into.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::money::Currency;
use firstcome_core::ports::random_bytes;
use firstcome_core::records::Json;
use firstcome_core::time::Time;
use serde::Deserialize;

use super::Shown;
use super::authorization::Authorized;
use super::idempotency::Key;
use crate::sandbox::controls::pay::Purchase;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::faults::{Fault, Kind, On};
use crate::sandbox::object::{View, from_korean_time};
use crate::sandbox::rows::{Account, SandboxPayment, Status};
use crate::sandbox::{Sandbox, masked};

/// The banks at which the provider opens accounts.
const BANKS: [&str; 15] = ["03", "06", "07", "11", "20", "31", "32", "34", "37", "39", "45", "71", "81", "88", "89"];
/// How long an account is open when nothing is said.
const OPEN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long it may be open.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    amount: i64,
    order_id: String,
    order_name: String,
    customer_name: String,
    bank: String,
    due_date: Option<String>,
    valid_hours: Option<u32>,
    /// What of the amount is free of VAT.
    #[serde(default)]
    tax_free_amount: i64,
}

/// Opens an account.
pub(in crate::sandbox) async fn open(
    State(sandbox): State<Arc<Sandbox>>,
    _: Authorized,
    key: Key,
    body: Bytes,
) -> Response {
    match parse::<Request>(&body) {
        Ok(request) => {
            let work = async move |sandbox: Arc<Sandbox>, fault| sandbox.open_account(request, key, fault).await;
            sandbox.answer(On::VirtualAccount, work).await
        }
        Err(error) => error.into_response(),
    }
}

impl Sandbox {
    async fn open_account(&self, request: Request, key: Key, fault: Fault) -> Result<Shown, ApiError> {
        let claimed = key.0.clone().unwrap_or_else(|| self.new_key("opn"));
        let _claim = self.store.claim(&claimed).ok_or_else(ApiError::in_progress)?;
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        let now = self.now();
        if let Some(known) = self.store.find_by_open_key(&claimed).await?
            && key.repeats(known.record.open_key.as_ref(), known.record.requested_at, now)
        {
            return Ok((known, View::Opened));
        }
        if fault.kind == Some(Kind::Decline) {
            return Err(ApiError::declined(&fault.code));
        }
        let expires_at = check(&request, now)?;
        let account = Account {
            bank: request.bank,
            number: self.new_account(),
            customer_name: masked::name(&request.customer_name),
            secret: self.new_key("ps"),
            refunded_to: None,
        };
        let payment = SandboxPayment {
            payment_key: self.new_key("sbx"),
            order_id: request.order_id,
            order_name: request.order_name,
            amount: request.amount,
            currency: Currency::KRW,
            status: Status::WaitingForDeposit,
            requested_at: now,
            expires_at,
            approved_at: None,
            approval_key: None,
            confirm_key: None,
            failure: Json(None),
            cancels: Json(Vec::new()),
            account: Some(Json(account)),
            open_key: key.0,
            tax_free: (request.tax_free_amount > 0).then_some(request.tax_free_amount),
        };
        Ok((self.store.create(payment).await?, View::Opened))
    }

    /// A number of fourteen digits.
    fn new_account(&self) -> String {
        let drawn = u64::from_be_bytes(random_bytes::<8>(&*self.random));
        format!("5{:013}", drawn % 10_000_000_000_000)
    }
}

/// Until when the account is open, when it may be opened.
fn check(request: &Request, now: Time) -> Result<Time, ApiError> {
    let purchase = Purchase {
        order_id: request.order_id.clone(),
        amount: request.amount,
        order_name: request.order_name.clone(),
        currency: None,
        tax_free_amount: request.tax_free_amount,
    };
    purchase.check()?;
    if request.customer_name.is_empty() || request.customer_name.chars().count() > 100 {
        return Err(ApiError::invalid("customerName은 1자 이상 100자 이하여야 합니다."));
    }
    let bad = |code, message| Err(ApiError::new(StatusCode::BAD_REQUEST, code, message));
    if !BANKS.contains(&request.bank.as_str()) {
        return bad("INVALID_BANK", "유효하지 않은 은행입니다.");
    }
    let due = match (&request.due_date, request.valid_hours) {
        (Some(_), Some(_)) => return Err(ApiError::invalid("validHours와 dueDate는 함께 사용할 수 없습니다.")),
        (Some(text), None) => from_korean_time(text.strip_suffix("+09:00").unwrap_or(text)),
        (None, Some(hours)) => Some(now + Duration::from_secs(u64::from(hours) * 60 * 60)),
        (None, None) => Some(now + OPEN_FOR),
    };
    match due {
        Some(due) if due > now + LONGEST => {
            bad("EXCEED_MAX_DUE_DATE", "가상 계좌의 최대 유효만료 기간을 초과했습니다.")
        }
        Some(due) if due > now => Ok(due),
        _ => bad("INVALID_DATE", "날짜 데이터가 잘못 되었습니다."),
    }
}
