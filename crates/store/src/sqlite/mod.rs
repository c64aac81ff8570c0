//! The embedded adapters: SQLite files in one folder, and nothing else to install.

mod archive;
#[cfg(feature = "cluster")]
mod aside;
pub mod connection;
mod event_log;
pub mod ledger;
mod readers;
pub mod records;

pub use archive::{ArchivedRow, SqliteArchive, rows_of_archive};
#[cfg(feature = "cluster")]
pub use aside::put_aside;
pub use event_log::SqliteEventLog;
pub use ledger::SqliteLedger;
pub use records::SqliteRecords;
