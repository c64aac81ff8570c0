//! What to do about a damaged archive.

use firstcome_core::ports::PortError;

/// What may be done at any time: the truth is elsewhere, and a start checks it whole.
const ADVICE: &str = "this file only repeats the journal: while no shop runs, remove it with its -wal and -shm files, and the \
                      next start makes it again";

/// Adds what to do to an error that says that the file is damaged.
pub(super) fn advise(error: PortError) -> PortError {
    match error {
        PortError::Corrupt(reason) => PortError::Corrupt(format!("{reason}; {ADVICE}")),
        other => other,
    }
}
