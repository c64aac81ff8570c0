//! The archive of holds in one SQLite file of its own: where the embedded ledger begins from, and where settled orders are.
//!
//! # Rows by arrival
//! Orders are found by keys that are spread at random: the hash of an idempotency key, a person. Rows with such keys in a
//! B-tree cost a page each, which soon comes from the disk. So rows are numbered in the order of arrival and written one
//! behind the other, and the two indexes are sorted [runs](run) that are [merged](index) from time to time: a row costs the
//! same with ten orders in the books and with ten million (`docs/performance.md`).
//!
//! # Nothing here is the truth
//! The file says what the journal says, up to its own position, and can be removed: it is made again at the next start. So
//! its commits are not synced (`synchronous=NORMAL`): after a power cut it may be behind, never wrong, and catches up.

mod apply;
mod damage;
mod filter;
mod index;
mod list;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstcome_core::ids::{KeyHash, OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Digest, Hold, OfferSnapshot, Persons};
use firstcome_core::ports::{ArchiveHead, HoldArchive, JournalEntry, ListedOrder, OrderArchive, OrderQuery, PortError};
use hashbrown::HashMap;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Result as SqlResult, params};

pub use table::ArchivedRow;

use self::apply::{ApplyError, Taken, Writer};
use self::damage::advise;
use self::index::Index;
use super::connection::{open, open_reader, port_error};
use super::readers::Readers;

/// Kibibytes of pages that the writer may keep.
const CACHE: u32 = 32_768;
/// See [`SqliteArchive::run`].
const RUN: usize = 131_072;
/// Rows with the same 60-bit hash of a key: lines on several offers of one order, and of those that were aborted before it.
const LINES: usize = 4_096;

/// See the [module](self).
pub struct SqliteArchive {
    path: PathBuf,
    readers: Readers,
    indexes: Indexes,
    writer: Mutex<Writer>,
    head: Mutex<ArchiveHead>,
    /// Rows whose keys are in memory before they are written as a run.
    run: usize,
}

/// How rows are found.
struct Indexes {
    /// By the hash of the idempotency key.
    keys: Index,
    /// By the person.
    persons: Index,
}

fn key_of(order: OrderId) -> u64 {
    order.key_hash().0
}

/// The random part of a person's id.
fn person_of(person: UserId) -> u64 {
    person.0.last_chunk().map_or(0, |random| u64::from_le_bytes(*random))
}

impl Indexes {
    /// The row of an order on an offer.
    fn row_of(&self, connection: &Connection, offer: OfferNumber, order: OrderId) -> SqlResult<Option<ArchivedRow>> {
        self.first(connection, order.key_hash(), |row| row.offer == offer && row.hold.order == order)
    }

