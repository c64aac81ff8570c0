//! The payment object, as the provider documents it (version 2022-11-16).

use firstcome_core::tax::{Tax, USUAL_PERCENT};
use firstcome_core::time::Time;
use serde::Serialize;

use super::rows::{Account, Cancel, Failure, SandboxPayment, Status};

/// How much of a payment's history is shown: an answer that is given again is the one that was given first.
#[derive(Clone, Copy)]
pub(super) enum View {
    /// As it is at this moment.
    Now(Time),
    /// As it was after this many cancels.
    After(usize),
    /// As it was when its account had been opened.
    Opened,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentObject<'a> {
    m_id: &'static str,
    version: &'static str,
    payment_key: &'a str,
    last_transaction_key: Option<&'a str>,
    order_id: &'a str,
    order_name: &'a str,
    r#type: &'static str,
    status: Status,
    method: &'static str,
    currency: &'a str,
    country: &'static str,
    total_amount: i64,
    balance_amount: i64,
    supplied_amount: i64,
    vat: i64,
    tax_free_amount: i64,
    tax_exemption_amount: i64,
    requested_at: String,
    approved_at: Option<String>,
    use_escrow: bool,
    culture_expense: bool,
    is_partial_cancelable: bool,
    card: Option<Card<'a>>,
    cancels: Option<Vec<CancelObject<'a>>>,
    receipt: Option<Url>,
    checkout: Url,
    failure: Option<&'a Failure>,
    secret: Option<&'a str>,
    virtual_account: Option<VirtualAccount<'a>>,
    transfer: Option<()>,
    mobile_phone: Option<()>,
    gift_certificate: Option<()>,
    cash_receipt: Option<()>,
    cash_receipts: Option<()>,
    discount: Option<()>,
    easy_pay: Option<()>,
    metadata: Option<()>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VirtualAccount<'a> {
    account_type: &'static str,
    account_number: &'a str,
    bank_code: &'a str,
    customer_name: &'a str,
    depositor_name: Option<&'a str>,
    due_date: String,
    expired: bool,
    settlement_status: &'static str,
    refund_status: &'static str,
    refund_receive_account: Option<RefundReceiveAccount<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundReceiveAccount<'a> {
    bank_code: &'a str,
    account_number: &'a str,
    holder_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Card<'a> {
    issuer_code: &'static str,
    acquirer_code: &'static str,
    number: &'static str,
    installment_plan_months: u8,
    is_interest_free: bool,
    interest_payer: Option<()>,
    approve_no: &'a str,
    use_card_point: bool,
    card_type: &'static str,
    owner_type: &'static str,
    acquire_status: &'static str,
    amount: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelObject<'a> {
    transaction_key: &'a str,
    cancel_amount: i64,
    cancel_reason: &'a str,
    canceled_at: String,
    cancel_status: &'static str,
    tax_free_amount: i64,
    tax_exemption_amount: i64,
    refundable_amount: i64,
    easy_pay_discount_amount: i64,
    receipt_key: Option<()>,
    cancel_request_id: Option<()>,
}

#[derive(Serialize)]
struct Url {
    url: String,
}

/// A moment as the provider writes it: whole seconds in Korean time.
pub(super) fn korean_time(time: Time) -> String {
    let second = jiff::Timestamp::from_second(time.as_secs()).unwrap_or_default();
    format!("{}+09:00", jiff::tz::Offset::constant(9).to_datetime(second))
}

/// A moment that was written in Korean time, without its offset.
pub(super) fn from_korean_time(written: &str) -> Option<Time> {
    let local = written.parse::<jiff::civil::DateTime>().ok()?;
    let timestamp = jiff::tz::Offset::constant(9).to_timestamp(local).ok()?;
    Some(Time(timestamp.as_microsecond()))
}

