//! The writes of one table.

use firstcome_core::records::{Table, Value};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result, Statement};

use super::schema::{column_list, quoted};

/// A value as a parameter, without a copy on our side.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(reference(self.0)))
    }
}

fn reference(value: &Value) -> ValueRef<'_> {
    match value {
        Value::Null => ValueRef::Null,
        Value::Integer(number) => ValueRef::Integer(*number),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
    }
}

/// Prepared statements of one table.
///
/// SQLite rewrites an index whenever a statement names one of its columns, also when the value stays the same, and
/// for a random value that is a page of the log for nothing. So a stored row is looked at first, and replaced by a
/// statement that names only those indexed columns that change.
pub(super) struct TableStatements<'c> {
    pub(super) table: &'static Table,
    /// Whether something beside the key can be taken.
    pub(super) has_unique: bool,
    connection: &'c Connection,
    look: Statement<'c>,
    insert: Statement<'c>,
    delete: Statement<'c>,
    /// Positions of the columns that indexes hold.
    indexed: Vec<usize>,
    replace: Vec<Replace<'c>>,
}

/// Replaces the columns of a row that no index holds, and those whose bit is set.
struct Replace<'c> {
    changed: u64,
    columns: Vec<usize>,
    statement: Statement<'c>,
}

/// A stored row.
struct Found {
    place: i64,
    version: i64,
    /// A bit for each indexed column that has another value.
    changed: u64,
}

/// Columns beyond the last bit share it.
fn bit(index: usize) -> u64 {
    1 << index.min(63)
}

impl<'c> TableStatements<'c> {
    pub(super) fn prepare(connection: &'c Connection, table: &'static Table) -> Result<Self> {
        let (name, key) = (quoted(table.name), quoted(table.key().name));
        let is_indexed = |column: &str| table.indexes.iter().any(|index| index.columns.contains(&column));
        let indexed: Vec<usize> = (1..table.columns.len()).filter(|at| is_indexed(table.columns[*at].name)).collect();
        let mut looked = vec!["_rowid_".to_owned(), "version".to_owned()];
        looked.extend(indexed.iter().map(|at| quoted(table.columns[*at].name)));
        let looked = looked.join(", ");
        let marks: String = (0..table.columns.len()).map(|_| "?, ").collect();
        let columns = column_list(table);
        Ok(Self {
            table,
            has_unique: table.indexes.iter().any(|index| index.unique),
            connection,
            look: connection.prepare(&format!("SELECT {looked} FROM {name} WHERE {key} = ?"))?,
            insert: connection.prepare(&format!(
                "INSERT INTO {name} ({columns}, version) VALUES ({marks}?) ON CONFLICT DO NOTHING"
            ))?,
            delete: connection.prepare(&format!("DELETE FROM {name} WHERE {key} = ?"))?,
            indexed,
            replace: Vec::new(),
        })
    }

    /// Adds a row. False when the key or a unique index is taken.
    pub(super) fn insert(&mut self, values: &[Value], version: i64) -> Result<bool> {
        for (position, value) in (1..).zip(values) {
            self.insert.raw_bind_parameter(position, Bound(value))?;
        }
        self.insert.raw_bind_parameter(values.len() + 1, version)?;
        Ok(self.insert.raw_execute()? == 1)
    }

    /// Replaces a row by its next version. False when the stored version is another. An error when a unique index is
    /// taken.
    pub(super) fn update(&mut self, values: &[Value], version: i64) -> Result<bool> {
        match self.find(values)? {
            Some(found) if found.version == version => self.replace(&found, values, version + 1).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Adds a row or replaces an older one. False when a unique index is taken, or an error.
    pub(super) fn advance(&mut self, values: &[Value], version: i64) -> Result<bool> {
        match self.find(values)? {
            None => self.insert(values, version),
            Some(found) if found.version < version => self.replace(&found, values, version).map(|()| true),
            Some(_) => Ok(true),
        }
    }

    /// Removes a row if it is there.
    pub(super) fn delete(&mut self, key: &Value) -> Result<()> {
        self.delete.execute([Bound(key)]).map(drop)
    }

    fn find(&mut self, values: &[Value]) -> Result<Option<Found>> {
        self.look.raw_bind_parameter(1, Bound(&values[0]))?;
        let mut rows = self.look.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut found = Found { place: row.get(0)?, version: row.get(1)?, changed: 0 };
        for (index, position) in self.indexed.iter().enumerate() {
            if row.get_ref(index + 2)? != reference(&values[*position]) {
                found.changed |= bit(index);
            }
        }
        Ok(Some(found))
    }

    fn replace(&mut self, found: &Found, values: &[Value], version: i64) -> Result<()> {
        let known = self.replace.iter().position(|replace| replace.changed == found.changed);
        let at = match known {
            Some(at) => at,
            None => self.prepare_replace(found.changed)?,
        };
        let Replace { columns, statement, .. } = &mut self.replace[at];
        for (parameter, column) in (1..).zip(columns.iter()) {
            statement.raw_bind_parameter(parameter, Bound(&values[*column]))?;
        }
        statement.raw_bind_parameter(columns.len() + 1, version)?;
        statement.raw_bind_parameter(columns.len() + 2, found.place)?;
        statement.raw_execute().map(drop)
    }

    /// There are as many of these as combinations of indexed columns that change together: a few.
    fn prepare_replace(&mut self, changed: u64) -> Result<usize> {
        let stays = |column: &usize| {
            let index = self.indexed.iter().position(|indexed| indexed == column);
            index.is_some_and(|index| changed & bit(index) == 0)
        };
        let columns: Vec<usize> = (1..self.table.columns.len()).filter(|column| !stays(column)).collect();
        let mut set: Vec<String> = columns.iter().map(|at| quoted(self.table.columns[*at].name)).collect();
        set.push("version".to_owned());
        let sql = format!("UPDATE {} SET {} = ? WHERE _rowid_ = ?", quoted(self.table.name), set.join(" = ?, "));
        self.replace.push(Replace { changed, columns, statement: self.connection.prepare(&sql)? });
        Ok(self.replace.len() - 1)
    }
}
