//! Whether a database is fit for a role, for whoever runs the shop.

use std::sync::Arc;

use firstcome_core::ports::PortError;

use super::fault::Fault;
use super::migrate::owner;
use super::options::SqlOptions;
use super::server::Engine;
use super::session::Session;
use crate::check::CheckLine;

/// Connections that a role's processes, a console and a backup want together.
const CONNECTIONS: i64 = 60;

/// Looks at the database of a role and changes nothing.
pub async fn check(options: &SqlOptions, role: &str) -> Vec<CheckLine> {
    let what = |what: &str| format!("databases.{role}: {what}");
    let address = match options.address() {
        Ok(address) => address,
        Err(error) => {
            return vec![CheckLine::fail(what("address"), error.to_string(), format!("set databases.{role} anew"))];
        }
    };
    let mut session = match Session::connect(&address, options.connect_timeout, options.timeout).await {
        Ok(session) => session,
        Err(fault) => {
            let advice = if matches!(fault, Fault::Lost(_)) {
                format!("start the server, and see that databases.{role} names its host and port")
            } else {
                format!("create the database, and see that its name, user and password in databases.{role} are right")
            };
            let found = fault.into_port_error(&address.name).to_string();
            return vec![CheckLine::fail(what("reachable"), found, advice)];
        }
    };
    let server = Arc::clone(&session.server);
    let mut lines = vec![CheckLine::ok(what("reachable"), server.name.clone())];
    let found = format!("{} {}.{}", server.engine.name(), server.version.0, server.version.1);
    lines.push(match server.check_fitness() {
        Ok(()) => CheckLine::ok(what("version"), found),
        Err(error) => CheckLine::fail(what("version"), found, error.to_string()),
    });
    let settings = if server.engine == Engine::Postgres { POSTGRES } else { MYSQL };
    for setting in settings {
        lines.push(match session.setting(setting.sql).await {
            Ok(found) => setting.line(what(setting.name), found),
            Err(fault) => CheckLine::warn(what(setting.name), format!("{fault:?}"), "let the user read it"),
        });
    }
    lines.push(match owner(&mut session, role).await {
        Ok(true) => CheckLine::ok(what("belongs to"), role),
        Ok(false) => CheckLine::warn(what("belongs to"), "nobody: it is empty", "run `firstcome migrate`"),
        Err(error) => CheckLine::fail(what("belongs to"), error.to_string(), advice_for(&error)),
    });
    session.close().await;
    lines
}

fn advice_for(error: &PortError) -> &'static str {
    if error.is_retryable() { "look at the server" } else { "give every role a database of its own" }
}

/// A setting, when it is good, and how bad it is otherwise.
struct Setting {
    name: &'static str,
    sql: &'static str,
    good: fn(&str) -> bool,
    /// Whether orders can be lost otherwise.
    grave: bool,
    advice: &'static str,
}

impl Setting {
    fn line(&self, what: String, found: String) -> CheckLine {
        if (self.good)(&found) {
            CheckLine::ok(what, found)
        } else if self.grave {
            CheckLine::fail(what, found, self.advice)
        } else {
            CheckLine::warn(what, found, self.advice)
        }
    }
}

fn enough(found: &str) -> bool {
    found.parse::<i64>().is_ok_and(|connections| connections >= CONNECTIONS)
}

const MYSQL: &[Setting] = &[
    Setting {
        name: "innodb_flush_log_at_trx_commit",
        sql: "SELECT CAST(@@innodb_flush_log_at_trx_commit AS CHAR)",
        good: |found| found == "1",
        grave: true,
        advice: "set it to 1: otherwise a power cut takes back commits that were answered",
    },
    Setting {
        name: "innodb_doublewrite",
        sql: "SELECT CAST(@@innodb_doublewrite AS CHAR)",
        good: |found| !matches!(found, "0" | "OFF"),
        grave: true,
        advice: "set it to ON: otherwise a power cut can leave torn pages",
    },
    Setting {
        name: "sync_binlog",
        sql: "SELECT CAST(IF(@@log_bin, @@sync_binlog, 'no binary log') AS CHAR)",
        good: |found| matches!(found, "1" | "no binary log"),
        grave: false,
        advice: "set it to 1: otherwise a replica may have commits that a power cut took back here",
    },
    Setting {
        name: "binlog_format",
        sql: "SELECT CAST(IF(@@log_bin, @@binlog_format, 'no binary log') AS CHAR)",
        good: |found| found != "STATEMENT",
        grave: true,
        advice: "set it to ROW or MIXED: with STATEMENT nothing can be committed",
    },
    Setting {
        name: "max_prepared_stmt_count",
        sql: "SELECT CAST(@@max_prepared_stmt_count AS CHAR)",
        good: |found| found.parse::<i64>().is_ok_and(|count| count >= 16_382),
        grave: false,
        advice: "set it to 16382 or more: each process of a role wants about 1000",
    },
    Setting {
        name: "isolation",
        sql: "SELECT /*M! CAST(@@tx_isolation AS CHAR) */ /*!80000 CAST(@@transaction_isolation AS CHAR) */",
        good: |found| found == "READ-COMMITTED",
        grave: true,
        advice: "nothing between the program and the server may change the isolation of a session",
    },
    Setting {
        name: "max_connections",
        sql: "SELECT CAST(@@max_connections AS CHAR)",
        good: enough,
        grave: false,
        advice: "allow about 12 connections for each process of the role",
    },
    Setting {
        name: "max_allowed_packet",
        sql: "SELECT CAST(@@max_allowed_packet AS CHAR)",
        good: |found| found.parse::<i64>().is_ok_and(|bytes| bytes >= 16 << 20),
        grave: false,
        advice: "set it to 16M or more: a larger row cannot be written",
    },
    Setting {
        name: "charset",
        sql: "SELECT CAST(@@character_set_connection AS CHAR)",
        good: |found| found == "utf8mb4",
        grave: true,
        advice: "nothing between the program and the server may change the character set of a session",
    },
];

const POSTGRES: &[Setting] = &[
    Setting {
        name: "fsync",
        sql: "SELECT current_setting('fsync')",
        good: |found| found == "on",
        grave: true,
        advice: "set it to on: otherwise a power cut can destroy the database",
    },
    Setting {
        name: "synchronous_commit",
        sql: "SELECT current_setting('synchronous_commit')",
        good: |found| !matches!(found, "off"),
        grave: true,
        advice: "set it to on: otherwise a power cut takes back commits that were answered",
    },
    Setting {
        name: "full_page_writes",
        sql: "SELECT current_setting('full_page_writes')",
        good: |found| found == "on",
        grave: true,
        advice: "set it to on: otherwise a power cut can leave torn pages",
    },
    Setting {
        name: "isolation",
        sql: "SELECT current_setting('transaction_isolation')",
        good: |found| found == "read committed",
        grave: true,
        advice: "nothing between the program and the server may change the isolation of a session",
    },
    Setting {
        name: "max_connections",
        sql: "SELECT current_setting('max_connections')",
        good: enough,
        grave: false,
        advice: "allow about 12 connections for each process of the role",
    },
    Setting {
        name: "charset",
        sql: "SELECT current_setting('server_encoding')",
        good: |found| found == "UTF8",
        grave: true,
        advice: "create the database with ENCODING 'UTF8'",
    },
];

impl Session {
    async fn setting(&mut self, sql: &'static str) -> Result<String, Fault> {
        let found = self.texts(&Arc::from(sql), &[]).await?.pop();
        Ok(found.unwrap_or_else(|| "not told".to_owned()))
    }
}
