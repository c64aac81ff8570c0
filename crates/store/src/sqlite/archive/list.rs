//! Orders as lists for people.

use firstcome_core::ids::UserId;
use firstcome_core::ports::{ListedOrder, OrderQuery};
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::table::{ArchivedRow, COLUMNS, ROW, archived};
use super::{Indexes, person_of};
use crate::sqlite::readers::at_once;

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
    let mut before = query.after.map_or(u64::MAX, |place| place as u64);
    let mut orders = Vec::new();
    while orders.len() < query.limit {
        // Each time anew: the index tells of what was written up to now.
        let (rows, last) =
            at_once(connection, |connection| rows_of_person(connection, indexes, person, before, query))?;
        let Some(last) = last else { break };
        before = last;
        orders.extend(rows.into_iter().filter(|row| selects(query, row)).map(listed));
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
    // What is open is found by an index that holds nothing else; settled orders are nearly all there are.
    let open = query.state.is_some_and(firstcome_core::order::OrderState::is_open);
    let by = if open { "INDEXED BY open_holds WHERE open_on IS NOT NULL AND" } else { "WHERE" };
    let sql = format!(
        "SELECT {COLUMNS} FROM holds {by} row < ?1 AND (?2 IS NULL OR offer = ?2) AND (?3 IS NULL OR state = ?3)
         ORDER BY row DESC"
    );
    let mut select = connection.prepare_cached(&sql)?;
    // The state of a line says nothing of its order's, which is at its home.
    let state = query.state.filter(|_| query.offer.is_none()).map(firstcome_core::order::OrderState::as_str);
    let offer = query.offer.map(|offer| offer.0);
    let mut rows = select.query(params![query.after.unwrap_or(i64::MAX), offer, state])?;
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

fn selects(query: &OrderQuery, row: &ArchivedRow) -> bool {
    let ArchivedRow { offer, state, hold, .. } = row;
    hold.order.home() == *offer
        && !hold.is_aborted()
        && query.person.is_none_or(|person| person == hold.person)
        && query.offer.is_none_or(|wanted| hold.quantity_on(wanted) > 0)
        && query.state.is_none_or(|wanted| wanted.as_str() == state)
        && query.granted_before.is_none_or(|time| hold.created_at < time)
}

fn listed(row: ArchivedRow) -> ListedOrder {
    ListedOrder { place: row.row, hold: row.hold }
}
