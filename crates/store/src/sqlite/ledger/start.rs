//! Starting: the whole journal is checked, the archive is brought up to its end, and every offer begins from there.
//!
//! Every record is checked before anything is concluded from it: its hash, its place in the journal's chain and in its
//! offer's, its sequence numbers, and the head against the witness. The records that the archive has already are checked
//! beside the reading of the archive, on another thread.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Digest, Offer, OfferSnapshot, Persons};
use firstcome_core::ports::{ArchiveHead, HoldArchive, JournalEntry, PortError};
use hashbrown::HashMap;

use super::super::connection::port_error;
use super::LedgerOptions;
use super::journal::{Reader, Writer, open_for_reading};
use super::verify::{Check, VerifyError};
use super::witness::{Head, Witness};
use crate::lane::Lane;

/// Records that the archive takes at a time.
const CHUNK: usize = 256;

/// Where the files of a ledger are.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) lock: PathBuf,
    pub(crate) journal: PathBuf,
    pub(super) witness: PathBuf,
}

impl Files {
    pub(crate) fn in_directory(directory: &Path) -> Self {
        let [lock, journal, witness] =
            ["journal.lock", "journal.db", "journal.witness"].map(|name| directory.join(name));
        Self { lock, journal, witness }
    }

    /// What a failure to read the journal means to callers of the port.
    pub(crate) fn unreadable(&self, error: &rusqlite::Error) -> PortError {
        port_error(&self.journal, error)
    }

    /// A journal that is not what was written, and how it shows.
    pub(crate) fn corrupt(&self, reason: &str) -> PortError {
        PortError::Corrupt(format!("{}: {reason}", self.journal.display()))
    }
}

/// What a ledger starts with.
pub(super) struct Started {
    pub(super) lock: File,
    pub(super) writer: Writer,
    pub(super) witness: Witness,
    pub(super) head: Head,
    pub(super) lanes: HashMap<OfferNumber, Arc<Lane>>,
}

/// Opens the files and rebuilds every offer.
pub(super) fn start(options: &LedgerOptions) -> Result<Started, PortError> {
    std::fs::create_dir_all(&options.directory).map_err(|error| unusable(&options.directory, &error))?;
    let files = Files::in_directory(&options.directory);
    let lock = lock(&files.lock)?;
    let writer = Writer::open(&files.journal).map_err(|error| files.unreadable(&error))?;
    // The entries of new files must be as durable as what will be in them.
    let directory = File::open(&options.directory).and_then(|directory| directory.sync_all());
    directory.map_err(|error| unusable(&options.directory, &error))?;

    let reader = writer.reader();
    let archived = options.archive.head()?;
    check_archive(&files, &reader, archived)?;
    let head = check_tail(&files, &reader, archived.position, options.accept_missing_witness)?;
    let lanes = std::thread::scope(|scope| {
        let before = scope.spawn(|| check_before(&files, archived.position));
        let lanes = catch_up(&files, &reader, archived.position, options.archive.as_ref())
            .and_then(|()| restore(&files, &reader, options.archive.as_ref()));
        // A panic of the check is no proof that the journal is whole.
        let checked = before.join().unwrap_or_else(|_| Err(files.corrupt("the check of its records gave up")));
        checked.and(lanes)
    })?;
    let witness = Witness::open(&files.witness, head).map_err(|error| unusable(&files.witness, &error))?;
    Ok(Started { lock, writer, witness, head, lanes })
}

/// Refuses an archive that was made from another journal, or from more of it than there is.
pub(crate) fn check_archive(files: &Files, reader: &Reader<'_>, archived: ArchiveHead) -> Result<(), PortError> {
    let ArchiveHead { position, hash } = archived;
    let unreadable = |error| files.unreadable(&error);
    if position == 0 {
        return Ok(());
    }
    let Some(row) = reader.at(position).map_err(unreadable)? else {
        let last = reader.last_position().map_err(unreadable)?;
        let reason = format!("records are missing: the books contain position {position}, the journal ends at {last}");
        return Err(files.corrupt(&reason));
    };
    if row.hash != hash {
        return Err(files.corrupt(&format!("{}: it is not the record that the books contain", row.place())));
    }
    Ok(())
}

/// Checks the records after `archived` and the head against the witness, and gives back the head.
fn check_tail(
    files: &Files,
    reader: &Reader<'_>,
    archived: i64,
    accept_missing_witness: bool,
) -> Result<Head, PortError> {
    let unreadable = |error| files.unreadable(&error);
    let begin = reader.head_at(archived).map_err(unreadable)?.unwrap_or_default();
    let mut check = Check::after(begin);
    let checked = reader.after(archived, i64::MAX, usize::MAX >> 1, |row| check.row(&row, |_| Ok(())));
    checked.map_err(|error| refused(files, error))?;
    let head = check.head();
    check_witness(files, reader, head, accept_missing_witness)?;
    Ok(head)
}

