//! Checking a whole journal, record by record, also while a server writes it.

use std::path::Path;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::Digest;
use firstcome_core::ports::JournalEntry;
use hashbrown::HashMap;

use super::journal::{Reader, Stored, open_for_reading};
use super::start::Files;
use super::witness::{Head, Witness};

/// Rows read in one transaction, so that an audit never keeps the write-ahead log from being taken over.
const CHUNK: usize = 512;

/// What was found whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Offers that they are about.
    pub offers: u64,
    /// The head of the journal when the check came to its end.
    pub head: Head,
    /// Whether there are records but no witness: nobody can tell then whether more came after the last.
    pub witness_missing: bool,
}

/// Why a journal is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error("the journal cannot be read: {0}")]
    Unreadable(String),
    /// It is not what was written; the text names the place.
    #[error("{0}")]
    Corrupt(String),
    /// The visitor gave up, with its own reason.
    #[error("{0}")]
    Stopped(String),
}

impl From<rusqlite::Error> for VerifyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Reads every record of the journal in `directory`, in order, checks its hash, both its chains and its sequence numbers,
/// passes it to `visit`, and checks the end against the witness, if there is one. Changes nothing.
pub fn verify_journal(
    directory: &Path,
    mut visit: impl FnMut(&JournalEntry) -> Result<(), String>,
) -> Result<Verified, VerifyError> {
    let files = Files::in_directory(directory);
    // Read first: the journal of a running server only grows past it.
    let witnessed = Witness::read(&files.witness);
    let witnessed = witnessed.map_err(|error| VerifyError::Corrupt(format!("{}: {error}", files.witness.display())))?;
    let connection = open_for_reading(&files.journal)?;
    let mut check = Check { witnessed, ..Check::after(Head::default()) };
    loop {
        let before = check.verified.head.position;
        Reader(&connection).after(before, i64::MAX, CHUNK, |row| check.row(&row, &mut visit))?;
        if check.verified.head.position == before {
            return check.end();
        }
    }
}

/// A check of records that follow each other.
pub(super) struct Check {
    verified: Verified,
    witnessed: Option<Head>,
    /// Whether the check began with the first record, so that the first of an offer is known.
    whole: bool,
    offers: HashMap<OfferNumber, (u64, Digest)>,
}

impl Check {
    /// A check of the records that follow this head.
    pub(super) fn after(head: Head) -> Self {
        let whole = head.position == 0;
        Self { verified: Verified { head, ..Verified::default() }, witnessed: None, whole, offers: HashMap::new() }
    }

    /// The head as of the last record that was checked.
    pub(super) fn head(&self) -> Head {
        self.verified.head
    }

    /// Checks the next record and passes it on.
    pub(super) fn row(
        &mut self,
        row: &Stored,
        mut visit: impl FnMut(&JournalEntry) -> Result<(), String>,
    ) -> Result<(), VerifyError> {
        let corrupt = |reason: &str| Err(VerifyError::Corrupt(format!("{}: {reason}", row.place())));
        let entry = row.open().map_err(VerifyError::Corrupt)?;
        let before = self.verified.head;
        let head = before.after(row.position, &entry.hash);
        // Positions in the copy of a cluster's journal have gaps; the chain ties each row to the one before it.
        if row.position <= before.position || row.chain != head.chain {
            return corrupt("it does not follow the record at the position before it");
        }
        let (last, record) = (entry.record.last_seq(), &entry.record);
        let tail = self.offers.insert(row.offer, (last, entry.hash)).or(self.whole.then(Default::default));
        if tail.is_some_and(|(seq, tail)| record.prev != tail || record.first_seq != seq + 1) {
            return corrupt("it does not follow its offer's record before it");
        }
        if self.witnessed.is_some_and(|witnessed| witnessed.position == head.position && witnessed != head) {
            return corrupt("it is not the record that the witness has seen");
        }
        self.verified.head = head;
        self.verified.records += 1;
        self.verified.events += entry.record.events.len() as u64;
        visit(&entry).map_err(VerifyError::Stopped)
    }

    fn end(mut self) -> Result<Verified, VerifyError> {
        let ended = self.verified.head.position;
        self.verified.offers = self.offers.len() as u64;
        match self.witnessed {
            None => self.verified.witness_missing = ended > 0,
            Some(witnessed) if witnessed.position > ended => {
                return Err(VerifyError::Corrupt(format!(
                    "records are missing at the end: the journal ends at position {ended}, its witness has seen {}",
                    witnessed.position
                )));
            }
            Some(_) => {}
        }
        Ok(self.verified)
    }
}
