//! What a buyer is shown of a cash receipt.

use firstcome_core::money::Money;
use firstcome_core::payment::{PaymentState, ReceiptState};
use firstcome_core::ports::{PortError, ReceiptKind};
use firstcome_core::records::RecordsExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::CashReceipt;
use crate::http::MoneySchema;
use crate::payments::Payments;
use crate::payments::rows::Payment;
use crate::payments::transfer::account_of;

/// The cash receipt of a payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CashReceipt)]
pub(in crate::payments) struct ReceiptView {
    /// `deduction` or `expenditure`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "deduction")]
    kind: ReceiptKind,
    /// `PENDING` until the deposit is there and delivered for; `ISSUED`, `PARTIAL_CANCELED`, `CANCELED`; `FAILED`.
    #[schema(value_type = String, example = "ISSUED")]
    state: ReceiptState,
    /// What it is over now: what was paid, less what went back.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// The tax office's number of it, when it is issued.
    #[schema(example = "162736411")]
    issue_number: Option<String>,
    /// Why it failed, or was not lowered.
    provider_code: Option<String>,
}

impl Payments {
    /// The receipt of a payment, if one is wanted.
    pub(in crate::payments) async fn receipt_view(&self, payment: &Payment) -> Result<Option<ReceiptView>, PortError> {
        if let Some(receipt) = self.ports.records.load::<CashReceipt>(payment.payment_id).await? {
            return Ok(Some(receipt.record.into()));
        }
        if payment.state == PaymentState::Fail {
            return Ok(None);
        }
        let account = account_of(&*self.ports.records, payment).await?;
        Ok(account.and_then(|account| account.record.receipt).map(|kind| ReceiptView {
            kind,
            state: ReceiptState::Pending,
            amount: payment.money(),
            issue_number: None,
            provider_code: None,
        }))
    }
}

impl From<CashReceipt> for ReceiptView {
    fn from(receipt: CashReceipt) -> Self {
        Self {
            kind: receipt.kind,
            state: receipt.state,
            amount: receipt.money(receipt.amount - receipt.lowered),
            issue_number: receipt.issue_number,
            provider_code: receipt.code,
        }
    }
}
