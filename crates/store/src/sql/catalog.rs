//! What a database has.

use std::sync::Arc;

use firstcome_core::records::{Kind, Value};

use super::fault::Fault;
use super::schema::Present;
use super::server::Engine;
use super::session::Session;
use super::value::Param;

const MYSQL_TABLES: &str =
    "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE()";
const POSTGRES_TABLES: &str = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm', 'f')";

const MYSQL_COLUMNS: &str = "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR),
    CAST(coalesce(collation_name, '') AS CHAR), is_nullable = 'YES', column_key = 'PRI'
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?";
const POSTGRES_COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, NULL)::text,
    coalesce(c.collname::text, ''), (NOT a.attnotnull)::int::bigint,
    (EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)))::int::bigint
    FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
    WHERE a.attrelid = (SELECT oid FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace)
    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const MYSQL_INDEXES: &str = "SELECT DISTINCT CAST(index_name AS CHAR) FROM information_schema.statistics
    WHERE table_schema = DATABASE()";
const POSTGRES_INDEXES: &str = "SELECT relname::text FROM pg_class WHERE relkind = 'i'
    AND relnamespace = current_schema()::regnamespace";

impl Session {
    fn words(&self, mysql: &'static str, postgres: &'static str) -> Arc<str> {
        Arc::from(if self.server.engine == Engine::Postgres { postgres } else { mysql })
    }

    /// The names of all tables.
    pub(super) async fn tables(&mut self) -> Result<Vec<String>, Fault> {
        let sql = self.words(MYSQL_TABLES, POSTGRES_TABLES);
        self.texts(&sql, &[]).await
    }

    /// The names of all indexes.
    pub(super) async fn indexes(&mut self) -> Result<Vec<String>, Fault> {
        let sql = self.words(MYSQL_INDEXES, POSTGRES_INDEXES);
        self.texts(&sql, &[]).await
    }

    /// The columns of a table.
    pub(super) async fn columns(&mut self, table: &str) -> Result<Vec<Present>, Fault> {
        let sql = self.words(MYSQL_COLUMNS, POSTGRES_COLUMNS);
        let kinds = [Kind::Text, Kind::Text, Kind::Text, Kind::Integer, Kind::Integer];
        let rows = self.rows(&sql, &[Param::text(table)], &kinds).await?;
        Ok(rows.into_iter().filter_map(present).collect())
    }

    /// The texts that a statement returns in its one column.
    pub(super) async fn texts(&mut self, sql: &Arc<str>, params: &[Param<'_>]) -> Result<Vec<String>, Fault> {
        let rows = self.rows(sql, params, &[Kind::Text]).await?;
        Ok(rows.into_iter().flatten().filter_map(text).collect())
    }

    /// The one number that a statement returns.
    pub(super) async fn number(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Option<i64>, Fault> {
        let rows = self.rows(&Arc::from(sql), params, &[Kind::Integer]).await?;
        Ok(rows.into_iter().flatten().find_map(|value| if let Value::Integer(n) = value { Some(n) } else { None }))
    }
}

fn text(value: Value) -> Option<String> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn present(row: Vec<Value>) -> Option<Present> {
    let [name, kind, collation, nullable, key] = <[Value; 5]>::try_from(row).ok()?;
    let kind = text(kind)?.to_ascii_lowercase();
    Some(Present {
        name: text(name)?,
        long: kind.ends_with("text") && kind != "text" || kind.ends_with("blob"),
        kind: match kind.as_str() {
            "bigint" => Some(Kind::Integer),
            "varchar" | "longtext" | "text" => Some(Kind::Text),
            "varbinary" | "longblob" | "bytea" => Some(Kind::Blob),
            _ => None,
        },
        nullable: nullable == Value::Integer(1),
        key: key == Value::Integer(1),
        collation: text(collation)?,
    })
}
