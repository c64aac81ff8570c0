//! The servers, as the configuration names them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{PortError, RoleName};
use firstcome_store::kafka::KafkaOptions;
use firstcome_store::redis::{Redis, RedisOptions};
use firstcome_store::sql::{SqlOptions, SqlRecords};

use crate::config::Config;
use crate::wire::roles::reachable;
use crate::wire::tables;

/// How long Redis may take: everyone can do without it.
const REDIS_PATIENCE: Duration = Duration::from_millis(250);

/// What this process is called among the others, and where they reach it.
pub(super) fn place(config: &Config, listens_on: SocketAddr) -> (String, String) {
    let address = config.cluster.advertise.clone().unwrap_or_else(|| reachable(listens_on).to_string());
    (config.cluster.instance.clone().unwrap_or_else(|| address.clone()), address)
}

/// How Kafka is reached.
pub fn kafka(config: &Config) -> KafkaOptions {
    let user = config.kafka.user.clone().zip(config.kafka.password.clone().map(Into::into));
    KafkaOptions {
        servers: config.kafka.servers.clone().unwrap_or_default(),
        user,
        prefix: config.kafka.prefix.clone(),
        replication: config.kafka.replication,
        min_in_sync: config.kafka.min_in_sync,
    }
}

/// How Redis is reached.
pub fn redis(config: &Config) -> Result<Redis, PortError> {
    let servers = config.redis.servers.as_deref().unwrap_or_default();
    Redis::new(RedisOptions {
        servers: servers.split(',').map(|server| server.trim().to_owned()).collect(),
        cluster: config.redis.cluster,
        prefix: config.cluster.name.clone(),
        patience: REDIS_PATIENCE,
    })
}

/// How the database of a role is reached.
pub fn sql(config: &Config, role: RoleName) -> Result<SqlOptions, PortError> {
    let url = config.databases.of(role).ok_or_else(|| {
        PortError::Misused(format!("databases.{0} is needed to open the database of {0}", role.as_str()))
    })?;
    Ok(SqlOptions { migrate: config.cluster.migrate, ..SqlOptions::new(url) })
}

/// Opens the database of a role.
pub async fn records(config: &Config, role: RoleName) -> Result<Arc<SqlRecords>, PortError> {
    SqlRecords::open(sql(config, role)?, role.as_str(), tables(role)).await
}
