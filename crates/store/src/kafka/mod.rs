//! Adapters on Apache Kafka: the journal of the ledger and the log of events.

mod aside;
mod check;
mod event_log;
mod knock;
pub mod ledger;
pub mod options;
mod pause;
mod reader;
mod relay;
#[cfg(test)]
pub(crate) mod testing;
pub mod topics;

pub use check::{TopicUse, check};
pub use event_log::KafkaEventLog;
pub use ledger::{KafkaLedger, KafkaLedgerOptions, SKEW};
pub use options::KafkaOptions;
pub use relay::Relay;
