//! Where an export goes: a file or a folder, whole or not at all, which only its owner may read.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;

use crate::commands::CommandError;

/// The folder that something is in.
fn around(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn failed(target: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Broken(format!("{}: {error}; nothing was exported", target.display()))
}

/// Writes a file.
pub(super) fn write_file(target: &Path, contents: &[u8]) -> Result<(), CommandError> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(around(target))?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(target).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error| failed(target, &error))
}

/// A folder that stands under another name until all of it is there.
pub(super) struct NewFolder<'a> {
    target: &'a Path,
    folder: TempDir,
}

impl<'a> NewFolder<'a> {
    pub(super) fn begin(target: &'a Path) -> Result<Self, CommandError> {
        let folder = tempfile::Builder::new().prefix(".export-").tempdir_in(around(target));
        Ok(Self { target, folder: folder.map_err(|error| failed(target, &error))? })
    }

    /// Writes a file of it, and the folder within it that the file is in.
    pub(super) fn write(&self, name: impl AsRef<Path>, contents: &[u8]) -> Result<(), CommandError> {
        let write = || {
            let path = self.folder.path().join(name);
            fs::create_dir_all(around(&path))?;
            let mut file = fs::File::create_new(path)?;
            file.write_all(contents)?;
            file.sync_all()
        };
        write().map_err(|error| failed(self.target, &error))
    }

    pub(super) fn finish(self) -> Result<(), CommandError> {
        fs::rename(self.folder.path(), self.target).map_err(|error| failed(self.target, &error))
    }
}
