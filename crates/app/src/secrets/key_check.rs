//! Whether the keys of this process are those that a role's database was encrypted with. With others, rows would be added
//! that the right keys could not read, and those that are there would not be found.
//!
//! The database keeps a value that was sealed and one that was indexed, from the first start on, so that also processes
//! of an empty shop find out that their keys differ. Of several keys that seal, it is the newest that anybody had.

use firstcome_core::ports::{Committed, PortError, Records, RoleName};
use firstcome_core::record;
use firstcome_core::records::{Query, RecordsExt as _, Stored, Table, Unit};

use super::{Keys, Sealed, Sealer, Unreadable, oldest_key};

record! {
    /// What the keys are known by. There is one in each database with sealed columns.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct KeyCheck in "key_check" {
        /// Always [`ONLY`].
        pub id: i64,
        /// The number of the key that sealed.
        pub sealing_key: u32,
        /// [`PROBE`], sealed.
        pub sealed: Vec<u8>,
        /// [`PROBE`], indexed.
        pub indexed: Vec<u8>,
    }
    indexes []
}

const ONLY: i64 = 1;
const PROBE: &str = "firstcome";
/// What is sealed is bound to its place.
const PLACE: &[&[u8]] = &[b"key_check.sealed"];

impl KeyCheck {
    fn of(keys: &Keys) -> Self {
        let indexed = keys.index.of(&[PROBE.as_bytes()]);
        let sealer = keys.sealer();
        Self { id: ONLY, sealing_key: sealer.key(), sealed: sealer.seal(PLACE, PROBE), indexed }
    }
}

impl Sealed for KeyCheck {
    const KEY: &'static str = "sealing_key";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        self.sealed = sealer.reseal(self.sealing_key, PLACE, &self.sealed)?;
        self.sealing_key = sealer.key();
        Ok(())
    }

    fn fits(self, keys: &Keys) -> bool {
        let opened = keys.sealer().open(self.sealing_key, PLACE, &self.sealed);
        opened.as_deref() == Ok(PROBE) && self.indexed == keys.index.of(&[PROBE.as_bytes()])
    }
}

/// What a role has sealed: its tables, and which column of each says by what key.
pub type SealedTables = &'static [(&'static Table, &'static str)];

/// Refuses keys that are not those of a role's database, or of which one is gone that something is sealed with; the first
/// to come decide which those are. A database from before there was a [`KeyCheck`] in it is known by a row of `R`.
pub async fn require_keys<R: Sealed>(
    role: RoleName,
    records: &dyn Records,
    keys: &Keys,
    sealed: SealedTables,
) -> Result<(), PortError> {
    while let Some(unit) = look_at_keys::<R>(role, records, keys, sealed).await? {
        if records.commit(unit).await? == Committed::Done {
            break;
        }
    }
    Ok(())
}

/// The same, but nothing is written: returns what would be, if the database does not know these keys yet.
pub async fn look_at_keys<R: Sealed>(
    role: RoleName,
    records: &dyn Records,
    keys: &Keys,
    sealed: SealedTables,
) -> Result<Option<Unit>, PortError> {
    let oldest = oldest_key(records, sealed).await?;
    if oldest.is_some_and(|oldest| !keys.sealer().numbers().contains(&oldest)) {
        return Err(other_keys(role));
    }
    let fresh = KeyCheck::of(keys);
    match records.load::<KeyCheck>(ONLY).await? {
        Some(kept) if !kept.record.clone().fits(keys) => Err(other_keys(role)),
        Some(kept) if kept.record.sealing_key >= fresh.sealing_key => Ok(None),
        Some(kept) => Ok(Some(Unit::new().update(&Stored { record: fresh, ..kept }))),
        None if !a_row_fits::<R>(records, keys).await? => Err(other_keys(role)),
        None => Ok(Some(Unit::new().insert(&fresh))),
    }
}

/// Whether a row that is there, if there is one, can be read and found.
async fn a_row_fits<R: Sealed>(records: &dyn Records, keys: &Keys) -> Result<bool, PortError> {
    let rows = records.list::<R>(Query::all(R::TABLE, 1)).await?;
    Ok(rows.into_iter().all(|row| row.record.fits(keys)))
}

fn other_keys(role: RoleName) -> PortError {
    PortError::Misused(format!(
        "the database of {} was encrypted with other keys than this process has; put the right ones back from a backup, \
         the same on every machine: the folder `keys` of the data folder or, in a cluster, the one that cluster.keys names",
        role.as_str()
    ))
}

#[cfg(test)]
mod tests {
    use firstcome_core::events::topics;
    use firstcome_core::records::Record as _;
    use firstcome_core::testkit::MemoryRecords;

    use super::*;
    use crate::mails::QueuedMail;
    use crate::secrets::BlindIndex;

    const SEALED: SealedTables = &[(QueuedMail::TABLE, QueuedMail::KEY), (KeyCheck::TABLE, KeyCheck::KEY)];

    fn database() -> MemoryRecords {
        MemoryRecords::new(topics::ACCOUNTS, &[QueuedMail::TABLE, KeyCheck::TABLE])
    }

    async fn check(records: &MemoryRecords, keys: &Keys) -> Result<(), PortError> {
        let looked = look_at_keys::<QueuedMail>(RoleName::Accounts, records, keys, SEALED).await;
        let required = require_keys::<QueuedMail>(RoleName::Accounts, records, keys, SEALED).await;
        assert_eq!(looked.is_ok(), required.is_ok(), "who only looks finds the same");
        required
    }

    fn keys(sealing: &[u32], index: &[u8]) -> Keys {
        let all = sealing.iter().map(|number| (*number, [*number as u8; 32]));
        Keys::of(Sealer::new(all, *sealing.last().unwrap()).unwrap(), BlindIndex::new(index))
    }

    fn is_refused(checked: &Result<(), PortError>) -> bool {
        matches!(checked, Err(PortError::Misused(reason)) if reason.contains("other keys"))
    }

    #[tokio::test]
    async fn the_keys_of_the_first_start_are_those_of_the_shop() {
        let records = database();
        check(&records, &keys(&[1], b"index")).await.unwrap();
        check(&records, &keys(&[1], b"index")).await.unwrap();
        let other = Keys::of(Sealer::new([(1, [9; 32])], 1).unwrap(), BlindIndex::new(b"index"));
        assert!(is_refused(&check(&records, &other).await));
        assert!(is_refused(&check(&records, &keys(&[1], b"another")).await));
    }

    #[tokio::test]
    async fn whoever_lacks_the_newest_key_is_refused() {
        let records = database();
        check(&records, &keys(&[1], b"index")).await.unwrap();
        check(&records, &keys(&[1, 2], b"index")).await.unwrap();
        assert!(is_refused(&check(&records, &keys(&[1], b"index")).await));
        check(&records, &keys(&[1, 2], b"index")).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_looks_writes_nothing() {
        let records = database();
        let one = keys(&[1], b"index");
        assert!(look_at_keys::<QueuedMail>(RoleName::Accounts, &records, &one, SEALED).await.unwrap().is_some());
        check(&records, &keys(&[1], b"another")).await.unwrap();
    }
}
