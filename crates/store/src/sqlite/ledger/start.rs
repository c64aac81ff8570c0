//! Starting: from the archive's snapshot, over the journal after it, to the state that was answered for.
//!
//! Every record after the snapshot is checked: its hash, its place in its offer's chain, its sequence numbers. The head
//! is checked against the witness. What lies before the snapshot is `firstcome audit`'s to check (see [`super::verify`]).

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Event, Offer, OfferSnapshot};
use firstcome_core::ports::{HoldArchive, JournalEntry, PortError};
use hashbrown::HashMap;

use super::super::connection::port_error;
use super::LedgerOptions;
use super::batch::{Settled, settles};
use super::journal::{Reader, Stored, Writer};
use super::lane::{Lane, LaneState};
use super::witness::{Head, Witness};

/// Where the files of a ledger are.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) lock: PathBuf,
    pub(super) journal: PathBuf,
    pub(super) witness: PathBuf,
}

impl Files {
    pub(super) fn in_directory(directory: &Path) -> Self {
        let [lock, journal, witness] =
            ["journal.lock", "journal.db", "journal.witness"].map(|name| directory.join(name));
        Self { lock, journal, witness }
    }

    /// What a failure to read the journal means to callers of the port.
    pub(super) fn unreadable(&self, error: &rusqlite::Error) -> PortError {
        port_error(&self.journal, error)
    }

    /// A journal that is not what was written, and how it shows.
    pub(super) fn corrupt(&self, reason: &str) -> PortError {
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
    pub(super) settled: VecDeque<Settled>,
    pub(super) archived: i64,
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

    let rebuilt = Rebuild::run(&files, &writer.reader(), options.archive.as_ref())?;
    check_witness(&files, &writer.reader(), rebuilt.head, options.accept_missing_witness)?;
    let witness = Witness::open(&files.witness, rebuilt.head).map_err(|error| unusable(&files.witness, &error))?;
    let lanes = rebuilt.lanes.into_iter().map(|(number, state)| (number, Lane::new(number, state.offer, state.tail)));
    let lanes: HashMap<_, _> = lanes.collect();
    let settled = rebuilt.settled.into_iter().filter_map(|(position, offer, seq, orders)| {
        Some(Settled { position, lane: lanes.get(&offer)?.clone(), seq, orders })
    });
    Ok(Started {
        lock,
        writer,
        witness,
        head: rebuilt.head,
        settled: settled.collect(),
        archived: rebuilt.archived,
        lanes,
    })
}

/// Keeps other processes out: each would be ahead of what the other has in memory.
fn lock(path: &Path) -> Result<File, PortError> {
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

fn unusable(path: &Path, error: &std::io::Error) -> PortError {
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
                 the witness, or run `firstcome audit` and accept the journal as it is",
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

type SettledRecord = (i64, OfferNumber, u64, Vec<firstcome_core::ids::OrderId>);

/// Offers while they are rebuilt.
struct Rebuild<'a> {
    archive: &'a dyn HoldArchive,
    files: &'a Files,
    lanes: HashMap<OfferNumber, LaneState>,
    settled: Vec<SettledRecord>,
    head: Head,
    archived: i64,
}

/// Ends the reading of rows: the database cannot be read, or what it has is wrong.
enum Stop {
    Unreadable(rusqlite::Error),
    Refused(PortError),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl<'a> Rebuild<'a> {
    fn run(files: &'a Files, reader: &Reader<'_>, archive: &'a dyn HoldArchive) -> Result<Self, PortError> {
        let archived = archive.position()?;
        let head = reader.head_at(archived).map_err(|error| files.unreadable(&error))?;
        let last = reader.last_position().map_err(|error| files.unreadable(&error))?;
        let Some(head) = head else {
            return Err(files.corrupt(&format!(
                "records are missing: the books contain position {archived}, the journal ends at {last}"
            )));
        };
        let (lanes, settled) = (HashMap::new(), Vec::new());
        let mut rebuild = Self { archive, files, lanes, settled, head, archived };
        for snapshot in archive.offers()? {
            rebuild.restore(reader, snapshot)?;
        }
        let replayed =
            reader.after(archived, i64::MAX, usize::MAX >> 1, |row| rebuild.replay(&row).map_err(Stop::Refused));
        match replayed {
            Ok(()) => Ok(rebuild),
            Err(Stop::Unreadable(error)) => Err(files.unreadable(&error)),
            Err(Stop::Refused(error)) => Err(error),
        }
    }

    /// Takes an offer from the archive, and ties it to the journal by the hash of its last record.
    fn restore(&mut self, reader: &Reader<'_>, snapshot: OfferSnapshot) -> Result<(), PortError> {
        let (number, seq) = (snapshot.terms.offer.number(), snapshot.seq);
        let tail = reader.hash_of(number, seq, self.archived).map_err(|error| self.files.unreadable(&error))?;
        let tail = tail.ok_or_else(|| {
            self.files
                .corrupt(&format!("the books have offer {number} up to seq {seq}, but no record of it ends there"))
        })?;
        let offer = Offer::restore(snapshot, self.archive.open_holds(number)?, self.archive.persons(number)?);
        self.lanes.insert(number, LaneState { offer, tail });
        Ok(())
    }

    /// Applies the next row.
    fn replay(&mut self, row: &Stored) -> Result<(), PortError> {
        let entry = row.open().map_err(|reason| self.files.corrupt(&reason))?;
        let head = self.head.after(&entry.hash);
        if row.position != head.position || row.chain != head.chain {
            let reason = format!("{}: it does not follow position {}", row.place(), self.head.position);
            return Err(self.files.corrupt(&reason));
        }
        self.head = head;
        let mut lane = self.lanes.remove(&row.offer).unwrap_or_default();
        let applied = self.apply(&mut lane, &entry);
        self.lanes.insert(row.offer, lane);
        applied.map_err(|error| match error {
            PortError::Corrupt(reason) => self.files.corrupt(&format!("{}: {reason}", row.place())),
            other => other,
        })
    }

    fn apply(&mut self, lane: &mut LaneState, entry: &JournalEntry) -> Result<(), PortError> {
        let (record, expected) = (&entry.record, lane.offer.seq() + 1);
        if record.prev != lane.tail || record.first_seq != expected {
            let found = record.first_seq;
            let error = firstcome_core::ledger::RecordError::Unchained { expected, found };
            return Err(PortError::Corrupt(error.to_string()));
        }
        for event in &record.events {
            self.recall(&mut lane.offer, record.offer, event)?;
            lane.offer.evolve(event, record.at);
        }
        lane.tail = entry.hash;
        let orders: Vec<_> = record.events.iter().filter(|event| settles(event)).filter_map(Event::order).collect();
        if !orders.is_empty() {
            self.settled.push((entry.position, record.offer, record.last_seq(), orders));
        }
        Ok(())
    }

    /// Brings the hold that an event changes back, if it was settled before the snapshot.
    fn recall(&self, offer: &mut Offer, number: OfferNumber, event: &Event) -> Result<(), PortError> {
        let creates =
            matches!(event, Event::Held(_) | Event::Sold(_) | Event::Prepared(_) | Event::OrderAborted { .. });
        let Some(order) = event.order().filter(|order| !creates && offer.hold(*order).is_none()) else {
            return Ok(());
        };
        let hold = self.archive.hold(number, order)?;
        let hold = hold.ok_or_else(|| PortError::Corrupt(format!("{order} changes, but was never granted")))?;
        offer.recall(hold);
        Ok(())
    }
}
