//! The journal's file: one row per record, in the order in which they became durable.

use std::path::Path;
use std::sync::Arc;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Digest, Record};
use firstcome_core::ports::JournalEntry;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use super::witness::Head;

/// `chain` rolls over the hashes of all records in order of position: it ties each row to every row before it, as `prev`
/// inside the record ties it to the records of its offer.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS journal (
        position INTEGER PRIMARY KEY,
        offer INTEGER NOT NULL,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        chain BLOB NOT NULL,
        record BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS journal_by_offer ON journal (offer, last_seq);
";

/// A record with all that its row says of it.
pub(crate) struct Row {
    pub(crate) entry: JournalEntry,
    pub(crate) chain: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// Why a batch is not in the journal.
pub(crate) enum WriteError {
    /// There is no space. Nothing of the batch was made durable for anyone to see; the very same batch may be written again.
    Full(String),
    /// The disk did not do its part; what it holds is unknown.
    Failed(String),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        let code = error.sqlite_error();
        // The index of the write-ahead log is a file too, and grows after the log itself was written.
        let index_full = code.is_some_and(|code| code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        if index_full || code.is_some_and(|code| code.code == ErrorCode::DiskFull) {
            Self::Full(text)
        } else {
            Self::Failed(text)
        }
    }
}

/// The one connection that writes.
pub(crate) struct Writer {
    connection: Connection,
}

impl Writer {
    /// Opens or creates the journal.
    pub(crate) fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        // An audit may look at the file at any time; it never holds a lock that lasts.
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        connection.set_prepared_statement_cache_capacity(16);
        Ok(Self { connection })
    }

    /// Opens or creates a copy of a journal that is kept elsewhere: it may lose its end in a power cut, and gets it again.
    #[cfg(feature = "cluster")]
    pub(crate) fn open_copy(path: &Path) -> Result<Self, rusqlite::Error> {
        let writer = Self::open(path)?;
        writer.connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(writer)
    }

    /// Makes rows durable, all of them or none.
    pub(crate) fn append(&mut self, rows: &[Row]) -> Result<(), WriteError> {
        let written = self.insert(rows);
        if written.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(written?)
    }

    fn insert(&self, rows: &[Row]) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        {
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO journal (position, offer, first_seq, last_seq, hash, chain, record) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?;
            for Row { entry, chain, bytes } in rows {
                let (first, last) = (entry.record.first_seq as i64, entry.record.last_seq() as i64);
                insert.execute(params![entry.position, entry.record.offer.0, first, last, entry.hash, chain, bytes])?;
            }
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Limits the size of the file, as a full disk would. Returns the limit in force: never less than what there is.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) -> u32 {
        let set = self.connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get(0));
        set.expect("it can be limited")
    }

    /// The same file for reading.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader(&self.connection)
    }
}

/// A stored row, before anyone has checked it.
pub(crate) struct Stored {
    pub(super) position: i64,
    pub(super) offer: OfferNumber,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(crate) hash: Digest,
    pub(crate) chain: Digest,
    pub(crate) bytes: Vec<u8>,
}

impl Stored {
    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        place(self.position, self.offer, self.first_seq, self.last_seq)
    }

    /// The record, if it is what was written.
    pub(crate) fn open(&self) -> Result<JournalEntry, String> {
        if Record::hash(&self.bytes) != self.hash {
            return Err(format!("{}: the record was altered, its hash does not match its contents", self.place()));
        }
        let record = Record::decode(&self.bytes).map_err(|error| format!("{}: {error}", self.place()))?;
        let same = record.offer == self.offer
            && !record.events.is_empty()
            && record.first_seq == self.first_seq
            && record.last_seq() == self.last_seq;
        if !same {
            return Err(format!("{}: the row does not say what its record says", self.place()));
        }
        Ok(JournalEntry { position: self.position, record: Arc::new(record), hash: self.hash })
    }
}

/// A place in the journal, for people.
pub(super) fn place(position: i64, offer: OfferNumber, first_seq: u64, last_seq: u64) -> String {
    format!("position {position}, offer {offer}, seq {first_seq} to {last_seq}")
}

const COLUMNS: &str = "position, offer, first_seq, last_seq, hash, chain, record";

fn stored(row: &rusqlite::Row<'_>) -> Result<Stored, rusqlite::Error> {
    Ok(Stored {
        position: row.get(0)?,
        offer: OfferNumber(row.get::<_, i64>(1)?.try_into().unwrap_or(u32::MAX)),
        first_seq: row.get::<_, i64>(2)? as u64,
        last_seq: row.get::<_, i64>(3)? as u64,
        hash: digest(row, 4)?,
        chain: digest(row, 5)?,
        bytes: row.get(6)?,
    })
}

