//! How the database of a role is reached.

use std::time::Duration;

use firstcome_core::ports::PortError;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// Statements that a connection keeps prepared. A server of MySQL has only some thousands for all its clients.
const STATEMENTS: usize = 100;
/// The same for PostgreSQL, where each belongs to its connection.
const STATEMENTS_POSTGRES: usize = 512;

/// Where the database of a role is, and how patient its clients are.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    /// `mysql://user:password@host:port/database` (MariaDB too) or `postgres://user:password@host:port/database`.
    pub url: SecretString,
    /// Connections that read.
    pub readers: usize,
    /// Connections that write. Units that wait share a transaction, so a few are enough.
    pub writers: usize,
    /// How long a call may take, and how long a statement may.
    pub timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// Whether missing tables, columns and indexes are added at the start. Otherwise a database that lacks something is
    /// refused.
    pub migrate: bool,
}

impl SqlOptions {
    /// A database with the usual patience.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            readers: 8,
            writers: 2,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            migrate: true,
        }
    }

    /// Host, port and name of the database, if the address can be understood.
    pub fn place(&self) -> Option<String> {
        Some(self.address().ok()?.name)
    }

    /// Takes the address apart.
    pub(super) fn address(&self) -> Result<Address, PortError> {
        let url = self.url.expose_secret();
        // The parser's own words could repeat a part of the password.
        let wrong = |reason: &str| Err(PortError::Misused(format!("the address of the database {reason}")));
        if url.starts_with("mysql://") || url.starts_with("mariadb://") {
            let Ok(options) = url.replacen("mariadb://", "mysql://", 1).parse::<MySqlConnectOptions>() else {
                return wrong("is not of the form mysql://user:password@host:port/database");
            };
            let Some(database) = options.get_database().filter(|name| !name.is_empty()) else {
                return wrong("names no database");
            };
            let name = format!("{}:{}/{database}", options.get_host(), options.get_port());
            // Everything that a session needs is set in one statement of ours.
            let options = options
                .charset("utf8mb4")
                .collation("utf8mb4_bin")
                .timezone(None)
                .pipes_as_concat(false)
                .no_engine_substitution(false)
                .statement_cache_capacity(STATEMENTS);
            return Ok(Address { name, target: Target::MySql(Box::new(options)) });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let Ok(options) = url.parse::<PgConnectOptions>() else {
                return wrong("is not of the form postgres://user:password@host:port/database");
            };
            let Some(database) = options.get_database().filter(|name| !name.is_empty()) else {
                return wrong("names no database");
            };
            let name = format!("{}:{}/{database}", options.get_host(), options.get_port());
            let options = options.application_name("firstcome").statement_cache_capacity(STATEMENTS_POSTGRES);
            return Ok(Address { name, target: Target::Postgres(Box::new(options)) });
        }
        wrong("begins with neither mysql:// nor postgres://")
    }
}

/// An address that was understood.
#[derive(Clone)]
pub(super) struct Address {
    /// Host, port and database, for messages.
    pub(super) name: String,
    pub(super) target: Target,
}

/// What a client of either protocol is made from.
#[derive(Clone)]
pub(super) enum Target {
    MySql(Box<MySqlConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

#[cfg(test)]
mod tests {
    use super::SqlOptions;

    /// Neither the options nor a refusal show the password.
    #[test]
    fn password_is_never_shown() {
        for url in ["mysql://root:pa55word@host:1:2:3/x", "postgres://root:pa55word@host:99999/x", "pa55word://x"] {
            let options = SqlOptions::new(url);
            let refusal = options.address().map(drop).expect_err("is no address");
            assert!(!format!("{options:?} {refusal} {refusal:?}").contains("pa55word"));
        }
        let good = SqlOptions::new("mysql://root:pa55word@host:1/x");
        assert_eq!(good.address().map(|address| address.name).ok().as_deref(), Some("host:1/x"));
    }

    /// A database must be named: a role has its own.
    #[test]
    fn database_must_be_named() {
        for url in ["mysql://root@host:1", "postgres://root@host:1/", "sqlite://x"] {
            assert!(SqlOptions::new(url).address().is_err(), "{url}");
        }
    }
}
