//! The embedded adapters: SQLite files in one folder, and nothing else to install.

pub mod connection;
mod event_log;
pub mod ledger;
pub mod records;

pub use event_log::SqliteEventLog;
pub use ledger::SqliteLedger;
pub use records::SqliteRecords;
