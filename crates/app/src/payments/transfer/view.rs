//! What a buyer is shown of an account.

use firstcome_core::ports::PortError;
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::account_of;
use crate::payments::Payments;
use crate::payments::rows::Payment;

/// The account that an order is paid into.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VirtualAccount)]
pub(in crate::payments) struct AccountView {
    /// The code of its bank.
    #[schema(example = "88")]
    bank: String,
    /// Its number; null until the provider has told it.
    #[schema(example = "56211234567890")]
    account_number: Option<String>,
    /// Who was said to pay.
    #[schema(example = "김하나")]
    depositor_name: String,
    /// Until when it takes a deposit: as long as the order is held.
    #[schema(value_type = String, format = DateTime)]
    due_at: Time,
}

impl Payments {
    /// The account of a payment; none for one that has none, or whose details were forgotten.
    pub(in crate::payments) async fn account_view(&self, payment: &Payment) -> Result<Option<AccountView>, PortError> {
        let Some(account) = account_of(&*self.ports.records, payment).await? else { return Ok(None) };
        Ok(self.details(&account.record).map(|details| AccountView {
            bank: account.record.bank,
            account_number: details.account_number,
            depositor_name: details.depositor,
            due_at: account.record.due_at,
        }))
    }
}
