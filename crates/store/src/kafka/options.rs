//! How Kafka is reached, and what is asked of it.

use firstcome_core::ports::PortError;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// Where Kafka is and how safe it must be.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Brokers to begin with, `host:port` separated by commas.
    pub servers: String,
    /// What every topic of this shop begins with, so that several shops can share a Kafka: `<prefix>.journal`.
    pub prefix: String,
    /// Copies of every topic that the program creates.
    pub replication: i32,
    /// Copies that must have a record before it is acknowledged (`min.insync.replicas`).
    pub min_in_sync: i32,
}

impl KafkaOptions {
    /// What every client is configured with.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers).set("client.id", "firstcome");
        // A leader that dies is noticed by its closed connection; these bound how long a silent one is waited for.
        config.set("socket.timeout.ms", "10000").set("reconnect.backoff.max.ms", "1000");
        config
    }

    /// The full name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }
}

/// Kafka did not do its part.
pub(crate) fn unavailable(error: &KafkaError) -> PortError {
    PortError::Unavailable(format!("Kafka: {error}"))
}