    /// The latest row of a key that is wanted.
    fn first(
        &self,
        connection: &Connection,
        key: KeyHash,
        wanted: impl Fn(&ArchivedRow) -> bool,
    ) -> SqlResult<Option<ArchivedRow>> {
        for row in self.keys.find(connection, key.0, u64::MAX, LINES)? {
            let row = connection.prepare_cached(table::ROW)?.query_row([row as i64], table::archived).optional()?;
            if let Some(row) = row.filter(&wanted) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Finds the rows again that no run has yet.
    fn fill(&self, connection: &Connection, indexed: i64) -> SqlResult<()> {
        let sql = format!("SELECT {} FROM holds WHERE row > ? ORDER BY row", table::COLUMNS);
        let mut select = connection.prepare(&sql)?;
        let rows: Vec<_> = select
            .query_map([indexed], |row| {
                table::archived(row).map(|row| (key_of(row.hold.order), person_of(row.hold.person), row.row as u64))
            })?
            .collect::<SqlResult<_>>()?;
        self.keys.add(rows.iter().map(|(key, _, row)| (*key, *row)));
        self.persons.add(rows.iter().map(|(_, person, row)| (*person, *row)));
        Ok(())
    }
}

impl SqliteArchive {
    /// Opens the file of an archive, and makes it where there is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Arc<Self>, PortError> {
        Self::open_with(path.into(), RUN)
    }

    fn open_with(path: PathBuf, run: usize) -> Result<Arc<Self>, PortError> {
        let connection = open(&path, CACHE).map_err(advise)?;
        let archive = Self::load(&path, connection, run).map_err(|error| advise(port_error(&path, &error)))?;
        Ok(Arc::new(archive))
    }

    fn load(path: &Path, connection: Connection, run: usize) -> SqlResult<Self> {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4_096)?;
        connection.execute_batch(&[table::SCHEMA, run::SCHEMA, units::SCHEMA].concat())?;
        let indexes = Indexes { keys: Index::load(&connection, "key")?, persons: Index::load(&connection, "person")? };
        let (head, indexed) = progress(&connection)?;
        indexes.fill(&connection, indexed)?;
        let offers = table::offers(&connection)?.into_iter().map(|offer| (offer.terms.offer.number(), offer));
        let last_row = connection.query_row("SELECT coalesce(max(row), 0) FROM holds", [], |row| row.get(0))?;
        let writer = Writer { offers: offers.collect(), last_row, connection };
        let (readers, path) = (Readers::new(path.to_owned()), path.to_owned());
        Ok(Self { path, readers, indexes, writer: Mutex::new(writer), head: Mutex::new(head), run })
    }

    fn read<T>(&self, action: impl FnOnce(&Connection) -> SqlResult<T>) -> Result<T, PortError> {
        self.readers.read(action).map_err(advise)
    }

    /// Writes the indexes' entries in memory as runs.
    fn write_runs(&self, writer: &Writer) -> SqlResult<()> {
        let connection = &writer.connection;
        let written = in_transaction(connection, || {
            let written = (self.indexes.keys.write(connection)?, self.indexes.persons.write(connection)?);
            connection.prepare_cached("UPDATE progress SET indexed = ?")?.execute([writer.last_row])?;
            Ok::<_, rusqlite::Error>(written)
        })?;
        self.indexes.keys.take(written.0);
        self.indexes.persons.take(written.1);
        Ok(())
    }

    fn take(&self, writer: &Writer, entries: &[JournalEntry], head: ArchiveHead) -> Result<Taken, ApplyError> {
        let connection = &writer.connection;
        in_transaction(connection, || {
            let taken = writer.write(&self.indexes, entries)?;
            let sql = "UPDATE progress SET position = ?, hash = ?";
            connection.prepare_cached(sql)?.execute(params![head.position, head.hash])?;
            Ok(taken)
        })
    }
}

fn progress(connection: &Connection) -> SqlResult<(ArchiveHead, i64)> {
    connection.query_row("SELECT position, hash, indexed FROM progress", [], |row| {
        let hash: Digest = row.get_ref(1)?.as_blob()?.try_into().unwrap_or_default();
        Ok((ArchiveHead { position: row.get(0)?, hash }, row.get(2)?))
    })
}

fn in_transaction<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work().and_then(|value| Ok(connection.prepare_cached("COMMIT")?.execute([]).map(|_| value)?));
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

impl HoldArchive for SqliteArchive {
    fn head(&self) -> Result<ArchiveHead, PortError> {
        Ok(*self.head.lock())
    }

    fn apply(&self, entries: &[JournalEntry]) -> Result<(), PortError> {
        let mut writer = self.writer.lock();
        let position = self.head.lock().position;
        let entries = &entries[entries.partition_point(|entry| entry.position <= position)..];
        let Some(last) = entries.last() else { return Ok(()) };
        if self.indexes.keys.recent() >= self.run {
            self.write_runs(&writer).map_err(|error| self.unwritten(&error))?;
        }
        let head = ArchiveHead { position: last.position, hash: last.hash };
        let taken = self.take(&writer, entries, head).map_err(|error| match error {
            ApplyError::Sql(error) => self.unwritten(&error),
            ApplyError::Misfit(reason) => advise(PortError::Corrupt(format!("{}: {reason}", self.path.display()))),
        })?;
        writer.committed(&self.indexes, taken);
        *self.head.lock() = head;
        Ok(())
    }

