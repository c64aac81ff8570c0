//! The archive's own tables and what one row says.

use firstcome_core::ids::{EventId, OfferNumber};
use firstcome_core::ledger::{Hold, OfferSnapshot, Stock, Terms};
use firstcome_core::order::OrderState;
use firstcome_core::time::Time;
use rusqlite::{Connection, Result, Row, params};

/// One row for each order and offer, numbered in the order of arrival. `open_on` is the offer while units are set aside
/// and not sold; the hold itself is in CBOR.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS holds (row INTEGER PRIMARY KEY, offer INTEGER NOT NULL, state TEXT NOT NULL,
        open_on INTEGER, hold BLOB NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS open_holds ON holds (open_on, row) WHERE open_on IS NOT NULL;
    CREATE INDEX IF NOT EXISTS rare_holds ON holds (state, row)
        WHERE state IN ('CANCELED', 'FAILED', 'PARTIALLY_CANCELED', 'RETURNED');
    CREATE TABLE IF NOT EXISTS offers (number INTEGER PRIMARY KEY, stock INTEGER NOT NULL, held INTEGER NOT NULL,
        paying INTEGER NOT NULL, sold INTEGER NOT NULL, released INTEGER NOT NULL, frozen INTEGER NOT NULL,
        seq INTEGER NOT NULL, last_at INTEGER NOT NULL, terms BLOB NOT NULL, adjustments BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL,
        hash BLOB NOT NULL, indexed INTEGER NOT NULL) STRICT;
    INSERT OR IGNORE INTO progress (one, position, hash, indexed) VALUES (1, 0, x'', 0);";

/// What the index of rare states says of its rows; a query must say the same to use it.
pub(super) const IS_RARE: &str = "state IN ('CANCELED', 'FAILED', 'PARTIALLY_CANCELED', 'RETURNED')";

/// A row of the archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchivedRow {
    /// Its number: later orders have higher ones.
    pub row: i64,
    /// The offer.
    pub offer: OfferNumber,
    /// The state that people see.
    pub state: String,
    /// The hold.
    pub hold: Hold,
}

pub(super) const COLUMNS: &str = "row, offer, state, hold";
/// One row by its number.
pub(super) const ROW: &str = "SELECT row, offer, state, hold FROM holds WHERE row = ?";

pub(super) fn archived(row: &Row<'_>) -> Result<ArchivedRow> {
    let hold = minicbor::decode(row.get_ref(3)?.as_blob()?).map_err(|error| undecodable(3, error))?;
    Ok(ArchivedRow { row: row.get(0)?, offer: OfferNumber(row.get(1)?), state: row.get(2)?, hold })
}

/// Adds a row, or puts another in its place.
pub(super) fn write_hold(
    connection: &Connection,
    row: i64,
    is_new: bool,
    offer: OfferNumber,
    hold: &Hold,
) -> Result<()> {
    let sql = if is_new {
        "INSERT INTO holds (row, offer, state, open_on, hold) VALUES (?1, ?2, ?3, ?4, ?5)"
    } else {
        "UPDATE holds SET offer = ?2, state = ?3, open_on = ?4, hold = ?5 WHERE row = ?1"
    };
    let open_on = hold.state.is_open().then_some(offer.0);
    let values = params![row, offer.0, OrderState::of(hold).as_str(), open_on, encode(hold)];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn write_offer(connection: &Connection, offer: &OfferSnapshot) -> Result<()> {
    let OfferSnapshot { terms, stock, frozen, seq, last_at, adjustments } = offer;
    let Stock { stock, held, paying, sold, released } = *stock;
    let counts = [stock, held, paying, sold, released].map(|count| count as i64);
    let [stock, held, paying, sold, released] = counts;
    let sql = "INSERT OR REPLACE INTO offers
        (number, stock, held, paying, sold, released, frozen, seq, last_at, terms, adjustments)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values = params![
        terms.offer.number().0,
        stock,
        held,
        paying,
        sold,
        released,
        frozen,
        *seq as i64,
        last_at.0,
        encode(terms),
        encode(adjustments)
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Every offer.
pub(super) fn offers(connection: &Connection) -> Result<Vec<OfferSnapshot>> {
    let sql = "SELECT stock, held, paying, sold, released, frozen, seq, last_at, terms, adjustments FROM offers";
    let mut select = connection.prepare_cached(sql)?;
    let offers = select.query_map([], |row| {
        let count = |column: usize| row.get::<_, i64>(column).map(|count| count as u64);
        let terms: Terms = minicbor::decode(row.get_ref(8)?.as_blob()?).map_err(|error| undecodable(8, error))?;
        let adjustments: Vec<(EventId, u64)> =
            minicbor::decode(row.get_ref(9)?.as_blob()?).map_err(|error| undecodable(9, error))?;
        let stock =
            Stock { stock: count(0)?, held: count(1)?, paying: count(2)?, sold: count(3)?, released: count(4)? };
        Ok(OfferSnapshot { terms, stock, frozen: row.get(5)?, seq: count(6)?, last_at: Time(row.get(7)?), adjustments })
    })?;
    offers.collect()
}

fn encode<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    // Encoding into memory has no way to fail.
    minicbor::to_vec(value).unwrap_or_default()
}

fn undecodable(column: usize, error: minicbor::decode::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
}
