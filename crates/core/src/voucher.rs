//! A voucher as an account: what is on it, what was taken off, and what may be done with it.

use serde::{Deserialize, Serialize};

use crate::text_enum;
use crate::time::Time;

/// The most that is put on one gift card, in minor units: its account in the ledger counts them.
pub const MAX_FACE: i64 = 1_000_000_000;

text_enum! {
    /// Where a voucher stands.
    pub enum VoucherState {
        /// Untouched.
        Active = "ACTIVE",
        /// Part of the balance was spent.
        Using = "USING",
        /// Nothing is left.
        Used = "USED",
        /// Its time ran out before it was used up.
        Expired = "EXPIRED",
        /// Its order was canceled.
        Canceled = "CANCELED",
    }
}

/// The account of one voucher: minor units for a gift card, one use for a ticket or a coupon.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// What was put on it.
    pub face: i64,
    /// What is left; never negative, never above `face`.
    pub balance: i64,
    /// When it expires.
    pub valid_until: Time,
    /// Whether it was canceled.
    pub voided: bool,
}

/// What came of redeeming.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redeemed {
    /// Taken off; the account as it is now.
    Done(Account),
    /// There is less on it than that.
    InsufficientBalance,
    /// Nothing is left on it.
    AlreadyUsed,
    /// Its time ran out.
    Expired,
    /// It was canceled.
    Voided,
}

/// What came of voiding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Voiding {
    /// It can be used no more; the account as it is now.
    Done(Account),
    /// Some of it was used: it cannot be taken back.
    InUse,
}

impl Account {
    /// A fresh account.
    pub fn new(face: i64, valid_until: Time) -> Self {
        Self { face, balance: face, valid_until, voided: false }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Time) -> VoucherState {
        if self.voided {
            VoucherState::Canceled
        } else if self.balance == 0 {
            VoucherState::Used
        } else if now >= self.valid_until {
            VoucherState::Expired
        } else if self.balance < self.face {
            VoucherState::Using
        } else {
            VoucherState::Active
        }
    }

    /// Takes `amount` off, at least 1.
    pub fn redeem(self, amount: i64, now: Time) -> Redeemed {
        match self.state(now) {
            VoucherState::Canceled => Redeemed::Voided,
            VoucherState::Used => Redeemed::AlreadyUsed,
            VoucherState::Expired => Redeemed::Expired,
            VoucherState::Active | VoucherState::Using if amount < 1 || amount > self.balance => {
                Redeemed::InsufficientBalance
            }
            VoucherState::Active | VoucherState::Using => {
                Redeemed::Done(Self { balance: self.balance - amount, ..self })
            }
        }
    }

    /// Takes the whole voucher back, if nothing of it was used. Voiding twice is voiding once. `force` voids what is left
    /// even so: the money was taken back over our heads.
    pub fn void(self, force: bool) -> Voiding {
        if !self.voided && self.balance < self.face && !force {
            return Voiding::InUse;
        }
        Voiding::Done(Self { voided: true, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_never_overdrawn() {
        let card = Account::new(10_000, Time(100));
        let Redeemed::Done(card) = card.redeem(4_000, Time(1)) else { panic!("redeemable") };
        assert_eq!(card.redeem(6_001, Time(1)), Redeemed::InsufficientBalance);
        assert_eq!(card.void(false), Voiding::InUse);
        let Redeemed::Done(card) = card.redeem(6_000, Time(1)) else { panic!("redeemable") };
        assert_eq!(card.redeem(1, Time(1)), Redeemed::AlreadyUsed);
        assert_eq!(Account::new(1, Time(5)).redeem(1, Time(5)), Redeemed::Expired);
        assert_eq!(Account::new(1, Time(5)).redeem(-1, Time(1)), Redeemed::InsufficientBalance);
    }
}
