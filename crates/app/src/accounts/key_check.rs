//! Whether the keys of this process are those that the accounts were encrypted with. With others, new accounts would be
//! added that the right keys could not read, and those that are there would not be found.
//!
//! The database keeps a value that was sealed and one that was indexed, from the first start on, so that also processes
//! of an empty shop find out that their keys differ. Of several keys that seal, it is the newest that anybody had.

use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};

use super::records::User;
use super::{EmailAddress, SEALED};
use crate::secrets::{Keys, Sealed, Sealer, Unreadable, oldest_key};

record! {
    /// What the keys are known by. There is one.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct KeyCheck in "key_check" {
        /// Always [`ONLY`].
        pub(super) id: i64,
        /// The number of the key that sealed.
        pub(super) sealing_key: u32,
        /// [`PROBE`], sealed.
        pub(super) sealed: Vec<u8>,
        /// [`PROBE`], indexed.
        pub(super) indexed: Vec<u8>,
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

    fn fits(&self, keys: &Keys) -> bool {
        let opened = keys.sealer().open(self.sealing_key, PLACE, &self.sealed);
        opened.as_deref() == Ok(PROBE) && self.indexed == keys.index.of(&[PROBE.as_bytes()])
    }
}

impl Sealed for KeyCheck {
    const KEY: &'static str = "sealing_key";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        self.sealed = sealer.seal(PLACE, &sealer.open(self.sealing_key, PLACE, &self.sealed)?);
        self.sealing_key = sealer.key();
        Ok(())
    }
}

/// Refuses keys that are not those of the database, or of which one is gone that something is sealed with; the first to
/// come decide which those are.
pub(super) async fn check(records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    let oldest = oldest_key(records, SEALED).await?;
    if oldest.is_some_and(|oldest| !keys.sealer().numbers().contains(&oldest)) {
        return Err(other_keys());
    }
    loop {
        let unit = match records.load::<KeyCheck>(ONLY).await? {
            Some(kept) if !kept.record.fits(keys) => return Err(other_keys()),
            Some(kept) if kept.record.sealing_key >= keys.sealer().key() => return Ok(()),
            Some(kept) => Unit::new().update(&Stored { record: KeyCheck::of(keys), ..kept }),
            // A shop from before this check.
            None if !an_account_fits(records, keys).await? => return Err(other_keys()),
            None => Unit::new().insert(&KeyCheck::of(keys)),
        };
        if records.commit(unit).await? == Committed::Done {
            return Ok(());
        }
    }
}

/// Whether an account that is there, if there is one, can be read and found.
async fn an_account_fits(records: &dyn Records, keys: &Keys) -> Result<bool, PortError> {
    let users = records.list::<User>(Query::all(User::TABLE, 1)).await?;
    let Some(user) = users.first() else { return Ok(true) };
    let Ok(person) = user.record.person(records, keys).await else { return Ok(false) };
    let email = EmailAddress::try_from(person.email);
    Ok(email.is_ok_and(|email| email.index(&keys.index) == user.record.email_index))
}

fn other_keys() -> PortError {
    PortError::Misused(
        "the accounts in this database were encrypted with other keys than this process has; put the right ones back from \
         a backup, the same on every machine: the folder `keys` of the data folder or, in a cluster, the one that \
         cluster.keys names"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firstcome_core::events::topics;
    use firstcome_core::ports::PortError;
    use firstcome_core::testkit::MemoryRecords;

    use super::super::TABLES;
    use super::*;
    use crate::accounts::testing::TestApp;
    use crate::secrets::BlindIndex;

    fn database() -> Arc<MemoryRecords> {
        Arc::new(MemoryRecords::new(topics::ACCOUNTS, TABLES))
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
        check(&*records, &keys(&[1], b"index")).await.unwrap();
        check(&*records, &keys(&[1], b"index")).await.unwrap();
        let other = Keys::of(Sealer::new([(1, [9; 32])], 1).unwrap(), BlindIndex::new(b"index"));
        assert!(is_refused(&check(&*records, &other).await));
        assert!(is_refused(&check(&*records, &keys(&[1], b"another")).await));
    }

    #[tokio::test]
    async fn whoever_lacks_the_newest_key_is_refused() {
        let records = database();
        check(&*records, &keys(&[1], b"index")).await.unwrap();
        check(&*records, &keys(&[1, 2], b"index")).await.unwrap();
        assert!(is_refused(&check(&*records, &keys(&[1], b"index")).await));
        check(&*records, &keys(&[1, 2], b"index")).await.unwrap();
        assert!(is_refused(&check(&*database_with_users().await, &keys(&[1], b"index")).await));
    }

    async fn database_with_users() -> Arc<MemoryRecords> {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        check(app.records.as_ref(), &app.keys).await.unwrap();
        app.records
    }

    #[tokio::test]
    async fn a_shop_from_before_the_check_is_known_by_its_accounts() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let others = app.with_other_keys().await;
        assert!(is_refused(&check(app.records.as_ref(), &others.keys).await));
        check(app.records.as_ref(), &app.keys).await.unwrap();
    }
}
