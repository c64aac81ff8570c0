//! The folder of a shop's data.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::storm::{StormError, machine};

/// Where temporary folders are made.
const TEMPORARY: &str = "target";

/// Where the data lies.
#[derive(Debug)]
pub(super) enum Data {
    /// Removed in the end.
    Temporary(TempDir),
    /// Somebody else's.
    Given(PathBuf),
}

impl Data {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(folder) => folder,
        }
    }

    /// Keeps a temporary folder from being removed.
    pub(super) fn keep(self) -> Self {
        match self {
            Self::Temporary(folder) => Self::Given(folder.keep()),
            Self::Given(folder) => Self::Given(folder),
        }
    }

    /// The folder for a shop of our own: the given one, which must be empty, or a temporary one. It must be on a disk if figures are to
    /// be taken.
    pub(super) fn new(given: Option<&Path>, on_a_disk: bool) -> Result<Self, StormError> {
        let data = match given {
            Some(folder) => Self::Given(empty_folder(folder)?),
            None => Self::Temporary(temporary()?),
        };
        match machine::file_system(data.path()) {
            Some(kind) if on_a_disk && machine::is_memory(&kind) => Err(StormError::Usage(format!(
                "{} is on {kind}, where a sync costs nothing and keeps nothing; name a folder on a disk with --data",
                data.path().display()
            ))),
            _ => Ok(data),
        }
    }
}

/// A folder that somebody named, which must be empty; made if it is not there.
pub(crate) fn empty_folder(folder: &Path) -> Result<PathBuf, StormError> {
    let usage = |why: String| StormError::Usage(format!("--data {}: {why}", folder.display()));
    std::fs::create_dir_all(folder).map_err(|error| usage(error.to_string()))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| usage(error.to_string()))?;
    if entries.next().is_some() {
        return Err(usage(
            "it is not empty; a storm fills books of its own, so name an empty or a new folder".to_owned(),
        ));
    }
    Ok(folder.to_owned())
}

fn temporary() -> Result<TempDir, StormError> {
    let made = std::fs::create_dir_all(TEMPORARY)
        .and_then(|()| tempfile::Builder::new().prefix("storm-").tempdir_in(TEMPORARY));
    made.map_err(|error| {
        StormError::Usage(format!("no folder can be made under ./{TEMPORARY}: {error}; name another with --data DIR"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("books"), "mine").expect("written");
        assert!(matches!(Data::new(Some(folder.path()), true), Err(StormError::Usage(_))));
    }
}