impl<'a> PaymentObject<'a> {
    pub(super) fn of(payment: &'a SandboxPayment, view: View) -> Self {
        let shown = match view {
            View::Now(_) => payment.cancels.0.as_slice(),
            View::After(count) => &payment.cancels.0[..count.min(payment.cancels.0.len())],
            View::Opened => &[],
        };
        let balance = payment.amount - shown.iter().map(|cancel| cancel.amount).sum::<i64>();
        let status = match view {
            View::Now(now) => payment.status_at(now),
            View::Opened => Status::WaitingForDeposit,
            View::After(_) if shown.is_empty() => Status::Done,
            View::After(_) if balance == 0 => Status::Canceled,
            View::After(_) => Status::PartialCanceled,
        };
        let tax_free = payment.tax_free.unwrap_or(0) - shown.iter().map(|cancel| cancel.tax_free).sum::<i64>();
        // Korean prices contain a tenth of the supplied amount as tax.
        let Tax { supplied, vat, .. } = Tax::of(balance - tax_free, tax_free, USUAL_PERCENT);
        let approved = payment.approved_at.is_some() && !matches!(view, View::Opened);
        let account = payment.account.as_ref().map(|account| &account.0);
        let last = shown.last().map(|cancel| cancel.transaction_key.as_str());
        Self {
            m_id: "firstcome_sandbox",
            version: "2022-11-16",
            payment_key: &payment.payment_key,
            last_transaction_key: last.or(payment.approval_key.as_deref().filter(|_| approved)),
            order_id: &payment.order_id,
            order_name: &payment.order_name,
            r#type: "NORMAL",
            status,
            method: if account.is_some() { "가상계좌" } else { "카드" },
            currency: payment.currency.as_str(),
            country: "KR",
            total_amount: payment.amount,
            balance_amount: balance,
            supplied_amount: supplied,
            vat,
            tax_free_amount: tax_free,
            tax_exemption_amount: 0,
            requested_at: korean_time(payment.requested_at),
            approved_at: payment.approved_at.filter(|_| approved).map(korean_time),
            use_escrow: false,
            culture_expense: false,
            is_partial_cancelable: true,
            card: (approved && account.is_none()).then(|| Card::of(payment)),
            cancels: (!shown.is_empty()).then(|| cancel_objects(payment.amount, shown)),
            receipt: approved.then(|| Url::of(&payment.payment_key, "receipt")),
            checkout: Url::of(&payment.payment_key, "checkout"),
            failure: payment.failure.0.as_ref(),
            secret: account.map(|account| account.secret.as_str()),
            virtual_account: account.map(|account| VirtualAccount::of(payment, account, status)),
            transfer: None,
            mobile_phone: None,
            gift_certificate: None,
            cash_receipt: None,
            cash_receipts: None,
            discount: None,
            easy_pay: None,
            metadata: None,
        }
    }
}

impl Url {
    fn of(payment_key: &str, what: &str) -> Self {
        Self { url: format!("https://sandbox.invalid/payments/{payment_key}/{what}") }
    }
}

impl<'a> VirtualAccount<'a> {
    fn of(payment: &'a SandboxPayment, account: &'a Account, status: Status) -> Self {
        let was_paid = !matches!(status, Status::WaitingForDeposit | Status::Expired) && payment.approved_at.is_some();
        let refunded = account.refunded_to.as_ref();
        Self {
            account_type: "일반",
            account_number: &account.number,
            bank_code: &account.bank,
            customer_name: &account.customer_name,
            depositor_name: was_paid.then_some(account.customer_name.as_str()),
            due_date: korean_time(payment.expires_at),
            expired: status == Status::Expired,
            settlement_status: "INCOMPLETED",
            refund_status: if refunded.is_some() { "COMPLETED" } else { "NONE" },
            refund_receive_account: refunded.map(|to| RefundReceiveAccount {
                bank_code: &to.bank,
                account_number: &to.number,
                holder_name: &to.holder,
            }),
        }
    }
}

impl<'a> Card<'a> {
    fn of(payment: &'a SandboxPayment) -> Self {
        let approval = payment.approval_key.as_deref().unwrap_or_default();
        Self {
            issuer_code: "11",
            acquirer_code: "11",
            number: "43301234****123*",
            installment_plan_months: 0,
            is_interest_free: false,
            interest_payer: None,
            approve_no: &approval[approval.len().saturating_sub(8)..],
            use_card_point: false,
            card_type: "신용",
            owner_type: "개인",
            acquire_status: "READY",
            amount: payment.amount,
        }
    }
}

/// The cancels, each with what could still be sent back after it.
pub(super) fn cancel_objects(amount: i64, cancels: &[Cancel]) -> Vec<CancelObject<'_>> {
    let mut left = amount;
    cancels
        .iter()
        .map(|cancel| {
            left -= cancel.amount;
            CancelObject {
                transaction_key: &cancel.transaction_key,
                cancel_amount: cancel.amount,
                cancel_reason: &cancel.reason,
                canceled_at: korean_time(cancel.at),
                cancel_status: "DONE",
                tax_free_amount: cancel.tax_free,
                tax_exemption_amount: 0,
                refundable_amount: left,
                easy_pay_discount_amount: 0,
                receipt_key: None,
                cancel_request_id: None,
            }
        })
        .collect()
}
