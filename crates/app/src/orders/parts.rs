//! Parts of an order's money that went back at the provider's side. They are a matter between the shop and its buyer and
//! leave the delivery; a refund of the order is about what they have left.

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ports::{PortError, Records};
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;

/// Parts of one order that are read; the provider books a few at most.
const MOST: u32 = 1_000;

record! {
    /// A part that went back.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct PartBack in "parts_back" {
        /// The refund that stands for it in the books of payments.
        pub(super) refund: RefundId,
        /// The order.
        pub(super) order: OrderId,
        /// Minor units.
        pub(super) amount: i64,
        /// When it was heard of.
        pub(super) at: Time,
    }
    indexes [index "parts_back_of_order" ("order")]
}

/// What of an order's money went back at the provider's side, in minor units.
pub(super) async fn sent_elsewhere(records: &dyn Records, order: OrderId) -> Result<i64, PortError> {
    let parts = records.list::<PartBack>(Query::all(PartBack::TABLE, MOST).is("order", order)).await?;
    Ok(parts.iter().map(|part| part.record.amount).fold(0, i64::saturating_add))
}
