//! Connections for reading one file. They see a commit when it is published in the log's index, which SQLite does last
//! (`walFrames` in `wal.c`): with `synchronous=FULL` that is when it is on the disk, not before.

use std::path::PathBuf;

use firstcome_core::ports::PortError;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::connection::{open_reader, port_error};

/// Connections that are kept when nobody reads.
const KEPT: usize = 8;
/// Kibibytes of pages that each may keep.
const CACHE: u32 = 8_192;

/// Reads of one file, from any number of threads.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    /// Runs a read on a connection of its own. There are as many as threads that read at the same moment.
    pub(super) fn read<T>(&self, action: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, PortError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path, CACHE)?,
        };
        let answer = action(&connection).map_err(|error| port_error(&self.path, &error));
        let mut idle = self.idle.lock();
        if idle.len() < KEPT && connection.is_autocommit() {
            idle.push(connection);
        }
        answer
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.idle.lock().clear();
    }
}

/// Several statements at once: they see the file as of the moment of the first, and it is locked and let go once, not for each
/// of them.
pub(super) fn at_once<T>(
    connection: &Connection,
    action: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let answer = action(connection);
    connection.prepare_cached("COMMIT")?.execute([])?;
    answer
}
