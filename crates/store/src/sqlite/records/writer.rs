//! The one thread that writes a file: it takes all that waits, syncs once, and answers everyone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::Table;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::watch;

use super::checkpoint::{Checkpoints, copy_when_asked};
use super::judge::judge;
use super::queue::{Job, Queue};
use super::statements::Statements;
use crate::sqlite::connection::port_error;

/// Units of work in one commit that make a crowd.
const CROWD: usize = 8;
/// The least time from the beginning of a commit to that of the next, while there is a crowd.
const GATHER: Duration = Duration::from_millis(1);

/// What the writer shares with the adapter.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) tables: &'static [&'static Table],
    pub(super) queue: Queue,
    /// The position of the last event that was committed here.
    pub(super) announced: watch::Sender<i64>,
    /// Why nothing can be written any more.
    pub(super) failed: watch::Sender<Option<PortError>>,
    /// The next sync fails.
    #[cfg(test)]
    pub(super) broken: std::sync::atomic::AtomicBool,
}

/// What became of a transaction.
enum Outcome {
    /// Durable.
    Durable,
    /// Nothing of it happened, and the next one may succeed.
    Undone(PortError),
    /// Nobody knows what the disk holds.
    Fatal(PortError),
}

/// Runs until the queue is closed and empty, or the disk fails.
pub(super) fn run(connection: &Connection, shared: &Arc<Shared>) {
    let _guard = FailOnPanic(shared);
    let prepare = || Ok((Statements::prepare(connection, shared.tables)?, Checkpoints::prepare(connection)?));
    match prepare() {
        Ok((statements, (checkpoints, asked))) => std::thread::scope(|scope| {
            let copy = move || copy_when_asked(&shared.path, &asked).unwrap_or_else(|error| fail(shared, error));
            match std::thread::Builder::new().name("copy-log".to_owned()).spawn_scoped(scope, copy) {
                Ok(_) => {}
                Err(error) => fail(shared, PortError::Unavailable(format!("no thread: {error}"))),
            }
            Writer { connection, statements, checkpoints, shared, outcomes: Vec::new(), refusing: false }.run();
        }),
        Err(error) => fail(shared, port_error(&shared.path, &error)),
    }
}

/// From now on nothing is written: what is in memory elsewhere may be ahead of the disk.
fn fail(shared: &Shared, reason: PortError) {
    shared.queue.abandon(&reason);
    shared.failed.send_replace(Some(reason));
}

struct FailOnPanic<'a>(&'a Shared);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            fail(self.0, PortError::Unavailable(format!("{}: the writer has panicked", self.0.path.display())));
        }
    }
}

struct Writer<'a> {
    connection: &'a Connection,
    statements: Statements<'a>,
    checkpoints: Checkpoints<'a>,
    shared: &'a Shared,
    outcomes: Vec<Committed>,
    /// Whether the last transaction could not be written.
    refusing: bool,
}

impl Writer<'_> {
    fn run(&mut self) {
        let mut jobs = Vec::new();
        let mut crowd = None;
        while self.gather(&mut crowd, &mut jobs) {
            let outcome = self.commit(&jobs);
            match outcome {
                Outcome::Durable => {
                    self.refusing = false;
                    for (job, committed) in jobs.drain(..).zip(&self.outcomes) {
                        // Whoever asked may have gone.
                        let _ = job.answer.send(Ok(*committed));
                    }
                }
                Outcome::Undone(reason) => {
                    // Said once, not once for everyone who is refused.
                    if !std::mem::replace(&mut self.refusing, true) {
                        tracing::error!(%reason, "nothing can be written at the moment");
                    }
                    refuse(&mut jobs, &reason);
                }
                Outcome::Fatal(reason) => {
                    fail(self.shared, reason.clone());
                    refuse(&mut jobs, &reason);
                    return;
                }
            }
            if let Err(error) = self.checkpoints.after_commit() {
                tracing::warn!(file = %self.shared.path.display(), %error, "the log could not be copied into the file");
            }
        }
    }

    /// Waits for work. A crowd is let come together: the same work in fewer, larger commits leaves more of the processor
    /// to those who wait for it.
    fn gather(&self, crowd: &mut Option<Instant>, jobs: &mut Vec<Job>) -> bool {
        if let Some(before) = *crowd {
            std::thread::sleep(GATHER.saturating_sub(before.elapsed()));
        }
        *crowd = Some(Instant::now());
        let more = self.shared.queue.take(jobs);
        if jobs.len() < CROWD {
            *crowd = None;
        }
        more
    }

    fn commit(&mut self, jobs: &[Job]) -> Outcome {
        self.outcomes.clear();
        let announced = match self.commit_all(jobs) {
            Ok(announced) => announced,
            Err(error) => return self.undo(&error),
        };
        if let Some(position) = announced {
            self.shared.announced.send_replace(position);
        }
        Outcome::Durable
    }

    /// Returns the position of the last event, if there was any.
    fn commit_all(&mut self, jobs: &[Job]) -> rusqlite::Result<Option<i64>> {
        self.statements.begin.raw_execute()?;
        let (mut announces, is_alone) = (false, jobs.len() == 1);
        for job in jobs {
            let committed = judge(&mut self.statements, &job.unit, is_alone)?;
            announces |= committed == Committed::Done && !job.unit.events.is_empty();
            self.outcomes.push(committed);
        }
        if is_alone && self.outcomes != [Committed::Done] {
            self.statements.rollback.raw_execute()?;
            return Ok(None);
        }
        let last = announces.then(|| self.statements.last_event.query_row([], |row| row.get(0))).transpose()?;
        #[cfg(test)]
        if self.shared.broken.load(std::sync::atomic::Ordering::SeqCst) {
            let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
            return Err(rusqlite::Error::SqliteFailure(error, None));
        }
        self.statements.commit.raw_execute()?;
        Ok(last)
    }

    /// Takes a transaction back after an error.
    ///
    /// A full disk and a file that another process keeps busy pass. After anything else, a failed sync above all,
    /// nobody knows what a crash would leave of the commits before, so this was the last one.
    fn undo(&mut self, error: &rusqlite::Error) -> Outcome {
        let reason = port_error(&self.shared.path, error);
        if !self.connection.is_autocommit()
            && let Err(error) = self.statements.rollback.raw_execute()
        {
            return Outcome::Fatal(port_error(&self.shared.path, &error));
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Outcome::Undone(reason),
            _ => Outcome::Fatal(reason),
        }
    }
}

fn refuse(jobs: &mut Vec<Job>, reason: &PortError) {
    for job in jobs.drain(..) {
        let _ = job.answer.send(Err(reason.clone()));
    }
}