    fn clear(&self) -> Result<(), PortError> {
        let mut writer = self.writer.lock();
        let empty = "BEGIN IMMEDIATE; DELETE FROM holds; DELETE FROM offers; DELETE FROM runs; DELETE FROM run_pages;
            DELETE FROM unit_changes; UPDATE progress SET position = 0, hash = x'', indexed = 0; COMMIT;";
        let emptied = writer.connection.execute_batch(empty);
        if emptied.is_err() && !writer.connection.is_autocommit() {
            let _ = writer.connection.execute_batch("ROLLBACK");
        }
        emptied.map_err(|error| self.unwritten(&error))?;
        writer.offers.clear();
        writer.last_row = 0;
        self.indexes.keys.clear();
        self.indexes.persons.clear();
        *self.head.lock() = ArchiveHead::default();
        Ok(())
    }

    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError> {
        Ok(self.writer.lock().offers.values().cloned().collect())
    }

    fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError> {
        let sql = format!("SELECT {} FROM holds WHERE open_on = ? ORDER BY row", table::COLUMNS);
        self.read(|connection| {
            let mut select = connection.prepare_cached(&sql)?;
            let holds = select.query_map([offer.0], |row| table::archived(row).map(|row| row.hold))?;
            holds.collect()
        })
    }

    fn persons(&self) -> Result<HashMap<OfferNumber, Persons>, PortError> {
        self.read(units::sum)
    }

    fn may_contain(&self, key: KeyHash) -> bool {
        self.indexes.keys.may_contain(key.0)
    }

    fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError> {
        let row = self.read(|connection| self.indexes.row_of(connection, offer, order))?;
        Ok(row.map(|row| row.hold))
    }

    fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError> {
        let granted = |row: &ArchivedRow| {
            let ArchivedRow { offer, hold, .. } = row;
            hold.order.key_hash() == key && hold.order.home() == *offer && !hold.is_aborted()
        };
        let row = self.read(|connection| self.indexes.first(connection, key, granted))?;
        Ok(row.map(|row| row.hold.order))
    }
}

impl OrderArchive for SqliteArchive {
    fn list(&self, query: &OrderQuery) -> Result<Vec<ListedOrder>, PortError> {
        self.read(|connection| list::list(connection, &self.indexes, query))
    }
}

impl SqliteArchive {
    /// What a failure to write means. A full disk and a busy file pass; after anything else, a failed sync above all,
    /// nobody knows what the file holds, and the process must end: the next start has the log again.
    fn unwritten(&self, error: &rusqlite::Error) -> PortError {
        match port_error(&self.path, error) {
            PortError::Unavailable(reason) if !super::connection::is_busy(error) => PortError::Corrupt(reason),
            other => advise(other),
        }
    }
}

/// Reads every row of the archive at a path in order, each with its number or with why it cannot be read, and then its
/// offers; also while a server writes it.
pub fn rows_of_archive(
    path: &Path,
    mut each: impl FnMut(i64, Result<ArchivedRow, String>),
) -> Result<(ArchiveHead, Vec<OfferSnapshot>), PortError> {
    let connection = open_reader(path, CACHE).map_err(advise)?;
    let mut read = || {
        // One transaction, so that rows, offers and position are of the same moment.
        connection.execute_batch("BEGIN")?;
        let head = progress(&connection)?.0;
        let mut select = connection.prepare(&format!("SELECT {} FROM holds ORDER BY row", table::COLUMNS))?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get(0)?, table::archived(row).map_err(|error| error.to_string()));
        }
        Ok((head, table::offers(&connection)?))
    };
    read().map_err(|error| advise(port_error(path, &error)))
}
