//! Orders as lists for people.

use std::time::Duration;

use firstcome_core::ids::UserId;
use firstcome_core::order::OrderState;
use firstcome_core::ports::{ListedOrder, OrderQuery};
use firstcome_core::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::table::{ArchivedRow, COLUMNS, IS_RARE, ROW, archived};
use super::{Indexes, person_of};
use crate::sqlite::readers::at_once;

/// The most that rows may be out of the order of their times.
const APART: Duration = Duration::from_mins(5);
/// Rows of a person looked at together.
const FEW: usize = 64;

/// The orders that a query selects.
pub(super) fn list(connection: &Connection, indexes: &Indexes, query: &OrderQuery) -> Result<Vec<ListedOrder>> {
    match query.person {
        Some(person) => of_person(connection, indexes, person, query),
        None => of_all(connection, indexes, query),
    }
}

fn of_person(
    connection: &Connection,
    indexes: &Indexes,
    person: UserId,
    query: &OrderQuery,
) -> Result<Vec<ListedOrder>> {
    let (from, end) = rows_of(connection, query)?;
    let mut before = end as u64;
    let mut orders = Vec::new();
    while orders.len() < query.limit {
        // Each time anew: the index tells of what was written up to now.
        let (rows, last) =
            at_once(connection, |connection| rows_of_person(connection, indexes, person, before, query))?;
        orders.extend(rows.into_iter().filter(|row| row.row >= from && selects(query, row)).map(listed));
        let Some(last) = last.filter(|last| *last as i64 >= from) else { break };
        before = last;
    }
    orders.truncate(query.limit);
    Ok(orders)
}

/// The next rows of a person below `before`, and the number of the last that was looked at.
fn rows_of_person(
    connection: &Connection,
    indexes: &Indexes,
    person: UserId,
    before: u64,
    query: &OrderQuery,
) -> Result<(Vec<ArchivedRow>, Option<u64>)> {
    let found = indexes.persons.find(connection, person_of(person), before, query.limit.clamp(1, FEW))?;
    let mut select = connection.prepare_cached(ROW)?;
    let mut rows = Vec::with_capacity(found.len());
    for row in &found {
        rows.extend(select.query_row([*row as i64], archived).optional()?);
    }
    Ok((rows, found.last().copied()))
}

fn of_all(connection: &Connection, indexes: &Indexes, query: &OrderQuery) -> Result<Vec<ListedOrder>> {
    // The state of a line says nothing of its order's, which is at its home.
    let state = query.state.filter(|_| query.offer.is_none());
    // What is open, and what was given back or failed, is found by an index that holds nothing else; orders that were sold
    // or ran out are nearly all there are.
    let by = match state {
        Some(OrderState::Pending | OrderState::Paying) => {
            "INDEXED BY open_holds WHERE open_on IS NOT NULL AND".to_owned()
        }
        Some(state) if is_rare(state) => format!("INDEXED BY rare_holds WHERE {IS_RARE} AND state = ?3 AND"),
        _ => "WHERE".to_owned(),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM holds {by} row >= ?4 AND row < ?1 AND (?2 IS NULL OR offer = ?2)
         AND (?3 IS NULL OR state = ?3) ORDER BY row DESC"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let (from, end) = rows_of(connection, query)?;
    let offer = query.offer.map(|offer| offer.0);
    let mut rows = select.query(params![end, offer, state.map(OrderState::as_str), from])?;
    let mut orders = Vec::new();
    while let Some(row) = rows.next()? {
        let row = archived(row)?;
        let (place, order) = (row.row, row.hold.order);
        let is_line = query.offer.is_some() && row.offer != order.home();
        let home = if is_line { indexes.row_of(connection, order.home(), order)? } else { Some(row) };
        let home = home.filter(|row| selects(query, row));
        orders.extend(home.map(|row| ListedOrder { place, hold: row.hold }));
        if orders.len() >= query.limit {
            break;
        }
    }
    Ok(orders)
}

/// States that few orders are in, and that have an index of their own.
fn is_rare(state: OrderState) -> bool {
    use OrderState::{Canceled, Failed, PartiallyCanceled, Returned};
    matches!(state, Canceled | Failed | PartiallyCanceled | Returned)
}

/// The rows among which a query's orders are: from the first to before the second. Rows are numbered in the order of
/// arrival, so what was granted in a time is found by halving; offers' clocks may differ by a little.
fn rows_of(connection: &Connection, query: &OrderQuery) -> Result<(i64, i64)> {
    let from = match query.granted_from {
        Some(time) => first_since(connection, time - APART)?,
        None => 0,
    };
    let end = match query.granted_before {
        Some(time) => first_since(connection, time + APART)?,
        None => i64::MAX,
    };
    Ok((from, end.min(query.after.unwrap_or(i64::MAX))))
}

/// The number of the first row of this time or later.
fn first_since(connection: &Connection, time: Time) -> Result<i64> {
    let mut select = connection.prepare_cached("SELECT max(row) FROM holds")?;
    let last: Option<i64> = select.query_row([], |row| row.get(0))?;
    let (mut low, mut high) = (0, last.unwrap_or(0).saturating_add(1));
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE row >= ? ORDER BY row LIMIT 1");
    let mut select = connection.prepare_cached(&sql)?;
    while low < high {
        let middle = low + (high - low) / 2;
        let row = select.query_row([middle], archived).optional()?;
        if row.is_none_or(|row| row.hold.created_at >= time) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

fn selects(query: &OrderQuery, row: &ArchivedRow) -> bool {
    let ArchivedRow { offer, state, hold, .. } = row;
    hold.order.home() == *offer
        && !hold.is_aborted()
        && query.person.is_none_or(|person| person == hold.person)
        && query.offer.is_none_or(|wanted| hold.quantity_on(wanted) > 0)
        && query.state.is_none_or(|wanted| wanted.as_str() == state)
        && query.granted_from.is_none_or(|time| hold.created_at >= time)
        && query.granted_before.is_none_or(|time| hold.created_at < time)
}

fn listed(row: ArchivedRow) -> ListedOrder {
    ListedOrder { place: row.row, hold: row.hold }
}
