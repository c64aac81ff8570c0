//! Adapters on Apache Kafka: the journal of the ledger and the log of events.

pub mod ledger;
pub mod options;
pub mod topics;

pub use ledger::{KafkaLedger, KafkaLedgerOptions};
pub use options::KafkaOptions;
