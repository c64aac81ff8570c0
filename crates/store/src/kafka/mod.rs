//! Adapters on Apache Kafka: the journal of the ledger and the log of events.

pub mod options;
pub mod topics;

pub use options::KafkaOptions;
