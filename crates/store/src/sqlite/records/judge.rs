//! One unit of work inside the transaction that it shares with others.

use firstcome_core::ports::Committed;
use firstcome_core::records::{NewEvent, Unit, Write};
use rusqlite::{OptionalExtension as _, Result};

use super::statements::Statements;
use crate::sqlite::connection::is_taken;

/// Runs a unit. It leaves either all of its effects or none, whatever the others in the transaction do. One that is alone in
/// its transaction may leave some when it meets a conflict: the transaction is to be taken back then. To be able to go back
/// to its beginning costs a copy of every page that it changes.
///
/// `Err` means that the transaction as a whole is lost.
pub(super) fn judge(statements: &mut Statements<'_>, unit: &Unit, is_alone: bool) -> Result<Committed> {
    if !position_fits(statements, unit)? {
        return Ok(Committed::Conflict(unit.writes.len()));
    }
    let guarded = !is_alone && needs_savepoint(statements, unit);
    if guarded {
        statements.savepoint.raw_execute()?;
    }
    let refused = first_refused(statements, &unit.writes)?;
    if refused.is_some() && guarded {
        statements.undo.raw_execute()?;
    }
    if guarded {
        statements.release.raw_execute()?;
    }
    if let Some(index) = refused {
        return Ok(Committed::Conflict(index));
    }
    for event in &unit.events {
        announce(statements, event)?;
    }
    if let Some((consumer, _, to)) = unit.position {
        statements.write_position.execute((consumer, to))?;
    }
    Ok(Committed::Done)
}

/// A conflict of the first write leaves nothing behind, and neither does one of a unit that only reads its position
/// first. Only a unit whose later writes can be refused has to be able to go back.
fn needs_savepoint(statements: &mut Statements<'_>, unit: &Unit) -> bool {
    unit.writes.iter().skip(1).any(|write| match write {
        Write::Insert(..) | Write::Update(..) => true,
        Write::Advance(table, _) => statements.of(table).has_unique,
        Write::Delete(..) => false,
    })
}

fn position_fits(statements: &mut Statements<'_>, unit: &Unit) -> Result<bool> {
    let Some((consumer, from, _)) = unit.position else { return Ok(true) };
    let stored: Option<i64> = statements.read_position.query_row([consumer], |row| row.get(0)).optional()?;
    Ok(stored.unwrap_or(0) == from)
}

fn first_refused(statements: &mut Statements<'_>, writes: &[Write]) -> Result<Option<usize>> {
    for (index, write) in writes.iter().enumerate() {
        let done = match write {
            Write::Insert(table, row) => statements.of(table).insert(&row.values, 1),
            Write::Update(table, row) => statements.of(table).update(&row.values, row.version),
            Write::Advance(table, row) => statements.of(table).advance(&row.values, row.version),
            Write::Delete(table, key) => statements.of(table).delete(key).map(|()| true),
        };
        match done {
            Ok(true) => {}
            Ok(false) => return Ok(Some(index)),
            Err(error) if is_taken(&error) => return Ok(Some(index)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn announce(statements: &mut Statements<'_>, event: &NewEvent) -> Result<()> {
    let id: &[u8] = &event.id.0;
    let row = (id, event.kind.as_str(), event.subject.as_str(), event.at.0, event.data.as_str());
    statements.announce.execute(row).map(drop)
}
