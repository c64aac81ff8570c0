//! What tests of other crates need: conformance suites, a clock that tests hold, records in memory, an auditor.

mod clock;
mod memory_archive;
mod memory_records;
mod model;
mod random;
pub mod records;

pub use clock::TestClock;
pub use memory_archive::MemoryArchive;
pub use memory_records::{MemoryLog, MemoryRecords};
pub use model::Model;
pub use random::TestRandom;
