//! The provider's messages about virtual accounts and cash receipts.

use firstcome_core::ids::OrderId;
use firstcome_core::ports::{ProviderReceipt, ReceiptKind};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Number;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountRequestBody<'a> {
    pub(super) amount: Number,
    pub(super) order_id: OrderId,
    pub(super) order_name: String,
    pub(super) customer_name: &'a str,
    pub(super) bank: &'a str,
    pub(super) due_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tax_free_amount: Option<Number>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptRequestBody<'a> {
    pub(super) amount: Number,
    pub(super) order_id: OrderId,
    pub(super) order_name: String,
    pub(super) customer_identity_number: &'a str,
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tax_free_amount: Option<Number>,
}

#[derive(Serialize)]
pub(super) struct LowerReceiptBody {
    pub(super) amount: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptBody {
    receipt_key: String,
    #[serde(default)]
    issue_number: Option<String>,
    issue_status: String,
    #[serde(default)]
    failure: Option<FailureBody>,
}

#[derive(Deserialize)]
struct FailureBody {
    code: String,
}

impl ReceiptBody {
    /// The receipt in a body; none when it is not one. The tax office takes days to accept one, and until it refuses the
    /// provider counts it as issued.
    pub(super) fn parse(body: &[u8]) -> Option<ProviderReceipt> {
        let Self { receipt_key, issue_number, issue_status, failure } = serde_json::from_slice(body).ok()?;
        let failed = match issue_status.as_str() {
            "IN_PROGRESS" | "COMPLETED" => false,
            "FAILED" => true,
            _ => return None,
        };
        let failure = failed.then(|| failure.map_or_else(|| "FAILED".to_owned(), |failure| failure.code));
        Some(ProviderReceipt { receipt_key, issue_number: issue_number.unwrap_or_default(), failure })
    }
}

/// What the provider calls a kind of receipt.
pub(super) fn kind(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Deduction => "소득공제",
        ReceiptKind::Expenditure => "지출증빙",
    }
}

/// What stands on statements and receipts: the provider knows our orders, not what they are for.
pub(super) fn order_name(order: OrderId) -> String {
    format!("주문 {order}")
}

/// A moment as the provider reads it: whole seconds of Korean time, without an offset, never later than it is.
pub(super) fn korean_time(time: Time) -> String {
    let second = jiff::Timestamp::from_second(time.as_secs()).unwrap_or_default();
    jiff::tz::Offset::constant(9).to_datetime(second).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_later_than_the_hold() {
        assert_eq!(korean_time(Time(1_800_000_000_999_999)), "2027-01-15T17:00:00");
    }

    #[test]
    fn receipts_are_read() {
        let read = |body: &str| ReceiptBody::parse(body.as_bytes());
        let issued = read(r#"{"receiptKey":"k","issueNumber":"7","issueStatus":"IN_PROGRESS","failure":null,"x":1}"#);
        let expected = ProviderReceipt { receipt_key: "k".into(), issue_number: "7".into(), failure: None };
        assert_eq!(issued, Some(expected));
        let body = r#"{"receiptKey":"k","issueStatus":"FAILED","failure":{"code":"INVALID","message":"m"}}"#;
        assert_eq!(read(body).and_then(|receipt| receipt.failure).as_deref(), Some("INVALID"));
        assert_eq!(read(r#"{"receiptKey":"k","issueStatus":"UNHEARD"}"#), None);
        assert_eq!(read("{}"), None);
    }
}
