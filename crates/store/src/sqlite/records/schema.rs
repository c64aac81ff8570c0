//! Tables made from their declarations, and an older file brought up to them.

use std::path::Path;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Column, Index, Kind, Table};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use sha2::{Digest as _, Sha256};

use crate::sqlite::connection::port_error;

/// Marks a file as ours, in its header: "Frst".
const APPLICATION: i32 = 0x4672_7374;
/// The layout of what this adapter adds beside the declared tables.
const LAYOUT: i32 = 1;
/// Names that declared tables may not have.
const OWN_TABLES: [&str; 3] = ["outbox", "positions", "meta"];

/// What every file holds beside the declared tables.
///
/// A position of the outbox is one more than the largest there is, and SQLite admits one writer at a time, so positions
/// are strictly increasing in the order of commits. Whoever prunes the outbox one day must leave its last row. Nothing
/// prunes it now.
const OWN: &str = "
    CREATE TABLE IF NOT EXISTS outbox (position INTEGER PRIMARY KEY, id BLOB NOT NULL, kind TEXT NOT NULL,
        subject TEXT NOT NULL, at INTEGER NOT NULL, data TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS positions (consumer TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The names of all columns, separated by commas, without the version.
pub(super) fn column_list(table: &Table) -> String {
    table.columns.iter().map(|column| quoted(column.name)).collect::<Vec<_>>().join(", ")
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "INTEGER",
        Kind::Text => "TEXT",
        Kind::Blob => "BLOB",
    }
}

fn column_sql(column: &Column) -> String {
    let empty = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{empty}", quoted(column.name), kind_name(column.kind))
}

/// Rows stand in the order of their arrival, not of their keys: most keys are random, and a page that takes many new
/// rows is written once per commit.
fn table_sql(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(column_sql).collect();
    format!(
        "CREATE TABLE {} ({}, \"version\" INTEGER NOT NULL, PRIMARY KEY ({})) STRICT",
        quoted(table.name),
        columns.join(", "),
        quoted(table.key().name)
    )
}

/// The primary key ends every index that is not unique, so that a page of rows is read in the order of the index. Rows
/// whose first column is empty stay out: what is open for a while and then settled for ever leaves the index.
fn index_sql(table: &Table, index: &Index) -> String {
    let mut columns = index.columns.to_vec();
    let key = table.key();
    if !index.unique && key.kind != Kind::Integer && !columns.contains(&key.name) {
        columns.push(key.name);
    }
    let columns: Vec<String> = columns.into_iter().map(quoted).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let first = index.columns.first().and_then(|name| table.columns.iter().find(|column| column.name == *name));
    let present = match first {
        Some(first) if first.nullable => format!(" WHERE {} IS NOT NULL", quoted(first.name)),
        _ => String::new(),
    };
    let (name, of) = (quoted(index.name), quoted(table.name));
    format!("CREATE {unique}INDEX {name} ON {of} ({}){present}", columns.join(", "))
}

fn fingerprint(tables: &[&Table]) -> String {
    let mut hasher = Sha256::new();
    for table in tables {
        hasher.update(table_sql(table));
        for index in table.indexes {
            hasher.update(index_sql(table, index));
        }
    }
    hasher.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Declarations that no file could satisfy.
fn check_declarations(tables: &[&Table]) -> Result<(), PortError> {
    let wrong = |reason: String| Err(PortError::Misused(reason));
    for table in tables {
        let named = |name: &str| tables.iter().filter(|other| other.name == name).count();
        if OWN_TABLES.contains(&table.name) || table.name.starts_with("sqlite_") || named(table.name) != 1 {
            return wrong(format!("a table cannot be named {}", table.name));
        }
        if table.columns.is_empty() || table.key().nullable || table.position("version").is_some() {
            return wrong(format!("table {} needs a key that is never empty, and no column named version", table.name));
        }
        for index in table.indexes {
            if let Some(column) = index.columns.iter().find(|column| table.position(column).is_none()) {
                return wrong(format!(
                    "index {} names the column {column}, which is not in {}",
                    index.name, table.name
                ));
            }
        }
    }
    Ok(())
}

/// Makes the file hold every declared table, or says why it cannot.
///
/// What can be added without touching a row is added: tables, columns that may be empty, indexes. Two processes may do
/// this at once; the second finds it done. A file that has more than is declared is left as it is.
pub(super) fn prepare(connection: &mut Connection, path: &Path, tables: &[&Table]) -> Result<(), PortError> {
    check_declarations(tables)?;
    let sql = |error: rusqlite::Error| port_error(path, &error);
    let fingerprint = fingerprint(tables);
    check_owner(connection, path)?;
    if recorded(connection).map_err(sql)?.as_ref() == Some(&fingerprint) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    check_owner(&transaction, path)?;
    transaction.execute_batch(OWN).map_err(sql)?;
    for table in tables {
        reconcile(&transaction, path, table)?;
    }
    transaction
        .execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?1)", [&fingerprint])
        .and_then(|_| transaction.pragma_update(None, "application_id", APPLICATION))
        .and_then(|()| transaction.pragma_update(None, "user_version", LAYOUT))
        .and_then(|()| transaction.commit())
        .map_err(sql)
}

/// Refuses a file that something else has made, or a later version of this.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), PortError> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables = || connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    // The tables first: another process may be making them, and marks the file in the same commit.
    let read = || Ok::<_, rusqlite::Error>((tables()?, number("application_id")?, number("user_version")?));
    let (tables, application, layout) = read().map_err(|error| port_error(path, &error))?;
    let path = path.display();
    if tables > 0 && application != APPLICATION {
        return Err(PortError::Misused(format!("{path}: this is a database of another program")));
    }
    if layout > LAYOUT {
        return Err(PortError::Misused(format!("{path}: a newer version of this program has written it")));
    }
    Ok(())
}

