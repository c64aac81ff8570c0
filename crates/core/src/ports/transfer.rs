//! What the provider is told, and tells, of bank transfers: virtual accounts, where money goes back to, cash receipts.

use std::fmt;

use crate::ids::OrderId;
use crate::money::Money;
use crate::text_enum;
use crate::time::Time;

/// A virtual account as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderAccount {
    /// The code of its bank.
    pub bank: String,
    /// Its number.
    pub number: String,
    /// Whether it takes no deposit any more, because its time is over.
    pub expired: bool,
}

/// What a virtual account is asked for with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountRequest {
    /// The order that a deposit pays.
    pub order: OrderId,
    /// What must be deposited, to the unit.
    pub amount: Money,
    /// Minor units of it that are free of VAT.
    pub tax_free: i64,
    /// The code of the bank that it is to be at.
    pub bank: String,
    /// Who deposits.
    pub depositor: Personal,
    /// Until when. The provider counts whole seconds.
    pub due_at: Time,
}

/// Where money of a deposit goes back to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefundAccount {
    /// The code of its bank.
    pub bank: String,
    /// Its number, digits only.
    pub number: Personal,
    /// Whose it is.
    pub holder: Personal,
}

text_enum! {
    /// What a cash receipt is for.
    pub enum ReceiptKind {
        /// A person's income tax.
        Deduction = "deduction",
        /// A business's expenses.
        Expenditure = "expenditure",
    }
}

/// What a cash receipt is asked for with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiptRequest {
    /// The order that was paid.
    pub order: OrderId,
    /// What was paid.
    pub amount: Money,
    /// Minor units of it that are free of VAT.
    pub tax_free: i64,
    /// What it is for.
    pub kind: ReceiptKind,
    /// By what the tax office knows whose it is: the number of a phone, a card or a business.
    pub number: Personal,
}

/// A cash receipt as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderReceipt {
    /// The provider's name for it.
    pub receipt_key: String,
    /// The tax office's number of it.
    pub issue_number: String,
    /// Why the tax office refused it; none while it has not.
    pub failure: Option<String>,
}

/// What came of a call about a cash receipt. As for payments, silence is an outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReceiptAnswer {
    /// It answered with the receipt.
    Receipt(ProviderReceipt),
    /// It refused for good.
    Refused {
        /// The provider's error code.
        code: String,
        /// The provider's message, for people.
        message: String,
    },
    /// No answer, or one that says to ask again.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

/// What is personal: nothing shows it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal(pub String);

impl fmt::Debug for Personal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(personal)")
    }
}
