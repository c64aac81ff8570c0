//! Changes of stock: a row for each that was asked for, written before the ledger decides. So a key means one change for
//! ever, whoever is told that it was made can read why, and one that could not be written down was not made either.

use std::collections::HashSet;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, OfferId, UserId};
use firstcome_core::ports::Committed;
use firstcome_core::record;
use firstcome_core::records::{Direction, Query, Record as _, RecordsExt, Unit};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Catalog;
use crate::actions::aside;
use crate::http::{Outcome, Problem};

/// Adjustments that are shown, and rows that are looked at for them.
const SHOWN: usize = 20;
const LOOKED_AT: u32 = 100;

record! {
    /// A change of stock that was asked for. The ledger knows whether it was made.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct AdjustmentRow in "adjustments" {
        /// The ledger's name of it: it follows from who asked, and their key.
        pub(super) id: EventId,
        /// Offer and body, so that the key means the same when it comes again.
        pub(super) digest: Vec<u8>,
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
    /// Writes a change down before it is made. Another one under the same key is refused.
    pub(super) async fn intend(&self, row: &AdjustmentRow) -> Outcome<()> {
        if aside(self.ports.records.commit(Unit::new().insert(row))).await? == Committed::Done {
            return Ok(());
        }
        let first = self.ports.records.load::<AdjustmentRow>(row.id).await?;
        let is_same = first.is_some_and(|first| first.record.digest == row.digest);
        if is_same { Ok(()) } else { Err(Problem::new(ErrorCode::IdempotencyKeyReused)) }
    }

    /// The last adjustments of an offer that were made, newest first.
    pub(super) async fn adjustments(&self, offer: OfferId) -> Outcome<Vec<AdjustmentView>> {
        let Some(state) = self.ports.ledger.snapshot(offer.number()).await? else { return Ok(Vec::new()) };
        let made: HashSet<EventId> = state.offer.adjustments.into_iter().map(|(id, _)| id).collect();
        let query =
            Query::all(AdjustmentRow::TABLE, LOOKED_AT).is("offer", offer).order_by("at", Direction::Descending);
        let rows = self.ports.records.list::<AdjustmentRow>(query).await?;
        let rows = rows.into_iter().map(|stored| stored.record).filter(|row| made.contains(&row.id));
        let view = |AdjustmentRow { at, by, delta, reason, .. }| AdjustmentView { at, by, delta, reason };
        Ok(rows.take(SHOWN).map(view).collect())
    }
}
