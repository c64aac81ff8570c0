//! The statements of one table in the words of one engine.

use std::sync::Arc;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Column, Kind, Table, Unit, Value};

use super::plan::target;
use super::server::Engine;
use super::value::Param;

/// Characters or bytes that a value may have if the key or an index holds its column: as much as every engine can take in
/// an index of three such columns.
pub(super) const LONGEST_INDEXED: usize = 255;
/// Rows in one statement of MySQL. Statements exist for powers of two up to this.
const MOST_ROWS: usize = 64;
/// Rows in one statement of PostgreSQL, which takes one parameter per column however many rows there are.
const MOST_ROWS_POSTGRES: usize = 1_000;
/// Bytes in one statement, below what servers take in a packet by default.
const MOST_BYTES: usize = 4 << 20;

/// A row to be written.
#[derive(Clone, Copy)]
pub(super) struct Put<'a> {
    pub(super) values: &'a [Value],
    pub(super) version: i64,
}

/// Whether the key or an index holds a column.
pub(super) fn is_indexed(table: &Table, column: &Column) -> bool {
    table.key().name == column.name || table.indexes.iter().any(|index| index.columns.contains(&column.name))
}

/// The names of all columns and the version.
pub(super) fn column_list(engine: Engine, table: &Table) -> String {
    let names = table.columns.iter().map(|column| column.name).chain(["version"]);
    names.map(|name| engine.quoted(name)).collect::<Vec<_>>().join(", ")
}

/// The kinds of the columns of a row, and of the version.
pub(super) fn kinds(table: &Table) -> Vec<Kind> {
    table.columns.iter().map(|column| column.kind).chain([Kind::Integer]).collect()
}

/// Statements for 1, 2, 4... values or rows; PostgreSQL needs one.
struct Sized(Vec<Arc<str>>);

impl Sized {
    fn new(engine: Engine, make: impl Fn(usize) -> String) -> Self {
        let sizes = if engine == Engine::Postgres { 1 } else { MOST_ROWS.ilog2() + 1 };
        Self((0..sizes).map(|power| make(1 << power).into()).collect())
    }

    fn of(&self, count: usize) -> &Arc<str> {
        &self.0[if self.0.len() == 1 { 0 } else { count.ilog2() as usize }]
    }
}

/// A statement with its parameters, for so many rows.
pub(super) type Prepared<'s, 'a> = (&'s Arc<str>, Vec<Param<'a>>, usize);

/// Statements of a table.
pub(super) struct TableSql {
    pub(super) table: &'static Table,
    /// Whether something beside the key can be taken.
    pub(super) has_unique: bool,
    pub(super) kinds: Vec<Kind>,
    engine: Engine,
    read: Sized,
    lock: Sized,
    insert: Sized,
    replace: Sized,
    delete: Sized,
}

impl TableSql {
    pub(super) fn new(engine: Engine, table: &'static Table) -> Self {
        let (name, key, columns) =
            (engine.quoted(table.name), engine.quoted(table.key().name), column_list(engine, table));
        let postgres = engine == Engine::Postgres;
        let marks = |count: usize| vec!["?"; count].join(", ");
        let among = |count: usize| {
            if postgres { format!("{key} = ANY($1)") } else { format!("{key} IN ({})", marks(count)) }
        };
        // A list of keys on a small table may seem worth a look at every row, and that would lock them.
        let by_key = if postgres { "" } else { " FORCE INDEX (PRIMARY)" };
        let version = engine.quoted("version");
        let rows = |count: usize| {
            if postgres {
                let arrays = (1..).zip(kinds(table)).map(|(at, kind)| format!("${at}::{}[]", array_kind(kind)));
                return format!("SELECT * FROM unnest({})", arrays.collect::<Vec<_>>().join(", "));
            }
            let row = format!("({})", marks(table.columns.len() + 1));
            format!("VALUES {}", vec![row.as_str(); count].join(", "))
        };
        let insert = |count: usize| format!("INSERT INTO {name} ({columns}) {}", rows(count));
        let set = table.columns[1..].iter().map(|column| column.name).chain(["version"]).map(|column| {
            let column = engine.quoted(column);
            if postgres { format!("{column} = excluded.{column}") } else { format!("{column} = VALUES({column})") }
        });
        let set = set.collect::<Vec<_>>().join(", ");
        let replacing = if postgres {
            format!("ON CONFLICT ({key}) DO UPDATE SET {set}")
        } else {
            format!("ON DUPLICATE KEY UPDATE {set}")
        };
        Self {
            table,
            has_unique: table.indexes.iter().any(|index| index.unique),
            kinds: kinds(table),
            engine,
            read: Sized::new(engine, |count| format!("SELECT {columns} FROM {name} WHERE {}", among(count))),
            lock: Sized::new(engine, |count| {
                format!("SELECT {key}, {version} FROM {name}{by_key} WHERE {} ORDER BY {key} FOR UPDATE", among(count))
            }),
            insert: Sized::new(engine, |count| {
                if postgres { format!("{} ON CONFLICT DO NOTHING", insert(count)) } else { insert(count) }
            }),
            replace: Sized::new(engine, |count| format!("{} {replacing}", insert(count))),
            delete: Sized::new(engine, |count| format!("DELETE FROM {name} WHERE {}", among(count))),
        }
    }

