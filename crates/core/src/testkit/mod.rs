//! What tests of other crates need: conformance suites, a clock that tests hold, records in memory, an auditor.

mod auditor;
mod breach;
pub mod broken;
mod clock;
pub mod conformance;
mod harness;
pub mod history;
mod memory_archive;
mod memory_ledger;
mod memory_records;
mod memory_registry;
mod model;
#[cfg(test)]
mod proof;
mod random;
pub mod records;
pub mod registry;
pub mod runtime;

pub use auditor::{Audit, Auditor, Tally, audit};
pub use breach::{Breach, Violation};
pub use clock::TestClock;
pub use harness::LedgerHarness;
pub use memory_archive::MemoryArchive;
pub use memory_ledger::{MemoryHarness, MemoryJournal, MemoryLedger};
pub use memory_records::{MemoryLog, MemoryRecords};
pub use memory_registry::MemoryRegistry;
pub use model::Model;
pub use random::TestRandom;
