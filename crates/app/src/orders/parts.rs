//! Parts of an order's money that went back at the provider's side. They are a matter between the shop and its buyer and
//! leave the delivery; a refund of the order is about what they have left.

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ports::{PortError, Records};
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use firstcome_core::tax::Tax;
use firstcome_core::time::Time;

/// Parts of one order that are read; the provider books a few at most.
const MOST: u32 = 1_000;

record! {
    /// A part that went back.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct PartBack in "parts_back" {
        /// The refund that stands for it in the books of payments.
        pub refund: RefundId,
        /// The order.
        pub order: OrderId,
        /// Minor units.
        pub amount: i64,
        /// When it was heard of.
        pub at: Time,
        /// What of the amount is free of VAT; missing in rows of old versions.
        pub tax_free: Option<i64>,
        /// What of it is VAT; missing in rows of old versions.
        pub vat: Option<i64>,
    }
    indexes [index "parts_back_of_order" ("order")]
}

impl PartBack {
    /// What of the order's tax went back with it, if that is known.
    pub fn tax(&self) -> Option<Tax> {
        tax_of(self.amount, self.tax_free, self.vat)
    }
}

/// What an amount consists of, as a row has it.
pub(super) fn tax_of(amount: i64, tax_free: Option<i64>, vat: Option<i64>) -> Option<Tax> {
    let (tax_free, vat) = (tax_free?, vat?);
    Some(Tax { supplied: amount - tax_free - vat, vat, tax_free })
}

/// What of an order's money went back at the provider's side.
pub(super) async fn sent_elsewhere(records: &dyn Records, order: OrderId) -> Result<Vec<PartBack>, PortError> {
    let parts = records.list::<PartBack>(Query::all(PartBack::TABLE, MOST).is("order", order)).await?;
    Ok(parts.into_iter().map(|part| part.record).collect())
}
