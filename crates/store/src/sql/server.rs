//! Which server it is, and what a session with it begins with.

use std::time::Duration;

use firstcome_core::ports::PortError;

/// The kinds of server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Engine {
    MariaDb,
    MySql,
    Postgres,
}

impl Engine {
    /// How people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The oldest version that does what is asked of it.
    pub(super) fn oldest(self) -> (u32, u32) {
        match self {
            Self::MariaDb => (10, 6),
            Self::MySql => (8, 0),
            Self::Postgres => (13, 0),
        }
    }

    /// A collation that compares byte by byte and does not ignore spaces at the end.
    pub(super) fn collation(self) -> &'static str {
        match self {
            Self::MariaDb => "utf8mb4_nopad_bin",
            Self::MySql => "utf8mb4_0900_bin",
            Self::Postgres => "C",
        }
    }

    /// A name as this engine writes it.
    pub(super) fn quoted(self, name: &str) -> String {
        match self {
            Self::Postgres => format!("\"{name}\""),
            Self::MariaDb | Self::MySql => format!("`{name}`"),
        }
    }
}

/// A server that was met.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Host, port and database.
    pub(super) name: String,
    pub(super) engine: Engine,
    pub(super) version: (u32, u32),
    /// Bytes that a statement may have.
    pub(super) packet: usize,
    /// How it keeps texts; PostgreSQL only.
    pub(super) encoding: String,
}

/// Bytes that a statement must be allowed to have.
const LEAST_PACKET: usize = 8 << 20;
/// A bound that PostgreSQL has for a value.
const POSTGRES_PACKET: usize = 512 << 20;
/// What a statement has beside the values of a row.
const STATEMENT: usize = 16 << 10;

impl Server {
    /// Understands what MySQL and MariaDB say of themselves, for example `10.11.6-MariaDB-log` or `8.0.36`.
    pub(super) fn mysql(name: String, version: &str, packet: i64) -> Self {
        let engine = if version.contains("MariaDB") { Engine::MariaDb } else { Engine::MySql };
        // Replication once needed this in front of the version.
        let version = version.strip_prefix("5.5.5-").unwrap_or(version);
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        Self { name, engine, version, packet: usize::try_from(packet).unwrap_or(0), encoding: String::new() }
    }

    /// Understands PostgreSQL's `server_version_num`, for example 150018.
    pub(super) fn postgres(name: String, number: &str, encoding: String) -> Self {
        let number: u32 = number.parse().unwrap_or(0);
        let version = (number / 10_000, number % 10_000);
        Self { name, engine: Engine::Postgres, version, packet: POSTGRES_PACKET, encoding }
    }

    /// Bytes that the values of one row may have together.
    pub(super) fn longest_row(&self) -> usize {
        self.packet.saturating_sub(STATEMENT)
    }

    /// Refuses a server that is too old or cannot keep what it will be given.
    pub(super) fn check_fitness(&self) -> Result<(), PortError> {
        let Self { name, engine, version: (major, minor), packet, encoding } = self;
        let kind = engine.name();
        let wrong = |reason: String| Err(PortError::Misused(format!("{name}: {reason}")));
        let oldest = engine.oldest();
        if self.version < oldest {
            return wrong(format!("{kind} {major}.{minor} is too old: use version {}.{} or newer", oldest.0, oldest.1));
        }
        if *engine == Engine::Postgres && encoding != "UTF8" {
            return wrong(format!("the database keeps texts as {encoding}: create it with ENCODING 'UTF8'"));
        }
        if *packet < LEAST_PACKET {
            return wrong(format!("{kind} takes statements of {packet} bytes: set max_allowed_packet to 16M or more"));
        }
        Ok(())
    }

    /// What every session begins with: strict, one isolation level, and no transaction that outlives its client, because
    /// the row that counts events is locked by whoever commits.
    ///
    /// PostgreSQL plans a statement for the table as it was, and would go on reading all of a table that was small then:
    /// what is asked here has an index, so it is told to prefer that.
    pub(super) fn greeting(&self, timeout: Duration) -> String {
        let seconds = timeout.as_secs().max(1);
        let half = (seconds / 2).max(1);
        match self.engine {
            Engine::Postgres => format!(
                "SET default_transaction_isolation = 'read committed'; SET statement_timeout = '{seconds}s'; \
                 SET lock_timeout = '{half}s'; SET idle_in_transaction_session_timeout = '{seconds}s'; \
                 SET client_min_messages = 'warning'; SET jit = off; SET enable_seqscan = off; \
                 SELECT set_config('synchronous_commit', 'on', false) \
                     WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            ),
            Engine::MariaDb => format!(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
                 innodb_lock_wait_timeout = {half}, wait_timeout = 600, idle_transaction_timeout = {seconds}, \
                 max_statement_time = {seconds}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
            ),
            // MySQL has no bound for an idle transaction but the one for an idle session.
            Engine::MySql => format!(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
                 innodb_lock_wait_timeout = {half}, wait_timeout = 60, max_execution_time = {}; \
                 SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                seconds * 1_000
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Engine, Server};

    /// Versions are understood, and too old ones refused with what to do.
    #[test]
    fn versions_are_understood() {
        let mysql = |version| Server::mysql("db".to_owned(), version, 16 << 20);
        assert_eq!((mysql("8.0.36").engine, mysql("8.0.36").version), (Engine::MySql, (8, 0)));
        assert_eq!(mysql("5.5.5-10.11.6-MariaDB-log").version, (10, 11));
        assert_eq!(mysql("11.4.2-MariaDB").engine, Engine::MariaDb);
        let postgres = |number| Server::postgres("db".to_owned(), number, "UTF8".to_owned());
        assert_eq!(postgres("150018").version, (15, 18));
        for old in [mysql("5.7.44"), mysql("10.5.9-MariaDB"), postgres("120004")] {
            let refusal = old.check_fitness().expect_err("is too old").to_string();
            assert!(refusal.contains("db") && refusal.contains("or newer"), "{refusal}");
        }
        for new in [mysql("8.4.0"), mysql("10.6.1-MariaDB"), postgres("130000")] {
            assert!(new.check_fitness().is_ok());
        }
        for unfit in [
            Server::mysql("db".to_owned(), "8.0.36", 1 << 20),
            Server::postgres("db".to_owned(), "150018", "LATIN1".to_owned()),
        ] {
            assert!(unfit.check_fitness().is_err());
        }
    }
}
