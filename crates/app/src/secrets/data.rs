//! The keys that encrypt personal data: files `data-N.key` of 32 bytes, behind which the milliseconds since 1970 may stand
//! from which the key seals. All of them open; of those whose time has come the newest seals. So a new key can be everywhere
//! before anything is sealed with it.

use std::fs;
use std::path::Path;

use firstcome_core::time::Time;

use super::Sealer;
use super::keys::{KeyError, Secret, load as load_file};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// One key.
pub struct DataKey {
    /// Its number.
    pub number: u32,
    /// From when it seals.
    pub seals_from: Time,
    pub(super) secret: Secret,
}

impl DataKey {
    /// As it is in its file.
    pub(super) fn bytes(&self) -> Secret {
        let time = self.seals_from.as_millis().to_be_bytes();
        Secret::new([self.secret.as_slice(), &time].concat())
    }

    fn parse(number: u32, bytes: &[u8]) -> Option<Self> {
        let (secret, time) = bytes.split_at_checked(KEY_BYTES)?;
        let seals_from = match time {
            [] => Time::default(),
            time => Time::from_millis(i64::from_be_bytes(time.try_into().ok()?)),
        };
        Some(Self { number, seals_from, secret: Secret::new(secret.to_vec()) })
    }
}

/// The file of a key.
pub(super) fn file(number: u32) -> String {
    format!("data-{number}.key")
}

/// The numbers of the keys in a folder, smallest first.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u32>, KeyError> {
    let failed = |source| KeyError::File { path: folder.to_owned(), source };
    let mut numbers: Vec<u32> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("data-")?.strip_suffix(".key")?.parse().ok());
        numbers.extend::<Option<u32>>(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Every key in a folder.
pub fn load(folder: &Path) -> Result<Vec<DataKey>, KeyError> {
    let read = |number| {
        let path = folder.join(file(number));
        let bytes = load_file(&path).map_err(|source| KeyError::File { path: path.clone(), source })?;
        bytes.and_then(|bytes| DataKey::parse(number, &bytes)).ok_or(KeyError::NotAKey { path })
    };
    numbers(folder)?.into_iter().map(read).collect()
}

/// The number of the key that seals: the newest whose time has come.
pub fn sealing(keys: &[DataKey], now: Time) -> Option<u32> {
    let due = keys.iter().filter(|key| key.seals_from <= now).map(|key| key.number).max();
    // With all of them early, which a clock that was set back may bring about, the oldest is what everyone has.
    due.or_else(|| keys.iter().map(|key| key.number).min())
}

/// What seals with the key that does now.
pub(super) fn sealer(folder: &Path, now: Time) -> Result<Sealer, KeyError> {
    let keys = load(folder)?;
    let sealing = sealing(&keys, now).unwrap_or_default();
    let keys = keys.into_iter().map(|key| (key.number, key.secret));
    Sealer::new(keys, sealing).ok_or_else(|| KeyError::NotAKey { path: folder.to_owned() })
}
