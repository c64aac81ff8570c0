//! What a buyer says of themselves for a bank transfer. Encrypted; in no event, log or metric.

use firstcome_core::ports::{Personal, RefundAccount};
use firstcome_core::records::Record as _;
use serde::{Deserialize, Serialize};

use super::VirtualAccount;
use crate::secrets::{Sealed, Sealer, Unreadable};

/// The details of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Details {
    /// Who deposits.
    pub(super) depositor: String,
    /// Where money goes back to: the code of the bank, the number, whose it is.
    pub(super) refund_bank: String,
    pub(super) refund_number: String,
    pub(super) refund_holder: String,
    /// By what the tax office knows whose the cash receipt is.
    pub(super) receipt_number: Option<String>,
    /// The number of the virtual account, when it is open.
    pub(super) account_number: Option<String>,
}

impl Details {
    pub(super) fn refund_account(self) -> RefundAccount {
        RefundAccount {
            bank: self.refund_bank,
            number: Personal(self.refund_number),
            holder: Personal(self.refund_holder),
        }
    }
}

impl VirtualAccount {
    /// What sealed details are bound to.
    fn place(&self) -> [&[u8]; 2] {
        [Self::TABLE.name.as_bytes(), &self.payment_id.0]
    }

    /// The account with these details.
    pub(super) fn with(mut self, details: &Details, sealer: &Sealer) -> Self {
        let text = serde_json::to_string(details).unwrap_or_default();
        self.sealed = sealer.seal(&self.place(), &text);
        self.sealed_with = sealer.key();
        self
    }

    /// None when nobody can read them.
    pub(super) fn open(&self, sealer: &Sealer) -> Option<Details> {
        let text = sealer.open(self.sealed_with, &self.place(), &self.sealed).ok();
        let details = text.and_then(|text| serde_json::from_str(&text).ok());
        if details.is_none() {
            tracing::error!(payment = %self.payment_id, key = self.sealed_with, "the details of an account cannot be read");
        }
        details
    }
}

impl Sealed for VirtualAccount {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        self.sealed = sealer.reseal(self.sealed_with, &self.place(), &self.sealed)?;
        self.sealed_with = sealer.key();
        Ok(())
    }
}