/// A stored hash. One of another length is none; the check of the row that it belongs to will say so.
fn digest(row: &rusqlite::Row<'_>, column: usize) -> Result<Digest, rusqlite::Error> {
    Ok(row.get_ref(column)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default())
}

/// Opens a journal that may be in use, for reading only.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}

/// Reads rows. Every call is a short transaction of its own, so that the log can always be taken over into the database.
pub(crate) struct Reader<'a>(pub(crate) &'a Connection);

impl Reader<'_> {
    /// Calls `each` with the rows after `position` up to `to`, in order, at most `limit`.
    pub(crate) fn after<E: From<rusqlite::Error>>(
        &self,
        position: i64,
        to: i64,
        limit: usize,
        mut each: impl FnMut(Stored) -> Result<(), E>,
    ) -> Result<(), E> {
        let text =
            format!("SELECT {COLUMNS} FROM journal WHERE position > ? AND position <= ? ORDER BY position LIMIT ?");
        let mut select = self.0.prepare_cached(&text)?;
        let mut rows = select.query(params![position, to, limit as i64])?;
        while let Some(row) = rows.next()? {
            each(stored(row)?)?;
        }
        Ok(())
    }

    /// The rows of one offer from the one that contains `from_seq` on, up to position `to`, at most `limit`.
    pub(crate) fn of_offer(
        &self,
        offer: OfferNumber,
        from_seq: u64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, rusqlite::Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM journal WHERE offer = ? AND last_seq >= ? AND position <= ? ORDER BY last_seq LIMIT ?"
        );
        let from_seq = i64::try_from(from_seq).unwrap_or(i64::MAX);
        let mut select = self.0.prepare_cached(&text)?;
        let rows = select.query_map(params![offer.0, from_seq, to, limit as i64], stored)?;
        rows.collect()
    }

    /// The last position; 0 when the journal is empty.
    pub(crate) fn last_position(&self) -> Result<i64, rusqlite::Error> {
        self.0.query_row("SELECT coalesce(max(position), 0) FROM journal", [], |row| row.get(0))
    }

    /// The row at a position, without checking it.
    pub(crate) fn at(&self, position: i64) -> Result<Option<Stored>, rusqlite::Error> {
        let text = format!("SELECT {COLUMNS} FROM journal WHERE position = ?");
        self.0.prepare_cached(&text)?.query_row([position], stored).optional()
    }

    /// The head as of a row; the empty journal's at 0.
    pub(crate) fn head_at(&self, position: i64) -> Result<Option<Head>, rusqlite::Error> {
        if position == 0 {
            return Ok(Some(Head::default()));
        }
        let mut select = self.0.prepare_cached("SELECT chain FROM journal WHERE position = ?")?;
        select.query_row([position], |row| Ok(Head { position, chain: digest(row, 0)? })).optional()
    }

    /// The last record of each offer: its last sequence number and its hash.
    #[cfg(feature = "cluster")]
    pub(crate) fn tails(&self) -> Result<Vec<(OfferNumber, u64, Digest)>, rusqlite::Error> {
        let text = "SELECT offer, last_seq, hash FROM journal JOIN
            (SELECT offer AS one, max(last_seq) AS seq FROM journal GROUP BY offer) ON offer = one AND last_seq = seq";
        let mut select = self.0.prepare(text)?;
        let rows = select.query_map([], |row| {
            let offer = OfferNumber(row.get::<_, i64>(0)?.try_into().unwrap_or(u32::MAX));
            Ok((offer, row.get::<_, i64>(1)? as u64, digest(row, 2)?))
        })?;
        rows.collect()
    }

    /// The hash of an offer's record that ends with `seq`, if it stands at `position` or before.
    pub(super) fn hash_of(
        &self,
        offer: OfferNumber,
        seq: u64,
        position: i64,
    ) -> Result<Option<Digest>, rusqlite::Error> {
        let text = "SELECT hash FROM journal WHERE offer = ? AND last_seq = ? AND position <= ?";
        self.0.prepare_cached(text)?.query_row(params![offer.0, seq as i64, position], |row| digest(row, 0)).optional()
    }
}

/// Bytes per page. A batch is tens of kilobytes and a page costs two writes, so large pages save calls; the smallest
/// batch still writes one.
const PAGE: u32 = 8192;
