//! Sealing anew, with the key of now, what older keys sealed; in the background, while the shop runs.
//!
//! What is left to do is what rows say, so it goes on where it ended after a restart, and several processes may do it at
//! once. A row that changes meanwhile is left to the next round; one that no key opens is passed over, and said once.

use std::time::Duration;

use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{Comparison, Field as _, Query, Record, RecordsExt as _, Stored, Table, Unit, Value};
use futures_util::{StreamExt as _, stream};

use super::{Keys, Sealer, Unreadable};
use crate::role::Worker;

/// Rows read at a time.
const PAGE: u32 = 100;
/// Rows that are written at once.
const AT_ONCE: usize = 16;
/// A rest between two pages: buyers come first.
const REST: Duration = Duration::from_millis(20);
/// Between two looks for rows that need it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A row with sealed columns.
pub trait Sealed: Record + Sync {
    /// The column with the number of the key that sealed them.
    const KEY: &'static str;
    /// Opens them, and seals them with the key that seals now.
    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable>;
    /// Whether these keys open it, and find it where it is looked for by what it says.
    fn fits(mut self, keys: &Keys) -> bool {
        self.reseal(&keys.sealer()).is_ok()
    }
}

/// What a round came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Rows that were sealed anew.
    pub rows: usize,
    /// Rows that no key opens.
    pub unreadable: usize,
    /// One of those.
    pub example: Option<String>,
}

impl std::ops::Add for Resealed {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (rows, unreadable) = (self.rows + other.rows, self.unreadable + other.unreadable);
        Self { rows, unreadable, example: self.example.or(other.example) }
    }
}

/// Seals everything of a role anew, a round every few seconds. What goes wrong is said when it begins and when it is
/// something else, not at each round.
pub fn resealer<F>(name: &'static str, round: impl Fn() -> F + Send + 'static) -> Worker
where
    F: Future<Output = Result<Resealed, PortError>> + Send + 'static,
{
    Worker::new(name, move |stop| async move {
        let mut said = String::new();
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            let Some(came_to) = stop.run_until_cancelled(round()).await else { continue };
            let trouble = trouble(came_to);
            if trouble != said && !trouble.is_empty() {
                tracing::error!("personal data is not sealed anew yet: {trouble}");
            }
            said = trouble;
        }
        Ok(())
    })
}

/// What somebody should know of a round; nothing if all is well.
fn trouble(round: Result<Resealed, PortError>) -> String {
    match round {
        Ok(Resealed { unreadable, example: Some(example), .. }) => {
            format!("no key opens {unreadable} rows, one of them {example}")
        }
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// Seals the rows of a table anew that an older key sealed.
pub async fn reseal<R: Sealed>(records: &dyn Records, keys: &Keys) -> Result<Resealed, PortError> {
    let sealer = keys.sealer();
    let older = Comparison::Less(sealer.key().to_value());
    let (mut done, mut after) = (Resealed::default(), None);
    loop {
        let page = Query::all(R::TABLE, PAGE).filter(R::KEY, older.clone()).after(after);
        let rows = records.list::<R>(page).await?;
        let Some(last) = rows.last().map(|row| row.record.key()) else { break };
        let written: Vec<_> =
            stream::iter(rows).map(|row| write(records, &sealer, row)).buffer_unordered(AT_ONCE).collect().await;
        for one in written {
            done = done + one?;
        }
        after = Some((last.clone(), last));
        tokio::time::sleep(REST).await;
    }
    if done.rows > 0 {
        tracing::info!(table = R::TABLE.name, rows = done.rows, key = sealer.key(), "sealed anew");
    }
    Ok(done)
}

async fn write<R: Sealed>(records: &dyn Records, sealer: &Sealer, mut row: Stored<R>) -> Result<Resealed, PortError> {
    if row.record.reseal(sealer).is_err() {
        let example = format!("{:?} in {}", row.record.key(), R::TABLE.name);
        return Ok(Resealed { rows: 0, unreadable: 1, example: Some(example) });
    }
    let rows = usize::from(records.commit(Unit::new().update(&row)).await? == Committed::Done);
    Ok(Resealed { rows, ..Resealed::default() })
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

#[cfg(test)]
mod tests {
    use firstcome_core::ports::RoleName;
    use firstcome_core::testkit::MemoryRecords;

    use super::*;
    use crate::secrets::{BlindIndex, KeyCheck, SealedTables, require_keys};

    const SEALED: SealedTables = &[(KeyCheck::TABLE, KeyCheck::KEY)];

    fn keys(numbers: &[u32]) -> Keys {
        let all = numbers.iter().map(|number| (*number, [*number as u8; 32]));
        Keys::of(Sealer::new(all, *numbers.last().unwrap()).unwrap(), BlindIndex::new(b"index"))
    }

    #[tokio::test]
    async fn a_row_that_no_key_opens_is_left_as_it_is_and_is_the_same_trouble_at_each_round() {
        let records = MemoryRecords::new("accounts", &[KeyCheck::TABLE]);
        require_keys::<KeyCheck>(RoleName::Accounts, &records, &keys(&[1]), SEALED).await.unwrap();
        let said = async |numbers: &[u32]| trouble(reseal::<KeyCheck>(&records, &keys(numbers)).await);
        let trouble = said(&[2]).await;
        assert!(
            trouble.starts_with("no key opens 1 rows, one of them") && trouble.ends_with("in key_check"),
            "{trouble}"
        );
        assert_eq!(said(&[2]).await, trouble);
        assert_eq!(said(&[1, 2]).await, "");
        assert_eq!(oldest_key(&records, SEALED).await.unwrap(), Some(2));
    }
}
