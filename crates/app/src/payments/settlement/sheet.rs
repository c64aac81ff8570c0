//! Checks and what they found, for the books.

use super::rows::{Finding, Settlement};
use crate::sheet::{guarded, maybe};

impl Settlement {
    /// What is written of it in books.
    pub const COLUMNS: [&str; 12] = [
        "settlement_id",
        "day",
        "nightly",
        "state",
        "matched",
        "in_flight",
        "mismatch",
        "missing_in_shop",
        "missing_at_provider",
        "duplicate",
        "created_at",
        "ended_at",
    ];

    /// Its row.
    pub fn row(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.day.clone(),
            self.nightly.to_string(),
            self.state.as_str().to_owned(),
            self.matched.to_string(),
            self.in_flight.to_string(),
            self.mismatches.to_string(),
            self.missing_in_shop.to_string(),
            self.missing_at_provider.to_string(),
            self.duplicates.to_string(),
            self.created_at.to_string(),
            maybe(self.ended_at),
        ]
    }
}

impl Finding {
    /// What is written of it in books.
    pub const COLUMNS: [&str; 13] = [
        "settlement_id",
        "class",
        "movement",
        "order_id",
        "provider_key",
        "provider_transaction",
        "at_provider",
        "in_shop",
        "currency",
        "payment_id",
        "refund_id",
        "detail",
        "at",
    ];

    /// Its row. The provider's words are words.
    pub fn row(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.class.as_str().to_owned(),
            self.movement.as_str().to_owned(),
            guarded(&self.order),
            guarded(&self.payment_key),
            guarded(self.transaction.as_deref().unwrap_or_default()),
            maybe(self.at_provider),
            maybe(self.in_shop),
            self.currency.to_string(),
            maybe(self.payment),
            maybe(self.refund),
            guarded(&self.detail),
            self.at.to_string(),
        ]
    }
}
