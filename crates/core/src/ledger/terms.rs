//! What an offer promises, as far as the ledger must know it.

use crate::ids::OfferId;
use crate::money::Money;
use crate::time::Time;

/// The largest stock of one offer; sums of stock stay far inside 64 bits.
pub const MAX_STOCK: u64 = 1_000_000_000;

/// The largest stock of an account of vouchers, which counts money: as many cards as an offer can sell, of the largest
/// value that one can have.
pub const MAX_ACCOUNT: u64 = 1_000_000_000_000_000_000;

/// The terms of an offer. The catalog owns them and sets them through the ledger's port; a higher version replaces a lower.
#[derive(Clone, Copy, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Terms {
    /// The offer that these are the terms of.
    #[n(0)]
    pub offer: OfferId,
    /// Grows with every change; a version that is not higher than the ledger's changes nothing.
    #[n(1)]
    pub version: u32,
    /// Units at the beginning. Read from the first version only; afterwards stock changes by `Adjust` alone.
    #[n(2)]
    pub initial_stock: u64,
    /// Price of one unit. Amount 0 is free: a hold is granted and committed in one event.
    #[n(3)]
    pub price: Money,
    /// Units that one person may hold and own over all their orders.
    #[n(4)]
    pub limit_per_person: Option<u32>,
    /// Units that one order may ask for.
    #[n(5)]
    pub max_per_order: u32,
    /// Nothing is held before this.
    #[n(6)]
    pub opens_at: Time,
    /// Nothing is held from this on; none means never.
    #[n(7)]
    pub closes_at: Option<Time>,
    /// Milliseconds from a hold to its expiry.
    #[n(8)]
    pub hold_for_ms: u32,
    /// When what is sold can be used no more: from this on no payment of it begins. None means never, and so do terms that
    /// were set before there was such an end.
    #[n(9)]
    pub usable_until: Option<Time>,
}

/// Terms that no ledger accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidTerms {
    /// See [`MAX_STOCK`] and [`MAX_ACCOUNT`].
    #[error("stock may be at most {MAX_STOCK}, that of an account {MAX_ACCOUNT}")]
    Stock,
    /// See [`Money::is_price`]; the price of the largest order must fit too.
    #[error("the price is negative or the largest order would be too expensive to count")]
    Price,
    /// An order must be able to ask for something.
    #[error("max_per_order must be at least 1")]
    MaxPerOrder,
}

impl Terms {
    /// Whether what is sold could not be used any more.
    pub fn is_over(&self, now: Time) -> bool {
        self.usable_until.is_some_and(|end| end <= now)
    }

    /// Checks what the state machine relies on: every product and sum that it forms fits.
    pub fn check(&self) -> Result<(), InvalidTerms> {
        if self.initial_stock > if self.offer.number().is_account() { MAX_ACCOUNT } else { MAX_STOCK } {
            return Err(InvalidTerms::Stock);
        }
        if self.max_per_order == 0 {
            return Err(InvalidTerms::MaxPerOrder);
        }
        if !self.price.is_price() || self.price.times(self.max_per_order).is_none() {
            return Err(InvalidTerms::Price);
        }
        Ok(())
    }
}
