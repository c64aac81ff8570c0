//! The keys of a shop, as files that only its owner can read. Whoever has them and the data can read everything; whoever
//! loses them has lost the personal data.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use firstcome_core::ports::{Random, random_bytes};
use zeroize::Zeroizing;

use super::{BlindIndex, Sealer};
use crate::http::AccessTokens;

/// The file of the key that signs access tokens.
const TOKENS: &str = "access-tokens.pkcs8";
/// The file of the key that finds personal data.
const INDEX: &str = "blind-index.key";
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
    /// Encrypts personal data.
    pub sealer: Sealer,
    /// Finds personal data.
    pub index: BlindIndex,
}

impl Keys {
    /// Reads the keys from the folder `keys` of the data folder; makes those that are not there. Two processes that do
    /// this at once end up with the same keys.
    pub fn load_or_create(data: &Path, random: &dyn Random) -> Result<Self, KeyError> {
        Self::create_in(&data.join("keys"), random)
    }

    /// The same, in this very folder.
    pub fn create_in(folder: &Path, random: &dyn Random) -> Result<Self, KeyError> {
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
        let sealer = Sealer::new(data_keys(folder, random)?).ok_or(KeyError::NotAKey { path: folder.to_owned() })?;
        Ok(Self { tokens, sealer, index: BlindIndex::new(&index) })
    }

    /// Reads the keys that several processes share from their folder. None is made: one that had keys of its own could
    /// not read what the others wrote.
    pub fn load_shared(folder: &Path, random: &dyn Random) -> Result<Self, KeyError> {
        for name in [TOKENS, INDEX, "data-1.key"] {
            let path = folder.join(name);
            fs::metadata(&path).map_err(|source| KeyError::File { path, source })?;
        }
        Self::create_in(folder, random)
    }

    /// New keys that are written nowhere.
    ///
    /// # Panics
    /// When AWS-LC cannot make a key.
    pub fn in_memory(random: &dyn Random) -> Self {
        let signing = AccessTokens::generate_key().expect("a new key can be made");
        let tokens = AccessTokens::new(&signing).expect("a new key can be used");
        let sealer = Sealer::new([(1, new_key(random))]).expect("a key of 32 bytes");
        Self { tokens, sealer, index: BlindIndex::new(&new_key(random)) }
    }
}

type Secret = Zeroizing<Vec<u8>>;

fn new_key(random: &dyn Random) -> Secret {
    Zeroizing::new(random_bytes::<32>(random).to_vec())
}

/// Every file `data-N.key`; the first one is made when there is none.
fn data_keys(folder: &Path, random: &dyn Random) -> Result<Vec<(u32, Secret)>, KeyError> {
    let failed = |source| KeyError::File { path: folder.to_owned(), source };
    let mut numbers: Vec<u32> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("data-")?.strip_suffix(".key")?.parse().ok());
        numbers.extend::<Option<u32>>(number);
    }
    if numbers.is_empty() {
        numbers.push(1);
    }
    let load = |number: u32| {
        let path = folder.join(format!("data-{number}.key"));
        Ok((number, load_or_create(&path, || Ok(new_key(random)))?))
    };
    numbers.into_iter().map(load).collect()
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

fn load(path: &Path) -> io::Result<Option<Secret>> {
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
        let first = Keys::load_or_create(&folder, &SystemRandom).unwrap();
        let sealed = first.sealer.seal(&[b"x"], "text");
        let index = first.index.of(&[b"x"]);
        let second = Keys::load_or_create(&folder, &SystemRandom).unwrap();
        assert_eq!(second.sealer.open(1, &[b"x"], &sealed).as_deref(), Ok("text"));
        assert_eq!(second.index.of(&[b"x"]), index);
        for entry in fs::read_dir(folder.join("keys")).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, PRIVATE);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn shared_keys_are_never_made() {
        let folder = scratch("shared");
        assert!(Keys::load_shared(&folder, &SystemRandom).is_err());
        Keys::create_in(&folder, &SystemRandom).unwrap();
        assert!(Keys::load_shared(&folder, &SystemRandom).is_ok());
        fs::remove_file(folder.join(INDEX)).unwrap();
        assert!(Keys::load_shared(&folder, &SystemRandom).is_err());
        assert!(!folder.join(INDEX).exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_newest_data_key_seals() {
        let folder = scratch("newest");
        Keys::load_or_create(&folder, &SystemRandom).unwrap();
        fs::write(folder.join("keys/data-3.key"), [3; 32]).unwrap();
        assert_eq!(Keys::load_or_create(&folder, &SystemRandom).unwrap().sealer.key(), 3);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_key_is_refused() {
        let folder = scratch("damaged");
        Keys::load_or_create(&folder, &SystemRandom).unwrap();
        for file in ["access-tokens.pkcs8", "blind-index.key", "data-1.key"] {
            let path = folder.join("keys").join(file);
            let right = fs::read(&path).unwrap();
            fs::write(&path, b"short").unwrap();
            assert!(Keys::load_or_create(&folder, &SystemRandom).is_err(), "{file}");
            fs::write(&path, right).unwrap();
        }
        assert!(Keys::load_or_create(&folder, &SystemRandom).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }
}
