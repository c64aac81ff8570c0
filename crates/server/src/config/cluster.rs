//! Settings of a shop whose roles run as processes of their own, on Kafka, Redis and SQL servers.

use std::path::PathBuf;

use serde::Serialize;

/// The processes of one shop.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Cluster {
    /// The shop's name: what its keys in Redis begin with. Two shops on one Redis have different ones.
    #[config(default = "firstcome", env = "FIRSTCOME_CLUSTER_NAME")]
    pub name: String,
    /// What this process is called among the others; unique. The address that it advertises if left out.
    #[config(env = "FIRSTCOME_CLUSTER_INSTANCE")]
    pub instance: Option<String>,
    /// The address, `host:port`, at which the other processes reach this one. The address that it listens on if left out.
    #[config(env = "FIRSTCOME_CLUSTER_ADVERTISE")]
    pub advertise: Option<String>,
    /// The address at which the processes reach the gateway: the sandbox sends its notices there, and without `payments.provider_url` payments finds the sandbox there.
    #[config(env = "FIRSTCOME_CLUSTER_GATEWAY")]
    pub gateway: Option<String>,
    /// What the gateway signs with and the roles trust: at least 32 characters, the same for all processes. Better in a file or the environment than here.
    #[config(env = "FIRSTCOME_CLUSTER_SECRET")]
    pub secret: Option<String>,
    /// A file with that secret, in place of it.
    #[config(env = "FIRSTCOME_CLUSTER_SECRET_FILE")]
    pub secret_file: Option<PathBuf>,
    /// The folder of the keys that sign tokens and encrypt personal data: the same files for all processes. `firstcome migrate` makes them once; a process that does not find them does not start.
    #[config(env = "FIRSTCOME_CLUSTER_KEYS")]
    pub keys: Option<PathBuf>,
    /// Whether a process that starts brings the schema of its databases up to date; otherwise only `firstcome migrate` does.
    #[config(default = true, env = "FIRSTCOME_CLUSTER_MIGRATE")]
    pub migrate: bool,
    /// Milliseconds between two signs of life of a process.
    #[config(default = 500, env = "FIRSTCOME_CLUSTER_HEARTBEAT_MILLISECONDS")]
    pub heartbeat_milliseconds: u64,
    /// Milliseconds without a sign of life after which a process counts as gone.
    #[config(default = 2000, env = "FIRSTCOME_CLUSTER_EXPIRY_MILLISECONDS")]
    pub expiry_milliseconds: u64,
    /// Milliseconds that a process which was asked to stop still takes new requests, until every gateway knows.
    #[config(default = 1500, env = "FIRSTCOME_CLUSTER_FAREWELL_MILLISECONDS")]
    pub farewell_milliseconds: u64,
}

/// How the gateway hands requests on.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Forwarding {
    /// Seconds that a role has for an answer; longer than two answers of the payment provider. Streams have no end.
    #[config(default = 25, env = "FIRSTCOME_FORWARDING_DEADLINE_SECONDS")]
    pub deadline_seconds: u64,
    /// Milliseconds that a connection to an instance may take.
    #[config(default = 1000, env = "FIRSTCOME_FORWARDING_CONNECT_MILLISECONDS")]
    pub connect_milliseconds: u64,
    /// Requests under way to one role at the same time; more are refused at once with 503, so that a slow role takes no other down.
    #[config(default = 2048, env = "FIRSTCOME_FORWARDING_MAX_IN_FLIGHT")]
    pub max_in_flight: usize,
    /// Of a hundred requests to a role so many may be tried once more.
    #[config(default = 10, env = "FIRSTCOME_FORWARDING_RETRY_PERCENT")]
    pub retry_percent: u32,
    /// Failures of an instance in a row after which it gets no requests for a while. A refused connection counts as so many.
    #[config(default = 5, env = "FIRSTCOME_FORWARDING_BREAKER_FAILURES")]
    pub breaker_failures: u32,
    /// Milliseconds until one request is let through to see whether it is back; twice as long after each that fails, up to 16 times.
    #[config(default = 250, env = "FIRSTCOME_FORWARDING_BREAKER_MILLISECONDS")]
    pub breaker_milliseconds: u64,
}

/// Apache Kafka, which holds the journal and the events.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Kafka {
    /// Brokers to begin with: `host:port`, separated by commas.
    #[config(env = "FIRSTCOME_KAFKA_SERVERS")]
    pub servers: Option<String>,
    /// Who this program is to the brokers (SASL/PLAIN, without TLS); left out where they ask nobody.
    #[config(env = "FIRSTCOME_KAFKA_USER")]
    pub user: Option<String>,
    /// The password of that user. Better in the environment than in a file.
    #[config(env = "FIRSTCOME_KAFKA_PASSWORD")]
    pub password: Option<String>,
    /// What the names of all topics begin with.
    #[config(default = "firstcome", env = "FIRSTCOME_KAFKA_PREFIX")]
    pub prefix: String,
    /// Copies of every topic that the program creates.
    #[config(default = 3, env = "FIRSTCOME_KAFKA_REPLICATION")]
    pub replication: i32,
    /// Copies that must have a record before anyone is told of it.
    #[config(default = 2, env = "FIRSTCOME_KAFKA_MIN_IN_SYNC")]
    pub min_in_sync: i32,
    /// Run in production with fewer than 3 copies, or 2 in sync, all the same: sales are then lost with a disk.
    #[config(default = false, env = "FIRSTCOME_KAFKA_ALLOW_FEWER_COPIES")]
    pub allow_fewer_copies: bool,
}

/// Redis, which may be emptied at any time: heartbeats, rate limits, log-outs, turns of lanes.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Redis {
    /// Addresses, `redis://[user:password@]host:port`, separated by commas: one, or some nodes of a cluster.
    #[config(env = "FIRSTCOME_REDIS_SERVERS")]
    pub servers: Option<String>,
    /// Whether it is a Redis Cluster.
    #[config(default = false, env = "FIRSTCOME_REDIS_CLUSTER")]
    pub cluster: bool,
}

/// The database of each role: `mysql://user:password@host:port/name` (MariaDB too) or `postgres://...`. No two roles share one; a process needs only those of its roles.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Databases {
    /// Users and sessions.
    #[config(env = "FIRSTCOME_DATABASES_ACCOUNTS")]
    pub accounts: Option<String>,
    /// Products and offers.
    #[config(env = "FIRSTCOME_DATABASES_CATALOG")]
    pub catalog: Option<String>,
    /// Orders.
    #[config(env = "FIRSTCOME_DATABASES_ORDERS")]
    pub orders: Option<String>,
    /// Payments and refunds.
    #[config(env = "FIRSTCOME_DATABASES_PAYMENTS")]
    pub payments: Option<String>,
    /// Vouchers.
    #[config(env = "FIRSTCOME_DATABASES_VOUCHERS")]
    pub vouchers: Option<String>,
    /// What the seller's systems are told.
    #[config(env = "FIRSTCOME_DATABASES_NOTICES")]
    pub notices: Option<String>,
    /// The payment provider for development.
    #[config(env = "FIRSTCOME_DATABASES_SANDBOX")]
    pub sandbox: Option<String>,
}
