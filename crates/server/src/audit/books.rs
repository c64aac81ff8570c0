//! Reading whole tables.

use firstcome_core::ports::{PortError, Records};
use firstcome_core::records::{Query, Record, RecordsExt as _};

/// Rows read at a time.
const PAGE: u32 = 5_000;

/// Every row of a table, in the order of its key. A row that cannot be read is an error that names its table.
pub(crate) async fn every<R: Record>(records: &dyn Records, mut visit: impl FnMut(R)) -> Result<(), PortError> {
    let mut after = None;
    loop {
        let rows = records.list::<R>(Query::all(R::TABLE, PAGE).after(after.take())).await?;
        if rows.len() == PAGE as usize {
            after = rows.last().map(|row| (row.record.key(), row.record.key()));
        }
        for row in rows {
            visit(row.record);
        }
        if after.is_none() {
            return Ok(());
        }
    }
}
