//! The statements of the writer, prepared once.

use firstcome_core::records::{Table, Value};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result, Statement};

use super::schema::{column_list, quoted};

/// A value as a parameter, without a copy on our side.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// The writes of one table.
pub(super) struct TableStatements<'c> {
    pub(super) table: &'static Table,
    /// Whether something beside the key can be taken.
    pub(super) has_unique: bool,
    insert: Statement<'c>,
    update: Statement<'c>,
    advance: Statement<'c>,
    delete: Statement<'c>,
}

impl<'c> TableStatements<'c> {
    fn prepare(connection: &'c Connection, table: &'static Table) -> Result<Self> {
        let name = quoted(table.name);
        let key = quoted(table.key().name);
        let columns = column_list(table);
        let count = table.columns.len();
        let marks: Vec<String> = (1..=count).map(|position| format!("?{position}")).collect();
        let marks = marks.join(", ");
        let others: Vec<String> = table.columns[1..].iter().map(|column| quoted(column.name)).collect();
        let replace: String =
            (2..).zip(&others).map(|(position, column)| format!("{column} = ?{position}, ")).collect();
        let excluded: String = others.iter().map(|column| format!("{column} = excluded.{column}, ")).collect();
        let version = count + 1;
        let prepare = |sql: String| connection.prepare(&sql);
        Ok(Self {
            table,
            has_unique: table.indexes.iter().any(|index| index.unique),
            insert: prepare(format!(
                "INSERT INTO {name} ({columns}, version) VALUES ({marks}, 1) ON CONFLICT DO NOTHING"
            ))?,
            update: prepare(format!(
                "UPDATE {name} SET {replace}version = version + 1 WHERE {key} = ?1 AND version = ?{version}"
            ))?,
            advance: prepare(format!(
                "INSERT INTO {name} ({columns}, version) VALUES ({marks}, ?{version})
                 ON CONFLICT ({key}) DO UPDATE SET {excluded}version = excluded.version
                 WHERE excluded.version > {name}.version"
            ))?,
            delete: prepare(format!("DELETE FROM {name} WHERE {key} = ?1"))?,
        })
    }

    /// False when the key or a unique index is taken.
    pub(super) fn insert(&mut self, values: &[Value]) -> Result<bool> {
        Ok(execute(&mut self.insert, values, None)? == 1)
    }

    /// False when the stored version is another. An error when a unique index is taken.
    pub(super) fn update(&mut self, values: &[Value], version: i64) -> Result<bool> {
        Ok(execute(&mut self.update, values, Some(version))? == 1)
    }

    /// An error when a unique index is taken.
    pub(super) fn advance(&mut self, values: &[Value], version: i64) -> Result<()> {
        execute(&mut self.advance, values, Some(version)).map(drop)
    }

    /// Nothing happens when there is no such row.
    pub(super) fn delete(&mut self, key: &Value) -> Result<()> {
        self.delete.execute([Bound(key)]).map(drop)
    }
}

fn execute(statement: &mut Statement<'_>, values: &[Value], version: Option<i64>) -> Result<usize> {
    for (position, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(position + 1, Bound(value))?;
    }
    if let Some(version) = version {
        statement.raw_bind_parameter(values.len() + 1, version)?;
    }
    statement.raw_execute()
}

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
        })
    }

    /// The statements of a table that was checked to be one of ours.
    pub(super) fn of(&mut self, table: &'static Table) -> &mut TableStatements<'c> {
        let position = position_of(self.tables.iter().map(|statements| statements.table), table);
        &mut self.tables[position.expect("tables are checked before a unit is queued")]
    }
}

/// Where a table stands among those that the adapter was opened with.
///
/// One declaration can have several addresses, because each use of a constant may get its own.
pub(super) fn position_of(
    mut tables: impl Iterator<Item = &'static Table> + Clone,
    table: &'static Table,
) -> Option<usize> {
    tables
        .clone()
        .position(|candidate| std::ptr::eq(candidate, table))
        .or_else(|| tables.position(|other| other == table))
}
