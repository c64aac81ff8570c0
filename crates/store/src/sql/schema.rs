//! Declared tables as statements that make them, and what a database lacks of them.

use firstcome_core::ports::PortError;
use firstcome_core::records::{Column, Index, Kind, Table};
use sha2::{Digest as _, Sha256};

use super::dialect::{LONGEST_INDEXED, is_indexed};
use super::own::OWN;
use super::server::Engine;

/// A column that a database has.
pub(super) struct Present {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    /// Whether it is of a type that no index can hold.
    pub(super) long: bool,
    pub(super) nullable: bool,
    pub(super) key: bool,
    /// How texts are compared; empty for everything else.
    pub(super) collation: String,
}

/// Where the first column of an index may be empty, PostgreSQL leaves such rows out: what is open for a while and then
/// settled for ever leaves the index. It also needs the key at the end, which MySQL adds by itself.
pub(super) fn index_sql(engine: Engine, table: &Table, index: &Index) -> String {
    let postgres = engine == Engine::Postgres;
    let column_of = |name: &str| table.columns.iter().find(|column| column.name == name);
    let mut columns = index.columns.to_vec();
    if postgres && !index.unique && !columns.contains(&table.key().name) {
        columns.push(table.key().name);
    }
    let columns = columns.into_iter().map(|name| {
        let empty = postgres && column_of(name).is_some_and(|column| column.nullable);
        format!("{}{}", engine.quoted(name), if empty { " NULLS FIRST" } else { "" })
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let first = index.columns.first().and_then(|name| column_of(name)).filter(|first| postgres && first.nullable);
    let present = first.map(|first| format!(" WHERE {} IS NOT NULL", engine.quoted(first.name))).unwrap_or_default();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (name, of) = (engine.quoted(index.name), engine.quoted(table.name));
    format!("CREATE {unique}INDEX {name} ON {of} ({columns}){present}")
}

/// Takes an index away, to be made otherwise.
pub(super) fn drop_index_sql(engine: Engine, table: &Table, index: &Index) -> String {
    match engine {
        Engine::Postgres => format!("DROP INDEX {}", engine.quoted(index.name)),
        Engine::MariaDb | Engine::MySql => {
            format!("DROP INDEX {} ON {}", engine.quoted(index.name), engine.quoted(table.name))
        }
    }
}

fn column_sql(engine: Engine, table: &Table, column: &Column) -> String {
    let collation = engine.collation();
    let kind = match (engine, column.kind, is_indexed(table, column)) {
        (_, Kind::Integer, _) => "BIGINT".to_owned(),
        (Engine::Postgres, Kind::Text, _) => format!("TEXT COLLATE \"{collation}\""),
        (Engine::Postgres, Kind::Blob, _) => "BYTEA".to_owned(),
        (_, Kind::Text, indexed) => {
            let kind = if indexed { format!("VARCHAR({LONGEST_INDEXED})") } else { "LONGTEXT".to_owned() };
            format!("{kind} CHARACTER SET utf8mb4 COLLATE {collation}")
        }
        (_, Kind::Blob, true) => format!("VARBINARY({LONGEST_INDEXED})"),
        (_, Kind::Blob, false) => "LONGBLOB".to_owned(),
    };
    format!("{} {kind}{}", engine.quoted(column.name), if column.nullable { " NULL" } else { " NOT NULL" })
}

/// Makes a table, without its indexes.
pub(super) fn table_sql(engine: Engine, table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| column_sql(engine, table, column)).collect();
    let (name, key) = (engine.quoted(table.name), engine.quoted(table.key().name));
    let version = engine.quoted("version");
    let tail = if engine == Engine::Postgres { "" } else { " ENGINE=InnoDB ROW_FORMAT=DYNAMIC" };
    format!("CREATE TABLE {name} ({}, {version} BIGINT NOT NULL, PRIMARY KEY ({key})){tail}", columns.join(", "))
}

/// Says whether two programs want the same.
pub(super) fn fingerprint(engine: Engine, tables: &[&Table]) -> String {
    let mut hasher = Sha256::new();
    for table in OWN.iter().chain(tables) {
        hasher.update(table_sql(engine, table));
        table.indexes.iter().for_each(|index| hasher.update(index_sql(engine, table, index)));
    }
    hasher.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Declarations that no database could satisfy.
pub(super) fn check_declarations(tables: &[&Table]) -> Result<(), PortError> {
    let wrong = |reason: String| Err(PortError::Misused(reason));
    let plain = |name: &str| {
        (1..=60).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    for table in tables {
        let named = tables.iter().filter(|other| other.name == table.name).count();
        if OWN.iter().any(|own| own.name == table.name) || named != 1 {
            return wrong(format!("a table cannot be named {}", table.name));
        }
        if table.columns.is_empty() || table.key().nullable || table.position("version").is_some() {
            return wrong(format!("table {} needs a key that is never empty, and no column named version", table.name));
        }
        let names = table.columns.iter().map(|column| column.name).chain(table.indexes.iter().map(|index| index.name));
        if let Some(name) = std::iter::once(table.name).chain(names).find(|name| !plain(name)) {
            return wrong(format!("table {}: a name cannot be {name}", table.name));
        }
        for index in table.indexes {
            if let Some(column) = index.columns.iter().find(|column| table.position(column).is_none()) {
                let (index, table) = (index.name, table.name);
                return wrong(format!("index {index} names the column {column}, which is not in {table}"));
            }
        }
    }
    Ok(())
}

/// Statements that bring a table up to its declaration without touching a row, or why there are none.
pub(super) fn missing_columns(engine: Engine, table: &Table, present: &[Present]) -> Result<Vec<String>, PortError> {
    let wrong = |column: &str, reason: &str| {
        Err(PortError::Misused(format!("column {column} of table {} {reason}", table.name)))
    };
    let name = engine.quoted(table.name);
    let mut steps = Vec::new();
    for (position, column) in table.columns.iter().enumerate() {
        let sql = || column_sql(engine, table, column);
        match present.iter().find(|candidate| candidate.name == column.name) {
            None if column.nullable => steps.push(format!("ALTER TABLE {name} ADD COLUMN {}", sql())),
            None => return wrong(column.name, "is not there, and rows cannot get it because it may not be empty"),
            Some(found) if found.kind != Some(column.kind) => return wrong(column.name, "is of another kind"),
            Some(found) if found.key != (position == 0) => return wrong(column.name, "has another part in the key"),
            Some(found) if found.nullable != column.nullable => {
                return wrong(column.name, "differs in whether it may be empty");
            }
            Some(found) if column.kind == Kind::Text && found.collation != engine.collation() => {
                return wrong(column.name, &format!("does not compare texts as {}", engine.collation()));
            }
            // An index has come to a column that had none.
            Some(found) if found.long && is_indexed(table, column) => {
                steps.push(format!("ALTER TABLE {name} MODIFY COLUMN {}", sql()));
            }
            Some(_) => {}
        }
    }
    let known = |name: &str| name == "version" || table.position(name).is_some();
    match present.iter().find(|column| !column.nullable && !known(&column.name)) {
        Some(column) => wrong(&column.name, "may not be empty, and this version of the program does not know it"),
        None => Ok(steps),
    }
}
