//! A voucher as people see it.

use firstcome_core::ids::OrderId;
use firstcome_core::money::Money;
use firstcome_core::product::ProductKind;
use firstcome_core::time::Time;
use firstcome_core::voucher::VoucherState;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::Voucher;

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
    #[schema(value_type = Option<Object>)]
    face_value: Option<Money>,
    /// Gift card: what is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
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
        Self {
            kind: voucher.kind,
            state: voucher.account().state(now),
            face_value: voucher.money(voucher.face),
            balance: voucher.money(voucher.balance),
            valid_until: voucher.valid_until,
            order_id: voucher.order,
            issued_at: voucher.issued_at,
            code: voucher.code,
            product_name: voucher.product_name,
        }
    }
}
