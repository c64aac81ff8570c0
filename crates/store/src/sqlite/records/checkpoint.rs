//! Moving what was committed from the log into the file, beside the writer.
//!
//! SQLite does this inside every commit that finds a thousand pages in the log, and everyone waits. Here a second
//! thread copies while the writer goes on. As the log begins anew only when all of it was copied, and a busy writer
//! never lets that happen, the writer copies the last bit itself when the log has become long, and whatever there is
//! when it has become far too long.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use firstcome_core::ports::PortError;
use parking_lot::Mutex;
use rusqlite::{Connection, Result, Statement};

use crate::sqlite::connection::{open, port_error};

/// Pages in the log that are worth a copy.
const WORTH: i64 = 2_048;
/// Pages after which the log should begin anew: 32 MiB.
const LONG: i64 = 8_192;
/// Pages after which everyone waits until it can: 128 MiB.
const TOO_LONG: i64 = 32_768;
/// Pages that the writer copies without anyone noticing.
const LITTLE: i64 = 1_024;
/// Kibibytes of pages that the copying connection keeps; it reads the log and not the file.
const CACHE: u32 = 256;

/// How long the log is, and how much of it is in the file.
struct Log {
    pages: i64,
    copied: i64,
}

fn log_of(statement: &mut Statement<'_>) -> Result<Log> {
    statement.query_row([], |row| Ok(Log { pages: row.get(1)?, copied: row.get(2)? }))
}

/// The writer's side.
pub(super) struct Checkpoints<'c> {
    measure: Statement<'c>,
    copy: Statement<'c>,
    copier: SyncSender<()>,
    turn: Arc<Mutex<()>>,
}

/// The copier's side.
pub(super) struct Asked {
    asked: Receiver<()>,
    /// Held while one of the two copies; SQLite would let the other return without doing anything.
    turn: Arc<Mutex<()>>,
}

impl<'c> Checkpoints<'c> {
    /// Takes SQLite's own checkpoints away from a connection. The other side is for [`copy_when_asked`].
    pub(super) fn prepare(connection: &'c Connection) -> Result<(Self, Asked)> {
        connection.query_row("PRAGMA wal_autocheckpoint=0", [], |_| Ok(()))?;
        let (copier, asked) = sync_channel(1);
        let measure = connection.prepare("PRAGMA wal_checkpoint(NOOP)")?;
        let copy = connection.prepare("PRAGMA wal_checkpoint(PASSIVE)")?;
        let turn = Arc::<Mutex<()>>::default();
        Ok((Self { measure, copy, copier, turn: Arc::clone(&turn) }, Asked { asked, turn }))
    }

    /// To be called between two transactions. What goes wrong here loses nothing: the log keeps what is not copied.
    pub(super) fn after_commit(&mut self) -> Result<()> {
        let log = log_of(&mut self.measure)?;
        let waiting = log.pages - log.copied;
        if log.pages >= TOO_LONG || (log.pages >= LONG && waiting <= LITTLE) {
            let _turn = self.turn.lock();
            log_of(&mut self.copy)?;
        } else if waiting >= WORTH {
            // Full means that the copier has been asked already.
            let _ = self.copier.try_send(());
        }
        Ok(())
    }
}

/// Copies whenever the writer asks, until the writer has gone.
pub(super) fn copy_when_asked(path: &Path, asked: &Asked) -> std::result::Result<(), PortError> {
    let connection = open(path, CACHE)?;
    let prepare = || connection.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    let mut copy = prepare().map_err(|error| port_error(path, &error))?;
    while asked.asked.recv().is_ok() {
        let _turn = asked.turn.lock();
        if let Err(error) = log_of(&mut copy) {
            tracing::warn!(file = %path.display(), %error, "the log could not be copied into the file");
        }
    }
    Ok(())
}
