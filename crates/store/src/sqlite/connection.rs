//! Opening a SQLite file as every embedded adapter does, and what its errors mean.

use std::path::Path;
use std::time::Duration;

use firstcome_core::ports::PortError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

/// How long a statement waits for another process that is writing the same file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a file for writing and makes it if it is not there: a write-ahead log, synced at every commit.
///
/// `cache` is how many kibibytes of pages the connection may keep.
pub fn open(path: &Path, cache: u32) -> Result<Connection, PortError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = configured(path, flags, cache)?;
    let write_ahead = || -> rusqlite::Result<String> {
        // Another process may be making the same file right now; SQLite answers that with "busy" without waiting.
        let give_up = std::time::Instant::now() + PATIENCE;
        loop {
            match connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)) {
                Err(error) if is_busy(&error) && std::time::Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                answer => return answer,
            }
        }
    };
    let mode = write_ahead().map_err(|error| port_error(path, &error))?;
    if mode != "wal" {
        let reason = format!("{}: this file system cannot hold a write-ahead log", path.display());
        return Err(PortError::Unavailable(reason));
    }
    Ok(connection)
}

/// Opens a file that [`open`] has made, for reading only.
pub fn open_reader(path: &Path, cache: u32) -> Result<Connection, PortError> {
    configured(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX, cache)
}

fn configured(path: &Path, flags: OpenFlags, cache: u32) -> Result<Connection, PortError> {
    let configure = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // Pages that many commits change, those of indexes above all, are written back to the file once in 64 MiB of log
        // instead of once in four; after a crash a start reads as much.
        // Tables refer to nothing in each other, temporary data never needs a file, and a damaged page is noticed when
        // it is read instead of later.
        connection.execute_batch(&format!(
            "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;
             PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=16384; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-{cache};"
        ))?;
        // A plan depends on the statement, not on the values bound to it: without this every new value of a LIMIT costs
        // another preparation.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    };
    configure().map_err(|error| port_error(path, &error))
}

/// Whether another process held the file for too long.
pub fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a key or a unique index was taken.
pub fn is_taken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID)
    )
}

/// An error of SQLite as the ports tell it. Names the file.
pub fn port_error(path: &Path, error: &rusqlite::Error) -> PortError {
    let reason = format!("{}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => PortError::StorageFull(reason),
        // No code: not SQLite but the binding, which found a value of another type than its column's.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => PortError::Corrupt(reason),
        Some(ErrorCode::TooBig | ErrorCode::TypeMismatch | ErrorCode::ConstraintViolation) => {
            PortError::Misused(reason)
        }
        Some(_) => PortError::Unavailable(reason),
    }
}
