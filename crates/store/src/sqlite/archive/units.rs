//! What each person holds and owns of each offer, kept as changes: who begins again adds them up.
//!
//! A table by person would touch a page at random for every order. Every commit appends the changes that it made, and from
//! time to time those of about one size become one, where what cancels out is gone.

use firstcome_core::ids::{OfferNumber, UserId};
use firstcome_core::ledger::Persons;
use hashbrown::HashMap;
use rusqlite::{Connection, Result, params};

/// Runs of a size that become one.
const MERGE: i64 = 16;
/// Changes from which on a run is of the next size. The largest are merged no more: a merge is done by the thread that
/// writes rows, and must not take long.
const SIZES: [usize; 3] = [1 << 10, 1 << 14, 1 << 18];
/// Bytes of a change: offer, person, units.
const CHANGE: usize = 24;
/// Changes in one row of the table: 1.5 MiB.
const ROW_CHANGES: usize = 65_536;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS unit_changes (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, run INTEGER NOT NULL,
        changes BLOB NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS unit_changes_by_size ON unit_changes (size, run);";

/// How many units more or less a person holds or owns of an offer.
pub(super) type Change = (OfferNumber, UserId, i32);

/// Appends the changes of a commit, and merges runs where there are many of a size.
pub(super) fn append(connection: &Connection, mut changes: Vec<Change>) -> Result<()> {
    add_up(&mut changes);
    let mut size = write(connection, &changes)?;
    while size < SIZES.len() {
        let runs = "SELECT count(DISTINCT run) FROM unit_changes WHERE size = ?";
        let runs: i64 = connection.prepare_cached(runs)?.query_row([size as i64], |row| row.get(0))?;
        if runs < MERGE {
            break;
        }
        changes.clear();
        each(connection, Some(size), |change| changes.push(change))?;
        add_up(&mut changes);
        connection.prepare_cached("DELETE FROM unit_changes WHERE size = ?")?.execute([size as i64])?;
        size = write(connection, &changes)?;
    }
    Ok(())
}

/// Sorts changes and leaves one for each person and offer.
fn add_up(changes: &mut Vec<Change>) {
    changes.sort_unstable();
    changes.dedup_by(|next, first| {
        let same = (next.0, next.1) == (first.0, first.1);
        first.2 += if same { next.2 } else { 0 };
        same
    });
    changes.retain(|change| change.2 != 0);
}

/// Writes changes as one run, and says of what size it is.
fn write(connection: &Connection, changes: &[Change]) -> Result<usize> {
    let size = SIZES.iter().filter(|least| changes.len() >= **least).count();
    let last = "SELECT coalesce(max(run), 0) FROM unit_changes WHERE size = ?";
    let run: i64 = connection.prepare_cached(last)?.query_row([size as i64], |row| row.get(0))?;
    let mut insert = connection.prepare_cached("INSERT INTO unit_changes (size, run, changes) VALUES (?, ?, ?)")?;
    for part in changes.chunks(ROW_CHANGES) {
        let mut bytes = Vec::with_capacity(part.len() * CHANGE);
        for (offer, person, units) in part {
            bytes.extend_from_slice(&offer.0.to_le_bytes());
            bytes.extend_from_slice(&person.0);
            bytes.extend_from_slice(&units.to_le_bytes());
        }
        insert.execute(params![size as i64, run + 1, bytes])?;
    }
    Ok(size)
}

/// Adds all changes up.
pub(super) fn sum(connection: &Connection) -> Result<HashMap<OfferNumber, Persons>> {
    let mut offers: HashMap<OfferNumber, HashMap<UserId, i32>> = HashMap::new();
    let mut last: Option<OfferNumber> = None;
    let mut persons: HashMap<UserId, i32> = HashMap::new();
    each(connection, None, |(offer, person, units)| {
        // Changes come sorted by offer, so the table of an offer is looked up once for many of them.
        if last != Some(offer) {
            if let Some(before) = last.replace(offer) {
                offers.insert(before, std::mem::take(&mut persons));
            }
            persons = offers.remove(&offer).unwrap_or_default();
        }
        *persons.entry(person).or_default() += units;
    })?;
    offers.extend(last.map(|offer| (offer, persons)));
    let owned = |persons: HashMap<UserId, i32>| -> Persons {
        let positive =
            |(person, units)| u32::try_from(units).ok().filter(|units| *units > 0).map(|units| (person, units));
        persons.into_iter().filter_map(positive).collect()
    };
    Ok(offers.into_iter().map(|(offer, persons)| (offer, owned(persons))).collect())
}

fn each(connection: &Connection, size: Option<usize>, mut each: impl FnMut(Change)) -> Result<()> {
    let sql = "SELECT changes FROM unit_changes WHERE ?1 IS NULL OR size = ?1 ORDER BY id";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([size.map(|size| size as i64)])?;
    while let Some(row) = rows.next()? {
        for change in row.get_ref(0)?.as_blob()?.as_chunks::<CHANGE>().0 {
            let number = |at: usize| [change[at], change[at + 1], change[at + 2], change[at + 3]];
            let mut person = [0; 16];
            person.copy_from_slice(&change[4..20]);
            each((OfferNumber(u32::from_le_bytes(number(0))), UserId(person), i32::from_le_bytes(number(20))));
        }
    }
    Ok(())
}
