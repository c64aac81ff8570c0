//! A voucher as people see it.

use firstcome_core::ids::OrderId;
use firstcome_core::money::Money;
use firstcome_core::product::ProductKind;
use firstcome_core::time::Time;
use firstcome_core::voucher::VoucherState;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::Voucher;
use crate::http::MoneySchema;

/// A voucher.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Voucher)]
pub(super) struct VoucherView {
    /// What its owner shows.
    #[schema(example = "7Q4M-2K9D-XW3T-P0RV")]
    code: String,
    #[schema(value_type = String, example = "gift_card")]
    kind: ProductKind,
    /// ACTIVE, USING, USED, EXPIRED or CANCELED.
    #[schema(value_type = String, example = "ACTIVE")]
    state: VoucherState,
    product_name: String,
    /// Gift card: what was put on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    face_value: Option<Money>,
    /// Gift card: what is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    balance: Option<Money>,
    #[schema(value_type = String, format = DateTime)]
    valid_until: Time,
    #[schema(value_type = String)]
    order_id: OrderId,
    #[schema(value_type = String, format = DateTime)]
    issued_at: Time,
}

impl VoucherView {
    pub(super) fn new(voucher: Voucher, now: Time) -> Self {
        let state = voucher.account().state(now);
        // What was on a canceled card went back, as its history says.
        let left = if state == VoucherState::Canceled { 0 } else { voucher.balance };
        Self {
            kind: voucher.kind,
            state,
            face_value: voucher.money(voucher.face),
            balance: voucher.money(left),
            valid_until: voucher.valid_until,
            order_id: voucher.order,
            issued_at: voucher.issued_at,
            code: voucher.code,
            product_name: voucher.product_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::{UserId, VoucherId};
    use firstcome_core::money::Currency;

    use super::*;

    #[test]
    fn nothing_is_left_on_a_canceled_card() {
        let card = Voucher {
            id: VoucherId::NIL,
            code: "7Q4M-2K9D-XW3T-P0RV".to_owned(),
            order: OrderId::NIL,
            user: UserId::NIL,
            kind: ProductKind::GiftCard,
            product_name: "Gift card".to_owned(),
            face: 10_000,
            currency: Currency::KRW,
            balance: 4_000,
            valid_until: Time(100),
            voided: false,
            issued_at: Time(0),
            offer: None,
        };
        let balance = |voided, now| VoucherView::new(Voucher { voided, ..card.clone() }, now).balance;
        assert_eq!(balance(false, Time(1)), Some(Money::new(4_000, Currency::KRW)));
        assert_eq!(balance(true, Time(1)), Some(Money::new(0, Currency::KRW)));
        assert_eq!(balance(false, Time(100)), Some(Money::new(4_000, Currency::KRW)));
    }
}
