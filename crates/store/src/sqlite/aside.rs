//! Databases that are put aside when they can be made again: nobody knows yet whether they are the last that has something.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use firstcome_core::ports::PortError;

use super::ledger::unusable;

/// Renames a database, with its log, to the first name `NAME.replaced-NUMBER.db` that is free, and returns that name; None
/// when there is no such database. What was put aside before may be all that is left of what was lost elsewhere: nothing
/// is written over it.
pub fn put_aside(database: &Path) -> Result<Option<PathBuf>, PortError> {
    let parts = parts(database);
    if !parts.iter().any(|part| part.exists()) {
        return Ok(None);
    }
    let mut names = (1_u64..).map(|number| database.with_extension(format!("replaced-{number}.db")));
    let is_free = |name: &PathBuf| !self::parts(name).iter().any(|part| part.exists());
    let aside = names.find(is_free).expect("there is always another number");
    for (from, to) in parts.iter().zip(self::parts(&aside)) {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(database, &error)),
            _ => {}
        }
    }
    Ok(Some(aside))
}

/// The files of a database, itself last: SQLite deletes the log of a database that is not there.
fn parts(database: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", ""].map(|suffix| {
        let mut name = database.to_owned().into_os_string();
        name.push(suffix);
        name.into()
    })
}
