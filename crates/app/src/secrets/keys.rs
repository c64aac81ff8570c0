//! The keys of a shop, as files that only its owner can read. Whoever has them and the data can read everything; whoever
//! loses them has lost the personal data.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Clock, Random, random_bytes};
use firstcome_core::time::Time;
use parking_lot::RwLock;
use zeroize::Zeroizing;

use super::data::{self, DataKey};
use super::{BlindIndex, Sealer};
use crate::http::AccessTokens;
use crate::role::Worker;

/// The file of the key that signs access tokens.
const TOKENS: &str = "access-tokens.pkcs8";
/// The file of the key that finds personal data.
const INDEX: &str = "blind-index.key";
/// How often a process looks for new keys; a key must be there for longer before it seals.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Only the owner reads and writes.
const PRIVATE: u32 = 0o600;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("the key file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A new key is there already, and begins later.
    #[error("key {number} is there already and seals from {seals_from} on")]
    Waiting {
        /// Its number.
        number: u32,
        /// From when it seals.
        seals_from: Time,
    },
    /// A file does not hold a key.
    #[error("the key file {} does not hold a key; put the right one back from a backup", path.display())]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
}

/// Every key of a shop.
pub struct Keys {
    /// Signs and checks access tokens.
    pub tokens: AccessTokens,
    /// Finds personal data.
    pub index: BlindIndex,
    /// Encrypts personal data.
    sealer: RwLock<Arc<Sealer>>,
    /// Where the keys are, if they are in files.
    folder: Option<PathBuf>,
}

impl Keys {
    /// Reads the keys from the folder `keys` of the data folder; makes those that are not there. Two processes that do
    /// this at once end up with the same keys.
    pub fn load_or_create(data: &Path, random: &dyn Random, now: Time) -> Result<Self, KeyError> {
        Self::create_in(&data.join("keys"), random, now)
    }

    /// The same, in this very folder.
    pub fn create_in(folder: &Path, random: &dyn Random, now: Time) -> Result<Self, KeyError> {
        fs::create_dir_all(folder).map_err(|source| KeyError::File { path: folder.to_owned(), source })?;
        let path = folder.join(TOKENS);
        let signing = load_or_create(&path, || {
            AccessTokens::generate_key().map(Zeroizing::new).map_err(|_| KeyError::NotAKey { path: path.clone() })
        })?;
        let tokens = AccessTokens::new(&signing).map_err(|_| KeyError::NotAKey { path })?;
        let path = folder.join(INDEX);
        let index = load_or_create(&path, || Ok(new_key(random)))?;
        if index.len() != 32 {
            return Err(KeyError::NotAKey { path });
        }
        if data::numbers(folder)?.is_empty() {
            load_or_create(&folder.join(data::file(1)), || Ok(new_key(random)))?;
        }
        let sealer = RwLock::new(Arc::new(data::sealer(folder, now)?));
        Ok(Self { tokens, sealer, index: BlindIndex::new(&index), folder: Some(folder.to_owned()) })
    }

    /// Reads the keys that several processes share from their folder. None is made: one that had keys of its own could
    /// not read what the others wrote.
    pub fn load_shared(folder: &Path, random: &dyn Random, now: Time) -> Result<Self, KeyError> {
        for name in [TOKENS, INDEX] {
            let path = folder.join(name);
            fs::metadata(&path).map_err(|source| KeyError::File { path, source })?;
        }
        if data::numbers(folder)?.is_empty() {
            let source = io::ErrorKind::NotFound.into();
            return Err(KeyError::File { path: folder.join(data::file(1)), source });
        }
        Self::create_in(folder, random, now)
    }

    /// These keys, and a new one that signs.
    #[cfg(test)]
    pub(crate) fn of(sealer: Sealer, index: BlindIndex) -> Self {
        let keys = Self::in_memory(&super::SystemRandom);
        Self { sealer: RwLock::new(Arc::new(sealer)), index, ..keys }
    }

    /// What encrypts and decrypts as of now; held for one piece of work, so that all of it is under one key.
    pub fn sealer(&self) -> Arc<Sealer> {
        self.sealer.read().clone()
    }

    /// Reads again which keys there are and which of them seals. Returns its number if that is another than before.
    pub fn reload(&self, now: Time) -> Result<Option<u32>, KeyError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let (fresh, before) = (data::sealer(folder, now)?, self.sealer());
        if fresh.key() == before.key() && fresh.numbers() == before.numbers() {
            return Ok(None);
        }
        let number = fresh.key();
        *self.sealer.write() = Arc::new(fresh);
        Ok((number != before.key()).then_some(number))
    }

    /// Makes a key that seals from then on, in the folder that others share. Refused while one waits already.
    pub fn rotate(folder: &Path, random: &dyn Random, now: Time, seals_from: Time) -> Result<DataKey, KeyError> {
        let newest = data::load(folder)?.into_iter().max_by_key(|key| key.number);
        let newest = newest.ok_or_else(|| KeyError::NotAKey { path: folder.to_owned() })?;
        if newest.seals_from > now {
            return Err(KeyError::Waiting { number: newest.number, seals_from: newest.seals_from });
        }
        let key = DataKey { number: newest.number + 1, seals_from, secret: new_key(random) };
        let path = folder.join(data::file(key.number));
        publish(&path, &key.bytes()).map_err(|source| KeyError::File { path, source })?;
        Ok(key)
    }

    /// Looks for new keys, and for the moment from which they seal, as long as the process runs.
    pub fn worker(self: Arc<Self>, clock: Arc<dyn Clock>) -> Worker {
        Worker::new("keys", move |stop| async move {
            while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
                match self.reload(clock.now()) {
                    Ok(None) => {}
                    Ok(Some(number)) => tracing::info!(number, "personal data is sealed with key {number} from now on"),
                    Err(error) => tracing::warn!(%error, "going on with the keys that are known"),
                }
            }
            Ok(())
        })
    }

    /// New keys that are written nowhere.
    ///
    /// # Panics
    /// When AWS-LC cannot make a key.
    pub fn in_memory(random: &dyn Random) -> Self {
        let signing = AccessTokens::generate_key().expect("a new key can be made");
        let tokens = AccessTokens::new(&signing).expect("a new key can be used");
        let sealer = RwLock::new(Arc::new(Sealer::new([(1, new_key(random))], 1).expect("a key of 32 bytes")));
        Self { tokens, sealer, index: BlindIndex::new(&new_key(random)), folder: None }
    }
}