    /// Reads rows by their keys.
    pub(super) fn read<'s, 'a>(&'s self, keys: &[&'a Value]) -> Vec<Prepared<'s, 'a>> {
        self.by_keys(&self.read, keys)
    }

    /// Reads keys and versions, and keeps the rows as they are until the end of the transaction.
    pub(super) fn lock<'s, 'a>(&'s self, keys: &[&'a Value]) -> Vec<Prepared<'s, 'a>> {
        self.by_keys(&self.lock, keys)
    }

    /// Removes rows.
    pub(super) fn delete<'s, 'a>(&'s self, keys: &[&'a Value]) -> Vec<Prepared<'s, 'a>> {
        self.by_keys(&self.delete, keys)
    }

    /// Adds rows. With PostgreSQL a row that meets another is left out, with MySQL it is an error.
    pub(super) fn insert<'s, 'a>(&'s self, rows: &[Put<'a>]) -> Vec<Prepared<'s, 'a>> {
        self.with_rows(&self.insert, rows)
    }

    /// Replaces rows that are there, in this order.
    pub(super) fn replace<'s, 'a>(&'s self, rows: &[Put<'a>]) -> Vec<Prepared<'s, 'a>> {
        self.with_rows(&self.replace, rows)
    }

    /// A statement takes keys by the power of four; the last one is repeated to fill it.
    fn by_keys<'s, 'a>(&'s self, sql: &'s Sized, keys: &[&'a Value]) -> Vec<Prepared<'s, 'a>> {
        let kind = self.table.key().kind;
        if self.engine == Engine::Postgres {
            let chunks = keys.chunks(MOST_ROWS_POSTGRES);
            return chunks.map(|keys| (sql.of(1), vec![Param::Many(kind, keys.to_vec())], keys.len())).collect();
        }
        let chunks = keys.chunks(MOST_ROWS).map(|keys| {
            let size = 1 << keys.len().next_power_of_two().ilog2().next_multiple_of(2);
            let filled = keys.iter().chain(std::iter::repeat(&keys[keys.len() - 1])).take(size);
            (sql.of(size), filled.map(|key| Param::value(kind, key)).collect(), keys.len())
        });
        chunks.collect()
    }

    fn with_rows<'s, 'a>(&'s self, sql: &'s Sized, mut rows: &[Put<'a>]) -> Vec<Prepared<'s, 'a>> {
        let mut statements = Vec::new();
        while !rows.is_empty() {
            let (now, later) = rows.split_at(self.fitting(rows));
            let params = if self.engine == Engine::Postgres { self.columns(now) } else { self.flat(now) };
            statements.push((sql.of(now.len()), params, now.len()));
            rows = later;
        }
        statements
    }

    /// How many of the first rows fit in one statement.
    fn fitting(&self, rows: &[Put<'_>]) -> usize {
        let most = if self.engine == Engine::Postgres { MOST_ROWS_POSTGRES } else { MOST_ROWS };
        let mut bytes = 0;
        let small = rows.iter().take(most).take_while(|row| {
            bytes += row.values.iter().map(size).sum::<usize>();
            bytes <= MOST_BYTES
        });
        // A large row goes alone.
        let count = small.count().max(1);
        if self.engine == Engine::Postgres { count } else { 1 << count.ilog2() }
    }

    fn columns<'a>(&self, rows: &[Put<'a>]) -> Vec<Param<'a>> {
        let column =
            |(at, column): (usize, &Column)| Param::Many(column.kind, rows.iter().map(|row| &row.values[at]).collect());
        let versions = Param::Numbers(rows.iter().map(|row| row.version).collect());
        self.table.columns.iter().enumerate().map(column).chain([versions]).collect()
    }

    fn flat<'a>(&self, rows: &[Put<'a>]) -> Vec<Param<'a>> {
        let mut params = Vec::with_capacity(rows.len() * self.kinds.len());
        for row in rows {
            params.extend(self.table.columns.iter().zip(row.values).map(|(column, v)| Param::value(column.kind, v)));
            params.push(Param::number(row.version));
        }
        params
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null => 1,
        Value::Integer(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

fn array_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint",
        Kind::Text => "text",
        Kind::Blob => "bytea",
    }
}

/// Refuses values that no index could hold where one holds them, and rows that the server would not take.
pub(super) fn check_lengths(unit: &Unit, longest: usize) -> Result<(), PortError> {
    for write in &unit.writes {
        let (table, values) = target(write);
        let bytes: usize = values.iter().map(size).sum();
        if bytes > longest {
            let reason = format!("table {}: a row of {bytes} bytes; the server takes {longest}", table.name);
            return Err(PortError::Misused(reason));
        }
        let long = |(column, value): &(&Column, &Value)| length(value) > LONGEST_INDEXED && is_indexed(table, column);
        if let Some((column, _)) = table.columns.iter().zip(values).find(long) {
            return Err(PortError::Misused(format!(
                "table {}: column {} is part of an index and takes at most {LONGEST_INDEXED} characters or bytes",
                table.name, column.name
            )));
        }
    }
    Ok(())
}

/// Characters or bytes; texts that are surely short are not counted.
fn length(value: &Value) -> usize {
    match value {
        Value::Text(text) if text.len() > LONGEST_INDEXED => text.chars().count(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}
