//! The embedded adapters: SQLite files in one folder, and nothing else to install.

mod archive;
pub mod connection;
mod event_log;
pub mod ledger;
mod readers;
pub mod records;

pub use archive::{ArchivedRow, SqliteArchive, rows_of_archive};
pub use event_log::SqliteEventLog;
pub use ledger::SqliteLedger;
pub use records::SqliteRecords;
