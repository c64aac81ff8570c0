//! What can go wrong at a server, and what it means.

use firstcome_core::ports::PortError;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

/// A statement failed.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// A key or a unique index is taken.
    Taken(String),
    /// Another transaction was in the way: a deadlock, or a lock that was waited for too long. Nothing of this
    /// transaction happened.
    InTheWay(String),
    /// The connection is gone or cannot be made.
    Lost(String),
    /// The server's disk takes no more.
    Full(String),
    /// The server refused for a reason that may pass.
    Refused(String),
    /// The statement does not fit the database: the same statement will fail again.
    Unfit(String),
    /// The server says that its data is damaged.
    Damaged(String),
}

impl Fault {
    /// What a caller is told.
    pub(super) fn into_port_error(self, database: &str) -> PortError {
        match self {
            Self::Lost(reason) | Self::Refused(reason) | Self::InTheWay(reason) => {
                PortError::Unavailable(format!("{database}: {reason}"))
            }
            Self::Full(reason) => PortError::StorageFull(format!("{database}: {reason}")),
            Self::Damaged(reason) => PortError::Corrupt(format!("{database}: {reason}")),
            Self::Unfit(reason) | Self::Taken(reason) => PortError::Misused(format!("{database}: {reason}")),
        }
    }

    /// Whether a transaction that met it can be tried again from the beginning.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::InTheWay(_) | Self::Lost(_))
    }

    /// Whether one unit alone may be the cause, so that others in the transaction need not suffer.
    pub(super) fn is_of_a_unit(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::Unfit(_))
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => of_database(database.as_ref()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Damaged(error.to_string()),
            sqlx::Error::Encode(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::Unfit(error.to_string()),
            _ => Self::Lost(error.to_string()),
        }
    }
}

fn of_database(error: &dyn DatabaseError) -> Fault {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return of_mysql(error.number(), error.to_string());
    }
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(error) => of_postgres(error.code(), format!("{}: {}", error.code(), error.message())),
        None => Fault::Refused(error.to_string()),
    }
}

/// Numbers of the errors of MySQL and MariaDB.
fn of_mysql(number: u16, reason: String) -> Fault {
    match number {
        1022 | 1062 | 1169 | 1586 => Fault::Taken(reason),
        1205 | 1213 | 1614 | 1020 => Fault::InTheWay(reason),
        // Also what a server says that is about to stop, has thrown us out, or has become one that only reads: another
        // connection may find one that writes.
        1040 | 1053 | 1152 | 1158..=1161 | 1184 | 1290 | 1792 | 1836 | 1927 | 4031 => Fault::Lost(reason),
        3 | 1021 | 1114 => Fault::Full(reason),
        1030 | 1026 if reason.contains("28") => Fault::Full(reason),
        126 | 127 | 1034 | 1035 | 1194 | 1195 | 1712 => Fault::Damaged(reason),
        1044..=1049
        | 1054
        | 1064
        | 1072
        | 1118
        | 1136
        | 1142
        | 1143
        | 1146
        | 1153
        | 1264
        | 1265
        | 1364
        | 1366
        | 1390
        | 1406 => Fault::Unfit(reason),
        _ => Fault::Refused(reason),
    }
}

/// SQLSTATE codes of PostgreSQL.
fn of_postgres(code: &str, reason: String) -> Fault {
    match code {
        "23505" => Fault::Taken(reason),
        "40001" | "40P01" | "55P03" => Fault::InTheWay(reason),
        "57P01" | "57P02" | "57P03" | "25P03" | "57P05" | "25006" => Fault::Lost(reason),
        "53100" => Fault::Full(reason),
        "XX001" | "XX002" => Fault::Damaged(reason),
        // The database is not there, or the password is wrong.
        "3D000" | "28P01" | "28000" => Fault::Unfit(reason),
        _ if ["08", "53"].iter().any(|class| code.starts_with(class)) => Fault::Lost(reason),
        _ if ["22", "23", "42", "0A", "54"].iter().any(|class| code.starts_with(class)) => Fault::Unfit(reason),
        _ => Fault::Refused(reason),
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ports::PortError;

    use super::{Fault, of_mysql, of_postgres};

    /// What both engines said on a full disk, after a failover, and in each other's way.
    #[test]
    fn errors_mean_what_they_mean() {
        let mysql = |number| of_mysql(number, "said".to_owned());
        let postgres = |code| of_postgres(code, "said".to_owned());
        let full = |fault: Fault| matches!(fault.into_port_error("db"), PortError::StorageFull(_));
        assert!(full(mysql(1114)) && full(mysql(1021)) && full(postgres("53100")));
        for passing in [
            mysql(1213),
            mysql(1205),
            mysql(1290),
            mysql(1053),
            postgres("40P01"),
            postgres("55P03"),
            postgres("25006"),
            postgres("57P01"),
            postgres("53300"),
        ] {
            assert!(passing.passes(), "{passing:?}");
            assert!(passing.into_port_error("db").is_retryable());
        }
        for of_a_unit in [mysql(1062), mysql(1406), postgres("23505"), postgres("22001")] {
            assert!(of_a_unit.is_of_a_unit() && !of_a_unit.into_port_error("db").is_retryable());
        }
        assert!(mysql(9_999).into_port_error("db").is_retryable());
    }
}
