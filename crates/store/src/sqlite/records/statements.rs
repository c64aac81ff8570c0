//! The statements of the writer, prepared once.

use firstcome_core::records::Table;
use rusqlite::{Connection, Result, Statement};

use super::table::TableStatements;

/// Everything that the writer runs.
pub(super) struct Statements<'c> {
    pub(super) begin: Statement<'c>,
    pub(super) commit: Statement<'c>,
    pub(super) rollback: Statement<'c>,
    pub(super) savepoint: Statement<'c>,
    pub(super) release: Statement<'c>,
    pub(super) undo: Statement<'c>,
    pub(super) announce: Statement<'c>,
    pub(super) last_event: Statement<'c>,
    pub(super) read_position: Statement<'c>,
    pub(super) write_position: Statement<'c>,
    tables: Vec<TableStatements<'c>>,
    /// The table that was asked for last, and where it stands.
    recent: Option<(&'static Table, usize)>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection, tables: &[&'static Table]) -> Result<Self> {
        Ok(Self {
            // Takes the right to write at once, so that no statement behind it can be refused.
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            savepoint: connection.prepare("SAVEPOINT unit")?,
            release: connection.prepare("RELEASE unit")?,
            undo: connection.prepare("ROLLBACK TO unit")?,
            announce: connection
                .prepare("INSERT INTO outbox (id, kind, subject, at, data) VALUES (?1, ?2, ?3, ?4, ?5)")?,
            last_event: connection.prepare("SELECT max(position) FROM outbox")?,
            read_position: connection.prepare("SELECT position FROM positions WHERE consumer = ?1")?,
            write_position: connection
                .prepare("INSERT OR REPLACE INTO positions (consumer, position) VALUES (?1, ?2)")?,
            tables: tables.iter().map(|table| TableStatements::prepare(connection, table)).collect::<Result<_>>()?,
            recent: None,
        })
    }

    /// The statements of a table that was checked to be one of ours.
    pub(super) fn of(&mut self, table: &'static Table) -> &mut TableStatements<'c> {
        let position = match self.recent {
            Some((recent, position)) if std::ptr::eq(recent, table) => position,
            _ => {
                let same = |known: &TableStatements<'_>| known.table == table;
                self.tables.iter().position(same).expect("tables are checked before a unit is queued")
            }
        };
        self.recent = Some((table, position));
        &mut self.tables[position]
    }
}
