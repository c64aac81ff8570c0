//! Sealing anew, with the key of now, what older keys sealed; in the background, while the shop runs.
//!
//! What is left to do is what rows say, so it goes on where it ended after a restart, and several processes may do it at
//! once. A row that changes meanwhile is left to the next round; one that no key opens is named and passed over.

use std::time::Duration;

use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{Comparison, Field as _, Query, Record, RecordsExt as _, Stored, Table, Unit, Value};
use futures_util::{StreamExt as _, stream};

use super::{Keys, Sealer, Unreadable};

/// Rows read at a time.
const PAGE: u32 = 100;
/// Rows that are written at once.
const AT_ONCE: usize = 16;
/// A rest between two pages: buyers come first.
const REST: Duration = Duration::from_millis(20);
/// Between two looks for rows that need it.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A row with sealed columns.
pub trait Sealed: Record + Sync {
    /// The column with the number of the key that sealed them.
    const KEY: &'static str;
    /// Opens them, and seals them with the key that seals now.
    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable>;
}

/// Seals the rows of a table anew that an older key sealed. Returns how many.
pub async fn reseal<R: Sealed>(records: &dyn Records, keys: &Keys) -> Result<usize, PortError> {
    let sealer = keys.sealer();
    let older = Comparison::Less(sealer.key().to_value());
    let (mut done, mut after) = (0, None);
    loop {
        let page = Query::all(R::TABLE, PAGE).filter(R::KEY, older.clone()).after(after);
        let rows = records.list::<R>(page).await?;
        let Some(last) = rows.last().map(|row| row.record.key()) else { break };
        let written: Vec<_> =
            stream::iter(rows).map(|row| write(records, &sealer, row)).buffer_unordered(AT_ONCE).collect().await;
        for one in written {
            done += usize::from(one?);
        }
        after = Some((last.clone(), last));
        tokio::time::sleep(REST).await;
    }
    if done > 0 {
        tracing::info!(table = R::TABLE.name, rows = done, key = sealer.key(), "sealed anew");
    }
    Ok(done)
}

async fn write<R: Sealed>(records: &dyn Records, sealer: &Sealer, mut row: Stored<R>) -> Result<bool, PortError> {
    if row.record.reseal(sealer).is_err() {
        tracing::error!(table = R::TABLE.name, row = ?row.record.key(), "no key opens this row");
        return Ok(false);
    }
    Ok(records.commit(Unit::new().update(&row)).await? == Committed::Done)
}

/// The oldest key that something in these tables is sealed with; each comes with its column of the key's number.
pub async fn oldest_key(
    records: &dyn Records,
    tables: &[(&'static Table, &'static str)],
) -> Result<Option<u32>, PortError> {
    let mut oldest = None;
    for (table, column) in tables {
        let sealed = Comparison::AtLeast(Value::Integer(0));
        let query = Query::all(table, 1).filter(column, sealed);
        let query = query.order_by(column, firstcome_core::records::Direction::Ascending);
        let row = records.select(query).await?.into_iter().next();
        let value = row.zip(table.position(column)).map(|(row, place)| row.values[place].clone());
        if let Some(Value::Integer(number)) = value {
            let number = u32::try_from(number).unwrap_or_default();
            oldest = Some(oldest.map_or(number, |oldest: u32| oldest.min(number)));
        }
    }
    Ok(oldest)
}
