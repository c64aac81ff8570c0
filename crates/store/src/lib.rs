//! Every adapter of every port, one folder per technology.

#[cfg(feature = "cluster")]
pub mod check;
#[cfg(feature = "cluster")]
pub mod kafka;
mod lane;
#[cfg(feature = "cluster")]
pub mod outbox;
#[cfg(feature = "cluster")]
pub mod redis;
pub mod smtp;
#[cfg(feature = "cluster")]
pub mod sql;
pub mod sqlite;

pub use lane::LedgerWork;
