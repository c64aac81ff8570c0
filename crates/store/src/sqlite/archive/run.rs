//! A sorted run: entries that never change any more, in pages of a table, with what finds a page without reading others.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::filter::Filter;

/// A key, and the number of a row that has it.
pub(super) type Entry = (u64, u64);

/// Entries on a page: 4 KiB.
const PAGE_ENTRIES: usize = 256;
/// Bytes of an entry.
const ENTRY: usize = 16;
/// Pages that a run may have; a page's id is its run's and its own number.
const MOST_PAGES: i64 = 1 << 24;

/// Rows are found by their number alone, so a page lies in one row of a rowid table, not in an index.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, purpose TEXT NOT NULL, level INTEGER NOT NULL,
        entries INTEGER NOT NULL, first_keys BLOB NOT NULL, filter BLOB NOT NULL, merged INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS run_pages (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;";

/// A run as it is kept in memory: everything but its pages.
pub(super) struct Run {
    id: i64,
    pub(super) level: u8,
    entries: usize,
    /// The first key of each page.
    first_keys: Vec<u64>,
    filter: Filter,
}

impl Run {
    /// Writes sorted entries as a new run.
    pub(super) fn write(connection: &Connection, purpose: &str, level: u8, entries: &[Entry]) -> Result<Self> {
        let mut filter = Filter::new(entries.len());
        for (key, _) in entries {
            filter.add(*key);
        }
        let first_keys: Vec<u64> = entries.chunks(PAGE_ENTRIES).map(|page| page[0].0).collect();
        let sql = "INSERT INTO runs (purpose, level, entries, first_keys, filter, merged) VALUES (?, ?, ?, ?, ?, 0)";
        let keys: Vec<u8> = first_keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        let (count, bits) = (entries.len() as i64, filter.to_bytes());
        connection.prepare_cached(sql)?.execute(params![purpose, level, count, keys, bits])?;
        let id = connection.last_insert_rowid();
        let mut insert = connection.prepare_cached("INSERT INTO run_pages (id, entries) VALUES (?, ?)")?;
        for (number, page) in entries.chunks(PAGE_ENTRIES).enumerate() {
            let bytes: Vec<u8> =
                page.iter().flat_map(|(key, row)| [key.to_le_bytes(), row.to_le_bytes()]).flatten().collect();
            insert.execute(params![id * MOST_PAGES + number as i64, bytes])?;
        }
        Ok(Self { id, level, entries: entries.len(), first_keys, filter })
    }

    /// The runs of a purpose, oldest first. Those that were merged into others are removed.
    pub(super) fn load(connection: &Connection, purpose: &str) -> Result<Vec<Self>> {
        let merged = "SELECT id FROM runs WHERE merged = 1 AND purpose = ?";
        let merged: Vec<i64> =
            connection.prepare(merged)?.query_map([purpose], |row| row.get(0))?.collect::<Result<_>>()?;
        merged.into_iter().try_for_each(|id| remove(connection, id))?;
        let sql = "SELECT id, level, entries, first_keys, filter FROM runs WHERE purpose = ? ORDER BY id";
        let mut select = connection.prepare(sql)?;
        let runs = select.query_map([purpose], |row| {
            let (keys, bits): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
            let filter = Filter::from_bytes(&bits).ok_or_else(damaged)?;
            let first_keys = keys.as_chunks::<8>().0.iter().map(|key| u64::from_le_bytes(*key)).collect();
            Ok(Self {
                id: row.get(0)?,
                level: row.get(1)?,
                entries: row.get::<_, i64>(2)? as usize,
                first_keys,
                filter,
            })
        })?;
        runs.collect()
    }

    /// Marks the run as one whose entries are in another now. Its pages stay until nobody can be reading them.
    pub(super) fn mark_merged(&self, connection: &Connection) -> Result<()> {
        connection.prepare_cached("UPDATE runs SET merged = 1 WHERE id = ?")?.execute([self.id]).map(drop)
    }

    /// Removes the run and its pages.
    pub(super) fn remove(&self, connection: &Connection) -> Result<()> {
        remove(connection, self.id)
    }

    pub(super) fn may_contain(&self, key: u64) -> bool {
        self.filter.may_contain(key)
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Calls `each` with the rows of a key below `before`, the highest first, until it answers false.
    pub(super) fn descend(
        &self,
        connection: &Connection,
        key: u64,
        before: u64,
        mut each: impl FnMut(u64) -> bool,
    ) -> Result<()> {
        if !self.filter.may_contain(key) {
            return Ok(());
        }
        let behind = self.first_keys.partition_point(|first| *first <= key);
        for number in (0..behind).rev() {
            let ended = self.page(connection, number, |page| {
                let end = page.partition_point(|bytes| entry(bytes) < (key, before));
                page[..end].iter().rev().map(entry).any(|(found, row)| found != key || !each(row))
            })?;
            if ended {
                break;
            }
        }
        Ok(())
    }

    /// All entries, in order.
    pub(super) fn read(&self, connection: &Connection, out: &mut Vec<Entry>) -> Result<()> {
        for number in 0..self.first_keys.len() {
            self.page(connection, number, |page| out.extend(page.iter().map(entry)))?;
        }
        Ok(())
    }

    /// Reads a page where it lies.
    fn page<T>(&self, connection: &Connection, number: usize, read: impl FnOnce(&[[u8; ENTRY]]) -> T) -> Result<T> {
        let mut select = connection.prepare_cached("SELECT entries FROM run_pages WHERE id = ?")?;
        let id = self.id * MOST_PAGES + number as i64;
        let found = select.query_row([id], |row| {
            let (entries, rest) = row.get_ref(0)?.as_blob()?.as_chunks::<ENTRY>();
            if rest.is_empty() { Ok(read(entries)) } else { Err(damaged()) }
        });
        found.optional()?.ok_or_else(damaged)
    }
}

fn entry(bytes: &[u8; ENTRY]) -> Entry {
    let halves = bytes.as_chunks::<8>().0;
    (u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1]))
}

fn remove(connection: &Connection, id: i64) -> Result<()> {
    let (first, last) = (id * MOST_PAGES, (id + 1) * MOST_PAGES - 1);
    connection.prepare_cached("DELETE FROM run_pages WHERE id BETWEEN ? AND ?")?.execute([first, last])?;
    connection.prepare_cached("DELETE FROM runs WHERE id = ?")?.execute([id]).map(drop)
}

/// An index that is not what was written; it is made anew when the file is removed.
fn damaged() -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        rusqlite::types::Type::Blob,
        "an index of the archive is damaged; remove the file, it is made again from the journal".into(),
    )
}
