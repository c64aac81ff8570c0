//! Why stock was changed: a row for each adjustment, beside the ledger's record of it.

use firstcome_core::ids::{EventId, OfferId, UserId};
use firstcome_core::ports::Committed;
use firstcome_core::record;
use firstcome_core::records::{Direction, Query, Record as _, RecordsExt, Unit};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Catalog;
use crate::http::Outcome;

/// Adjustments that are shown.
const SHOWN: u32 = 20;

record! {
    /// A change of stock that the ledger has made.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct AdjustmentRow in "adjustments" {
        /// The ledger's name of it.
        pub(super) id: EventId,
        /// Whose stock.
        pub(super) offer: OfferId,
        /// Who did it.
        pub(super) by: UserId,
        /// When.
        pub(super) at: Time,
        /// Units added, or taken away when negative.
        pub(super) delta: i64,
        /// Why.
        pub(super) reason: String,
    }
    indexes [index "adjustments_by_offer" ("offer", "at")]
}

/// A change of stock.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StockAdjustment)]
pub(super) struct AdjustmentView {
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// Who did it.
    #[schema(value_type = String)]
    by: UserId,
    /// Units added, or taken away when negative.
    delta: i64,
    reason: String,
}

impl Catalog {
    /// Keeps why the ledger's stock was changed. Asked again after a crash or for the same key, it is kept once.
    pub(super) async fn keep_adjustment(&self, row: AdjustmentRow) -> Outcome<()> {
        match self.ports.records.commit(Unit::new().insert(&row)).await? {
            Committed::Done | Committed::Conflict(_) => Ok(()),
        }
    }

    /// The last adjustments of an offer, newest first.
    pub(super) async fn adjustments(&self, offer: OfferId) -> Outcome<Vec<AdjustmentView>> {
        let query = Query::all(AdjustmentRow::TABLE, SHOWN).is("offer", offer).order_by("at", Direction::Descending);
        let rows = self.ports.records.list::<AdjustmentRow>(query).await?;
        let view = |AdjustmentRow { at, by, delta, reason, .. }| AdjustmentView { at, by, delta, reason };
        Ok(rows.into_iter().map(|stored| view(stored.record)).collect())
    }
}