pub(super) type Secret = Zeroizing<Vec<u8>>;

fn new_key(random: &dyn Random) -> Secret {
    Zeroizing::new(random_bytes::<32>(random).to_vec())
}

/// A key is written whole and synced under another name before it gets its own, and is never replaced: from the moment
/// that something is encrypted with it, it is there to stay.
fn load_or_create(path: &Path, make: impl FnOnce() -> Result<Secret, KeyError>) -> Result<Secret, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if let Some(secret) = load(path).map_err(failed)? {
        return Ok(secret);
    }
    let secret = make()?;
    match publish(path, &secret) {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            load(path).map_err(failed)?.ok_or_else(|| KeyError::NotAKey { path: path.to_owned() })
        }
        Err(source) => Err(failed(source)),
    }
}

pub(super) fn load(path: &Path) -> io::Result<Option<Secret>> {
    let secret = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read this key file; now only its owner can");
        fs::set_permissions(path, Permissions::from_mode(PRIVATE))?;
    }
    Ok(Some(secret))
}

fn publish(path: &Path, secret: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&draft)?;
    file.write_all(secret)?;
    file.sync_all()?;
    // A hard link, unlike a rename, does not replace what another process published meanwhile.
    let published = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    published?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SystemRandom;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("firstcome-keys-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn same_keys_after_a_restart() {
        let folder = scratch("restart");
        let first = Keys::load_or_create(&folder, &SystemRandom, Time(0)).unwrap();
        let sealed = first.sealer().seal(&[b"x"], "text");
        let index = first.index.of(&[b"x"]);
        let second = Keys::load_or_create(&folder, &SystemRandom, Time(0)).unwrap();
        assert_eq!(second.sealer().open(1, &[b"x"], &sealed).as_deref(), Ok("text"));
        assert_eq!(second.index.of(&[b"x"]), index);
        for entry in fs::read_dir(folder.join("keys")).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, PRIVATE);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn shared_keys_are_never_made() {
        let folder = scratch("shared");
        assert!(Keys::load_shared(&folder, &SystemRandom, Time(0)).is_err());
        Keys::create_in(&folder, &SystemRandom, Time(0)).unwrap();
        assert!(Keys::load_shared(&folder, &SystemRandom, Time(0)).is_ok());
        fs::remove_file(folder.join(INDEX)).unwrap();
        assert!(Keys::load_shared(&folder, &SystemRandom, Time(0)).is_err());
        assert!(!folder.join(INDEX).exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_newest_data_key_seals() {
        let folder = scratch("newest");
        Keys::load_or_create(&folder, &SystemRandom, Time(0)).unwrap();
        fs::write(folder.join("keys/data-3.key"), [3; 32]).unwrap();
        assert_eq!(Keys::load_or_create(&folder, &SystemRandom, Time(0)).unwrap().sealer().key(), 3);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_new_key_opens_at_once_and_seals_when_it_is_due() {
        let folder = scratch("rotate");
        let keys = Keys::create_in(&folder, &SystemRandom, Time(0)).unwrap();
        let (now, due) = (Time::from_millis(5_000), Time::from_millis(65_000));
        assert_eq!(Keys::rotate(&folder, &SystemRandom, now, due).unwrap().number, 2);
        assert!(matches!(Keys::rotate(&folder, &SystemRandom, now, due), Err(KeyError::Waiting { number: 2, .. })));
        assert_eq!(keys.reload(now).unwrap(), None);
        assert_eq!((keys.sealer().key(), keys.sealer().numbers()), (1, vec![1, 2]));
        let sealed = keys.sealer().seal(&[b"x"], "text");
        let early = Keys::load_shared(&folder, &SystemRandom, now).unwrap();
        assert_eq!(keys.reload(due).unwrap(), Some(2));
        assert_eq!(keys.reload(due).unwrap(), None);
        assert_eq!(keys.sealer().open(1, &[b"x"], &sealed).as_deref(), Ok("text"));
        let sealed = keys.sealer().seal(&[b"x"], "new");
        assert_eq!(early.sealer().open(2, &[b"x"], &sealed).as_deref(), Ok("new"));
        assert_eq!(Keys::rotate(&folder, &SystemRandom, due, due).unwrap().number, 3);
        fs::remove_file(folder.join("data-1.key")).unwrap();
        assert!(Keys::load_shared(&folder, &SystemRandom, due).unwrap().sealer().open(1, &[b"x"], &sealed).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_key_is_refused() {
        let folder = scratch("damaged");
        Keys::load_or_create(&folder, &SystemRandom, Time(0)).unwrap();
        for file in ["access-tokens.pkcs8", "blind-index.key", "data-1.key"] {
            let path = folder.join("keys").join(file);
            let right = fs::read(&path).unwrap();
            fs::write(&path, b"short").unwrap();
            assert!(Keys::load_or_create(&folder, &SystemRandom, Time(0)).is_err(), "{file}");
            fs::write(&path, right).unwrap();
        }
        assert!(Keys::load_or_create(&folder, &SystemRandom, Time(0)).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }
}