/// Checks every record up to `archived`, on a connection of its own.
fn check_before(files: &Files, archived: i64) -> Result<(), PortError> {
    if archived == 0 {
        return Ok(());
    }
    let connection = open_for_reading(&files.journal).map_err(|error| files.unreadable(&error))?;
    let reader = Reader(&connection);
    let mut check = Check::after(Head::default());
    let checked = reader.after(0, archived, usize::MAX >> 1, |row| check.row(&row, |_| Ok(())));
    checked.map_err(|error| refused(files, error))?;
    // The archive's record is there and was checked to be its last, so only one in between can be missing.
    if check.head().position != archived {
        return Err(files.corrupt(&format!("records are missing before position {archived}")));
    }
    Ok(())
}

fn refused(files: &Files, error: VerifyError) -> PortError {
    match error {
        VerifyError::Corrupt(reason) | VerifyError::Stopped(reason) => files.corrupt(&reason),
        VerifyError::Unreadable(reason) => PortError::Unavailable(format!("{}: {reason}", files.journal.display())),
    }
}

/// Gives the archive what it does not have yet. The records were checked.
pub(crate) fn catch_up(
    files: &Files,
    reader: &Reader<'_>,
    mut archived: i64,
    archive: &dyn HoldArchive,
) -> Result<(), PortError> {
    loop {
        let mut rows = Vec::new();
        let read = reader.after(archived, i64::MAX, CHUNK, |row| {
            rows.push(row);
            Ok::<_, rusqlite::Error>(())
        });
        read.map_err(|error| files.unreadable(&error))?;
        let entries: Result<Vec<JournalEntry>, _> = rows.iter().map(super::journal::Stored::open).collect();
        let entries = entries.map_err(|reason| files.corrupt(&reason))?;
        let Some(last) = entries.last() else { return Ok(()) };
        archived = last.position;
        archive.apply(&entries)?;
    }
}

/// Every offer as the archive has it, tied to the journal by the hash of its last record.
pub(crate) fn restore(
    files: &Files,
    reader: &Reader<'_>,
    archive: &dyn HoldArchive,
) -> Result<HashMap<OfferNumber, Arc<Lane>>, PortError> {
    let position = archive.head()?.position;
    let mut persons = archive.persons()?;
    let mut lanes = HashMap::new();
    for snapshot in archive.offers()? {
        let (number, seq) = (snapshot.terms.offer.number(), snapshot.seq);
        let tail = reader.hash_of(number, seq, position).map_err(|error| files.unreadable(&error))?;
        let tail = tail.ok_or_else(|| {
            files.corrupt(&format!("the books have offer {number} up to seq {seq}, but no record of it ends there"))
        })?;
        let persons = persons.remove(&number).unwrap_or_default();
        lanes.insert(number, lane(snapshot, archive, persons, tail)?);
    }
    Ok(lanes)
}

fn lane(
    snapshot: OfferSnapshot,
    archive: &dyn HoldArchive,
    persons: Persons,
    tail: Digest,
) -> Result<Arc<Lane>, PortError> {
    let number = snapshot.terms.offer.number();
    let offer = Offer::restore(snapshot, archive.open_holds(number)?, persons);
    Ok(Lane::new(number, offer, tail))
}

/// Keeps other processes out: each would be ahead of what the other has in memory.
pub(crate) fn lock(path: &Path) -> Result<File, PortError> {
    let file = File::create(path).map_err(|error| unusable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let reason = format!("{}: another process runs the ledger of this directory", path.display());
            Err(PortError::Unavailable(reason))
        }
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}

pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> PortError {
    PortError::Unavailable(format!("{}: {error}", path.display()))
}

/// Refuses a journal that is not the one that answered.
fn check_witness(files: &Files, reader: &Reader<'_>, head: Head, accept_missing: bool) -> Result<(), PortError> {
    let refuse = |reason: String| Err(files.corrupt(&reason));
    let name = files.witness.display();
    let witnessed = match Witness::read(&files.witness) {
        Ok(Some(witnessed)) => witnessed,
        Ok(None) if head.position == 0 || accept_missing => return Ok(()),
        Ok(None) => {
            return refuse(format!(
                "it has {} records, but its witness {name} is missing, so nobody can tell whether its end is; restore \
                 the witness, or run `firstcome audit`: it compares everything else, and says when the journal may be \
                 accepted as it is",
                head.position
            ));
        }
        Err(error) => return refuse(format!("its witness {name} cannot be read: {error}")),
    };
    if witnessed.position > head.position {
        let last = reader.at(head.position).map_err(|error| files.unreadable(&error))?;
        let last = last.map_or_else(|| "it is empty".to_owned(), |row| format!("it ends at {}", row.place()));
        return refuse(format!(
            "records are missing at its end: {last}, but its witness {name} has seen position {}; restore the journal \
             together with its -wal file",
            witnessed.position
        ));
    }
    let there = reader.head_at(witnessed.position).map_err(|error| files.unreadable(&error))?;
    if there != Some(witnessed) {
        let row = reader.at(witnessed.position).map_err(|error| files.unreadable(&error))?;
        let place = row.map_or_else(|| format!("position {}", witnessed.position), |row| row.place());
        return refuse(format!("{place}: the record is not the one that its witness {name} has seen"));
    }
    Ok(())
}
