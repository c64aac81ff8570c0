//! For tools and tests, without a key: paying like a buyer, what the provider believes, and what goes wrong.

pub(super) mod deposit;
pub(super) mod list;
pub(super) mod pay;
pub(super) mod receipts;
pub(super) mod rules;
