//! What moved at the payment provider, as it lists it: a charge is one movement, each cancel another.

use crate::money::Money;
use crate::text_enum;
use crate::time::Time;

text_enum! {
    /// Which way money moved.
    pub enum Movement {
        /// To us.
        Charge = "charge",
        /// Back.
        Cancel = "cancel",
    }
}

/// One movement of money.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderTransaction {
    /// The provider's name for it.
    pub transaction: String,
    /// The payment that it is of.
    pub payment_key: String,
    /// The order, as the provider was told.
    pub order_id: String,
    /// Which way it moved.
    pub movement: Movement,
    /// How much; never negative.
    pub amount: Money,
    /// When, to the second.
    pub at: Time,
}

/// A page of movements. What moved no money (an account that waits for a deposit, say) is left out, so a page that is not
/// the last may be empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProviderTransactions {
    /// The movements.
    pub items: Vec<ProviderTransaction>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}
