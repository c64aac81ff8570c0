//! The data folder: one file per role, the journal with its witness, and a lock that keeps two servers apart.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What every folder has in which a server ran once. The archive of orders is not among them: it is made again.
const CONTENTS: [&str; 10] = [
    "accounts.db",
    "catalog.db",
    "orders.db",
    "payments.db",
    "vouchers.db",
    "sandbox.db",
    "journal.db",
    "keys/access-tokens.pkcs8",
    "keys/blind-index.key",
    FIRST_KEY,
];
/// The key that data is sealed with until there is another.
const FIRST_KEY: &str = "keys/data-1.key";
/// The file that says that all of it was there.
const COMPLETE: &str = "contents";
/// A file that says that the demo is being put on sale; a start that finds it begins again.
const DEMO_PENDING: &str = "demo.pending";

/// A data folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another server runs on it.
    #[error("another firstcome runs on {0}; stop it first, or use another --data folder")]
    InUse(PathBuf),
    /// It is not there.
    #[error("there is no data in {0}; start `firstcome serve --data {0}` first")]
    Missing(PathBuf),
    /// Something that was there is gone.
    #[error(
        "{path} is not whole: {missing} was there and is gone. Nothing was changed. Restore the whole folder from a \
         backup of one moment: a shop that goes on without a part of its books takes money for nothing, or sells twice"
    )]
    Incomplete {
        /// The folder.
        path: PathBuf,
        /// The names, separated by commas.
        missing: String,
    },
    /// Nobody can tell what is in it.
    #[error("{path} cannot be read: {error}")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It cannot be written.
    #[error("{path}: {error}")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Held as long as a server runs; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used: closing the file releases the lock")] File);

impl Folder {
    /// The folder at a path; creates it when it does not exist, for its owner alone.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(|error| unusable(path, error))?;
        Ok(Self(path.to_owned()))
    }

    /// The folder at a path, in which a server has run before.
    pub fn existing(path: &Path) -> Result<Self, FolderError> {
        let folder = Self(path.to_owned());
        folder.check_complete()?;
        match std::fs::metadata(folder.database("accounts")) {
            Ok(found) if found.is_file() => Ok(folder),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::Unreadable { path: path.to_owned(), error })
            }
            _ => Err(FolderError::Missing(path.to_owned())),
        }
    }

    /// Refuses a folder from which something is gone that was there once.
    pub fn check_complete(&self) -> Result<(), FolderError> {
        if !self.0.join(COMPLETE).is_file() {
            return Ok(());
        }
        let is_there = |name: &str| self.0.join(name).exists() || name == FIRST_KEY && self.has_newer_key();
        let missing: Vec<_> = CONTENTS.into_iter().filter(|name| !is_there(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(FolderError::Incomplete { path: self.0.clone(), missing: missing.join(", ") })
    }

    /// Whether a later key took the place of the first. Which ones are needed is what rows say, and the accounts check it.
    fn has_newer_key(&self) -> bool {
        firstcome_app::secrets::load_data_keys(&self.0.join("keys")).is_ok_and(|keys| !keys.is_empty())
    }

    /// Notes that everything is there.
    pub fn note_complete(&self) -> Result<(), FolderError> {
        if self.0.join(COMPLETE).is_file() {
            return Ok(());
        }
        self.write(COMPLETE, &format!("This folder is whole only with: {}\n", CONTENTS.join(", ")))
    }

    /// Whether the demo was begun and not ended, by a process that died.
    pub fn demo_is_pending(&self) -> bool {
        self.0.join(DEMO_PENDING).is_file()
    }

    /// Notes that the demo is being put on sale. Before anything else is made in a new folder.
    pub fn begin_demo(&self) -> Result<(), FolderError> {
        self.write(DEMO_PENDING, "The demo is being put on sale.\n")
    }

    /// Notes that the demo is on sale.
    pub fn end_demo(&self) -> Result<(), FolderError> {
        std::fs::remove_file(self.0.join(DEMO_PENDING)).map_err(|error| unusable(&self.0, error))
    }

    /// Writes a small file so that it is there whole or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        use std::io::Write as _;
        let (path, temporary) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| unusable(&path, error))
    }

    /// Whether no server has run in it yet.
    pub fn is_new(&self) -> bool {
        !self.database("catalog").is_file()
    }

    /// Puts aside what a process of a cluster keeps of the journal, which is made again. Whether there was anything.
    #[cfg(feature = "cluster")]
    pub fn put_copies_aside(&self) -> Result<bool, firstcome_core::ports::PortError> {
        let mut any = false;
        for name in ["journal", crate::wire::ARCHIVE] {
            any |= firstcome_store::sqlite::put_aside(&self.database(name))?.is_some();
        }
        Ok(any)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The database of a role.
    pub fn database(&self, role: &str) -> PathBuf {
        self.0.join(format!("{role}.db"))
    }

    /// Takes the folder for one server.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        let path = self.0.join("lock");
        let file = File::create(&path).map_err(|error| unusable(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(unusable(&path, error)),
        }
    }
}

fn unusable(path: &Path, error: io::Error) -> FolderError {
    FolderError::Unusable { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_missed() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::create(temporary.path()).expect("created");
        assert!(folder.check_complete().is_ok(), "a new folder has nothing yet");
        std::fs::create_dir(folder.path().join("keys")).expect("created");
        for name in CONTENTS {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        folder.note_complete().expect("noted");
        assert!(folder.check_complete().is_ok() && Folder::existing(folder.path()).is_ok());
        for name in ["keys/data-1.key", "payments.db"] {
            std::fs::remove_file(folder.path().join(name)).expect("removed");
        }
        let refused = Folder::existing(folder.path()).expect_err("not whole").to_string();
        assert!(refused.contains("payments.db, keys/data-1.key was there and is gone"), "{refused}");
    }

    #[test]
    fn one_server_at_a_time() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::create(&temporary.path().join("data")).expect("created");
        assert!(folder.is_new());
        let lock = folder.lock().expect("free");
        assert!(matches!(folder.lock(), Err(FolderError::InUse(_))));
        drop(lock);
        assert!(folder.lock().is_ok());
        assert!(matches!(Folder::existing(temporary.path()), Err(FolderError::Missing(_))));
    }

    #[test]
    fn what_cannot_be_read_is_not_called_empty() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = Folder::existing(file.path()).expect_err("no folder").to_string();
        assert!(error.contains("cannot be read"), "{error}");
        let loop_to_itself = file.path().with_extension("loop");
        std::os::unix::fs::symlink(&loop_to_itself, &loop_to_itself).expect("a link");
        let error = Folder::existing(&loop_to_itself);
        std::fs::remove_file(&loop_to_itself).expect("it is there");
        assert!(matches!(error, Err(FolderError::Unreadable { .. })), "{error:?}");
    }
}
