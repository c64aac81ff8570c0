//! The provider's messages, as far as we read and write them.

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{ProviderAccount, ProviderCancel, ProviderPayment, ProviderStatus, RefundAccount};
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
pub(super) struct CancelRequest<'a> {
    pub(super) cancel_reason: String,
    /// All that is left when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cancel_amount: Option<Number>,
    /// What of it is free of VAT; nothing when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tax_free_amount: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refund_receive_account: Option<AccountBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountBody<'a> {
    bank: &'a str,
    account_number: &'a str,
    holder_name: &'a str,
}

impl<'a> AccountBody<'a> {
    pub(super) fn of(account: &'a RefundAccount) -> Self {
        Self { bank: &account.bank, account_number: &account.number.0, holder_name: &account.holder.0 }
    }
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
    #[serde(default)]
    virtual_account: Option<VirtualAccountBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VirtualAccountBody {
    account_number: String,
    bank_code: String,
    #[serde(default)]
    expired: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    transaction_key: String,
    cancel_amount: Number,
    #[serde(default)]
    tax_free_amount: Option<Number>,
    #[serde(default)]
    cancel_reason: Option<String>,
    #[serde(default)]
    cancel_status: Option<String>,
}

impl PaymentBody {
    /// The payment in a body; none when it is not one, or has a value that we do not know.
    pub(super) fn parse(body: &[u8]) -> Option<ProviderPayment> {
        serde_json::from_slice::<Self>(body).ok()?.read()
    }

    fn read(self) -> Option<ProviderPayment> {
        let currency = self.currency;
        let cancels = self.cancels.unwrap_or_default().into_iter().filter(CancelBody::is_done);
        Some(ProviderPayment {
            status: status(&self.status)?,
            total: from_number(&self.total_amount, currency)?,
            balance: from_number(&self.balance_amount, currency)?,
            tax_free: tax_free(self.tax_free_amount.as_ref(), currency)?,
            cancels: cancels.map(|cancel| cancel.read(currency)).collect::<Option<_>>()?,
            payment_key: self.payment_key,
            order_id: self.order_id,
            account: self.virtual_account.map(|account| ProviderAccount {
                bank: account.bank_code,
                number: account.account_number,
                expired: account.expired,
            }),
        })
    }
}

impl CancelBody {
    fn is_done(&self) -> bool {
        self.cancel_status.as_deref().is_none_or(|status| status == "DONE")
    }

    fn read(self, currency: Currency) -> Option<ProviderCancel> {
        let Money { amount, .. } = from_number(&self.cancel_amount, currency)?;
        let tax_free = tax_free(self.tax_free_amount.as_ref(), currency)?;
        let refund = self.cancel_reason.as_deref().and_then(refund_in);
        Some(ProviderCancel { transaction: self.transaction_key, amount, tax_free, refund })
    }
}

/// What is free of VAT; nothing where it is left out.
fn tax_free(amount: Option<&Number>, currency: Currency) -> Option<i64> {
    amount.map_or(Some(0), |amount| Some(from_number(amount, currency)?.amount))
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
