//! How Kafka is reached, and what is asked of it.

use firstcome_core::ports::PortError;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use secrecy::{ExposeSecret as _, SecretString};

/// Where Kafka is and how safe it must be.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Brokers to begin with, `host:port` separated by commas.
    pub servers: String,
    /// Who this program is to the brokers, and the password (SASL/PLAIN); none where they ask nobody.
    pub user: Option<(String, SecretString)>,
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
        if let Some((user, password)) = &self.user {
            config.set("security.protocol", "sasl_plaintext").set("sasl.mechanism", "PLAIN");
            config.set("sasl.username", user).set("sasl.password", password.expose_secret());
        }
        config
    }

    /// The full name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }
}

/// Whether it is about a group of consumers. Its client must be told the name of one and asks about it; none is used, so that
/// nobody needs a right to it.
pub(crate) fn is_of_group(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
}

/// Kafka did not do its part.
pub(crate) fn unavailable(error: &KafkaError) -> PortError {
    PortError::Unavailable(format!("Kafka: {error}"))
}
