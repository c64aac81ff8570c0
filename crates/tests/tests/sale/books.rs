//! What the shop and the provider believe at the end.

use std::collections::BTreeMap;

/// Everything read back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// Every order of every buyer, by its id.
    pub(crate) orders: BTreeMap<String, OrderRow>,
    /// Every payment that the provider knows.
    pub(crate) charges: Vec<Charge>,
    /// Every voucher of every buyer.
    pub(crate) vouchers: Vec<VoucherRow>,
    /// Orders whose cancel was answered, and is refused when it is asked for again.
    pub(crate) refused_cancels: BTreeMap<String, String>,
    /// The counters of every offer.
    pub(crate) counters: BTreeMap<String, Counters>,
}

#[derive(Clone, Debug)]
pub(crate) struct OrderRow {
    pub(crate) buyer: usize,
    pub(crate) state: String,
    pub(crate) offer: String,
    pub(crate) quantity: u32,
    pub(crate) amount: i64,
    pub(crate) seq: u64,
    /// The time to pay has run out.
    pub(crate) overdue: bool,
    /// The state of the shop's own payment, if there is one.
    pub(crate) payment: Option<String>,
    /// The states of its refunds.
    pub(crate) refunds: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) payment_key: String,
    pub(crate) order: String,
    pub(crate) status: String,
    pub(crate) total: i64,
    pub(crate) balance: i64,
    pub(crate) cancels: Vec<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct VoucherRow {
    pub(crate) buyer: usize,
    pub(crate) code: String,
    pub(crate) order: String,
    pub(crate) state: String,
    pub(crate) balance: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) stock: i64,
    pub(crate) available: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
}

impl OrderRow {
    /// Units that are set aside for it.
    pub(crate) fn holds(&self) -> bool {
        matches!(self.state.as_str(), "PENDING" | "PAYING")
    }

    /// It was paid, or was free, and is not taken back.
    pub(crate) fn is_completed(&self) -> bool {
        self.state == "COMPLETED"
    }
}

impl Charge {
    /// Money moved.
    pub(crate) fn moved(&self) -> bool {
        matches!(self.status.as_str(), "DONE" | "CANCELED" | "PARTIAL_CANCELED")
    }

    /// Money moved and is still with the shop.
    pub(crate) fn is_kept(&self) -> bool {
        self.moved() && self.balance > 0
    }
}