fn recorded(connection: &Connection) -> rusqlite::Result<Option<String>> {
    if !connection.table_exists(None, "meta")? {
        return Ok(None);
    }
    connection.query_row("SELECT value FROM meta WHERE name = 'schema'", [], |row| row.get(0)).optional()
}

fn reconcile(connection: &Connection, path: &Path, table: &Table) -> Result<(), PortError> {
    let sql = |error: rusqlite::Error| port_error(path, &error);
    if connection.table_exists(None, table.name).map_err(sql)? {
        let missing = missing_columns(path, table, &present_columns(connection, table).map_err(sql)?)?;
        for column in missing {
            let add = format!("ALTER TABLE {} ADD COLUMN {}", quoted(table.name), column_sql(column));
            connection.execute_batch(&add).map_err(sql)?;
        }
    } else {
        connection.execute_batch(&table_sql(table)).map_err(sql)?;
    }
    table.indexes.iter().try_for_each(|index| reconcile_index(connection, path, table, index))
}

/// A column as it is in a file.
struct Present {
    name: String,
    kind: String,
    nullable: bool,
    key: bool,
}

fn present_columns(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<Present>> {
    let mut statement = connection.prepare(&format!("PRAGMA table_info({})", quoted(table.name)))?;
    let columns = statement.query_map([], |row| {
        Ok(Present { name: row.get(1)?, kind: row.get(2)?, nullable: !row.get::<_, bool>(3)?, key: row.get(5)? })
    })?;
    columns.collect()
}

fn missing_columns<'a>(path: &Path, table: &'a Table, present: &[Present]) -> Result<Vec<&'a Column>, PortError> {
    let wrong = |column: &str, reason: &str| {
        let path = path.display();
        Err(PortError::Misused(format!("{path}: column {column} of table {} {reason}", table.name)))
    };
    let mut missing = Vec::new();
    for (position, column) in table.columns.iter().enumerate() {
        match present.iter().find(|candidate| candidate.name == column.name) {
            None if column.nullable => missing.push(column),
            None => return wrong(column.name, "is not there, and rows cannot get it because it may not be empty"),
            Some(found) if found.kind != kind_name(column.kind) => return wrong(column.name, "is of another kind"),
            Some(found) if found.key != (position == 0) => return wrong(column.name, "has another part in the key"),
            Some(found) if found.nullable != column.nullable => {
                return wrong(column.name, "differs in whether it may be empty");
            }
            Some(_) => {}
        }
    }
    let known = |name: &str| name == "version" || table.position(name).is_some();
    match present.iter().find(|column| !column.nullable && !known(&column.name)) {
        Some(column) => wrong(&column.name, "may not be empty, and this version of the program does not know it"),
        None => Ok(missing),
    }
}

fn reconcile_index(connection: &Connection, path: &Path, table: &Table, index: &Index) -> Result<(), PortError> {
    let wanted = index_sql(table, index);
    let find = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1";
    let make = || {
        let found: Option<String> = connection.query_row(find, [index.name], |row| row.get(0)).optional()?;
        match found {
            Some(sql) if sql == wanted => Ok(()),
            Some(_) => connection.execute_batch(&format!("DROP INDEX {}; {wanted}", quoted(index.name))),
            None => connection.execute_batch(&wanted),
        }
    };
    make().map_err(|error| match port_error(path, &error) {
        PortError::Misused(reason) => {
            PortError::Misused(format!("index {} cannot be made: rows agree in its columns: {reason}", index.name))
        }
        other => other,
    })
}
