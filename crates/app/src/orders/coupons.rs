//! What a coupon takes off an order. Whether it is used the ledger knows: its account is a line of the order.

use firstcome_core::codes::ErrorCode;
use firstcome_core::discount::NotApplicable;
use firstcome_core::ids::{EventId, OfferNumber, UserId, VoucherId};
use firstcome_core::money::Money;
use firstcome_core::product::Discount;
use firstcome_core::record;
use firstcome_core::records::Json;
use firstcome_core::time::Time;

use super::Orders;
use crate::http::{Outcome, Problem};
use crate::voucher_account::VoucherAccount;

record! {
    /// A coupon that a buyer has, or had.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Coupon in "coupons" {
        /// The voucher that it is.
        pub(super) voucher: VoucherId,
        /// The hash of its code.
        pub(super) code: EventId,
        /// Whose it is.
        pub(super) user: UserId,
        /// The offer that sold it, beside which its account is.
        pub(super) offer: OfferNumber,
        /// What it takes off.
        pub(super) discount: Json<Discount>,
        /// The least that an order must cost.
        pub(super) minimum_amount: Option<i64>,
        /// When it expires.
        pub(super) valid_until: Time,
        /// Whether it was canceled; missing in rows from before that was told.
        pub(super) voided: Option<bool>,
    }
    indexes [unique "coupons_by_code" ("code")]
}

impl Coupon {
    /// Its account, where it has one use.
    pub(super) fn account(&self) -> VoucherAccount {
        VoucherAccount { offer: self.offer, voucher: self.voucher, face: 1 }
    }
}

/// A coupon does not help here; `reason` tells a program why.
pub(super) fn not_applicable(reason: &str, detail: &str) -> Problem {
    Problem::new(ErrorCode::CouponNotApplicable).detail(detail).with("reason", reason)
}

impl Orders {
    /// The own coupon with this code, and what it takes off an order that costs `total`.
    pub(super) async fn coupon(&self, buyer: UserId, code: &str, total: Money) -> Outcome<(Coupon, i64)> {
        let found = self.own_vouchers.find::<Coupon>(code).await?.filter(|coupon| coupon.user == buyer);
        let coupon = found.ok_or_else(|| not_applicable("unknown", "You have no coupon with this code"))?;
        if coupon.voided == Some(true) {
            return Err(not_applicable("voided", "It has been canceled"));
        }
        if self.ports.clock.now() >= coupon.valid_until {
            return Err(not_applicable("expired", "It has expired").with("valid_until", coupon.valid_until));
        }
        match coupon.discount.0.of(coupon.minimum_amount, total) {
            Ok(discount) => {
                coupon.account().open(&*self.ports.ledger).await?;
                Ok((coupon, discount))
            }
            Err(NotApplicable::Currency) => Err(not_applicable("currency", "It is in another currency than the order")),
            Err(NotApplicable::BelowMinimum) => {
                Err(not_applicable("below_minimum", "The order costs too little for it")
                    .with("minimum_amount", coupon.minimum_amount))
            }
        }
    }
}
