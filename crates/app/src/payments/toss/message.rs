//! The provider's messages, as far as we read and write them.

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{ProviderCancel, ProviderPayment, ProviderStatus};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::amount::from_number;

/// Characters that the provider takes as the reason of a cancel.
const MAX_REASON: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmRequest<'a> {
    pub(super) payment_key: &'a str,
    pub(super) order_id: OrderId,
    pub(super) amount: Number,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelRequest {
    pub(super) cancel_reason: String,
    pub(super) cancel_amount: Number,
    /// What of it is free of VAT; nothing when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tax_free_amount: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentBody {
    payment_key: String,
    order_id: String,
    status: String,
    total_amount: Number,
    balance_amount: Number,
    #[serde(default)]
    tax_free_amount: Option<Number>,
    currency: Currency,
    #[serde(default)]
    cancels: Option<Vec<CancelBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    transaction_key: String,
    cancel_amount: Number,
    #[serde(default)]
    cancel_reason: Option<String>,
    #[serde(default)]
    cancel_status: Option<String>,
}

impl PaymentBody {
    /// The payment in our words; none when a field has a value that we do not know.
    pub(super) fn read(self) -> Option<ProviderPayment> {
        let currency = self.currency;
        let cancels = self.cancels.unwrap_or_default().into_iter().filter(CancelBody::is_done);
        Some(ProviderPayment {
            status: status(&self.status)?,
            total: from_number(&self.total_amount, currency)?,
            balance: from_number(&self.balance_amount, currency)?,
            tax_free: match &self.tax_free_amount {
                Some(amount) => from_number(amount, currency)?.amount,
                None => 0,
            },
            cancels: cancels.map(|cancel| cancel.read(currency)).collect::<Option<_>>()?,
            payment_key: self.payment_key,
            order_id: self.order_id,
        })
    }
}

impl CancelBody {
    fn is_done(&self) -> bool {
        self.cancel_status.as_deref().is_none_or(|status| status == "DONE")
    }

    fn read(self, currency: Currency) -> Option<ProviderCancel> {
        let Money { amount, .. } = from_number(&self.cancel_amount, currency)?;
        let refund = self.cancel_reason.as_deref().and_then(refund_in);
        Some(ProviderCancel { transaction: self.transaction_key, amount, refund })
    }
}

fn status(text: &str) -> Option<ProviderStatus> {
    Some(match text {
        "READY" => ProviderStatus::Ready,
        "IN_PROGRESS" => ProviderStatus::InProgress,
        "WAITING_FOR_DEPOSIT" => ProviderStatus::WaitingForDeposit,
        "DONE" => ProviderStatus::Done,
        "CANCELED" => ProviderStatus::Canceled,
        "PARTIAL_CANCELED" => ProviderStatus::PartialCanceled,
        "ABORTED" => ProviderStatus::Aborted,
        "EXPIRED" => ProviderStatus::Expired,
        _ => return None,
    })
}

/// The reason with the refund's id at its end, so that a cancel of ours is known again in the provider's list.
pub(crate) fn reason_with_refund(reason: &str, refund: RefundId) -> String {
    let mark = format!(" [{refund}]");
    let mut text: String = reason.chars().take(MAX_REASON - mark.len()).collect();
    text.push_str(&mark);
    text
}

fn refund_in(reason: &str) -> Option<RefundId> {
    let start = reason.rfind('[')?;
    reason[start + 1..].strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_known_again() {
        let refund = RefundId([7; 16]);
        let reason = reason_with_refund(&"마음이 바뀜 ".repeat(60), refund);
        assert!(reason.chars().count() <= MAX_REASON);
        assert_eq!(refund_in(&reason), Some(refund));
        assert_eq!(refund_in("고객 변심"), None);
        assert_eq!(refund_in("[no id]"), None);
    }
}
