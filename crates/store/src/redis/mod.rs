//! Adapters on Redis. Nothing that Redis holds is the only copy of anything: emptied, rolled back or gone, it costs time.

mod check;
mod library;
pub mod limits;
#[cfg(test)]
mod nodes;
pub mod registry;
pub mod sessions;
#[cfg(test)]
mod tests;
pub mod turns;

use std::time::Duration;

use firstcome_core::ports::PortError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult};
use tokio::sync::OnceCell;

pub use check::check;
pub use library::Library;
pub use limits::RedisLimits;
pub use registry::RedisRegistry;
pub use sessions::RedisSessions;

/// Where Redis is.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://user:password@host:port/db`, or `rediss://` for TLS. Several nodes of one Redis Cluster, or one server.
    pub servers: Vec<String>,
    /// Whether they are a Redis Cluster.
    pub cluster: bool,
    /// What every key of this shop begins with, so that several shops can share a Redis.
    pub prefix: String,
    /// How long an answer may take. Whoever asks Redis can do without, so this is short.
    pub patience: Duration,
}

impl std::fmt::Debug for RedisOptions {
    /// Without the servers: their addresses can contain passwords.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cluster, prefix, patience, servers: _ } = self;
        let mut shown = formatter.debug_struct("RedisOptions");
        shown.field("cluster", cluster).field("prefix", prefix).field("patience", patience).finish_non_exhaustive()
    }
}

/// A connection that comes back by itself. Clones share it.
#[derive(Clone)]
pub struct Redis {
    connection: Connection,
    prefix: String,
}

#[derive(Clone)]
enum Connection {
    Server(ConnectionManager),
    Cluster(std::sync::Arc<Nodes>),
}

/// A Redis Cluster, connected to when it is first needed.
struct Nodes {
    client: redis::cluster::ClusterClient,
    connection: OnceCell<ClusterConnection>,
}

impl Redis {
    /// Prepares a connection; it is made when it is first needed.
    pub fn new(options: RedisOptions) -> Result<Self, PortError> {
        let RedisOptions { servers, cluster, prefix, patience } = options;
        let connection = if cluster { nodes(servers, patience) } else { server(&servers, patience) };
        let connection =
            connection.map_err(|error| PortError::Misused(format!("the address of Redis: {}", named(&error))))?;
        Ok(Self { connection, prefix })
    }

    /// A key of this shop about `subject`, which is its hash tag: all keys about the same are on the same node.
    pub fn key(&self, subject: &str, name: &str) -> String {
        format!("{}:{{{subject}}}:{name}", self.prefix)
    }

    /// Runs a command. It may have run when this answers with an error.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, PortError> {
        self.run(command).await.map_err(|error| unavailable(&error))
    }

    /// Whether there is a Redis that says anything, if only that it refuses.
    pub(crate) async fn is_reachable(&self) -> bool {
        match self.run::<redis::Value>(&redis::cmd("PING")).await {
            Ok(_) => true,
            Err(error) => !(error.is_io_error() || error.is_timeout() || error.is_connection_dropped()),
        }
    }

    /// Runs a command on one node, whichever: in a cluster the library would ask all of them.
    async fn query_one<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, PortError> {
        let answer = match &self.connection {
            Connection::Server(_) => self.run(command).await,
            Connection::Cluster(nodes) => {
                let connect = || nodes.client.get_async_connection();
                let connection = nodes.connection.get_or_try_init(connect).await;
                match connection {
                    Ok(connection) => {
                        let one = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
                        let answer = connection.clone().route_command(command.clone(), one).await;
                        answer.and_then(|value| Ok(redis::from_redis_value(value)?))
                    }
                    Err(error) => Err(error),
                }
            }
        };
        answer.map_err(|error| unavailable(&error))
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match &self.connection {
            Connection::Server(manager) => command.query_async(&mut manager.clone()).await,
            Connection::Cluster(nodes) => {
                let connect = || nodes.client.get_async_connection();
                let mut connection = nodes.connection.get_or_try_init(connect).await?.clone();
                command.query_async(&mut connection).await
            }
        }
    }

    /// Calls a function of a library, which is loaded if this Redis does not have it: it may have been emptied.
    pub async fn call<T: FromRedisValue>(&self, library: &Library, call: &Cmd) -> Result<T, PortError> {
        match self.run(call).await {
            Err(error) if is_unknown_function(&error) => {
                library.load(self).await?;
                self.query(call).await
            }
            answer => answer.map_err(|error| unavailable(&error)),
        }
    }
}

fn server(servers: &[String], patience: Duration) -> RedisResult<Connection> {
    let client = redis::Client::open(servers.first().map_or("", String::as_str))?;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(patience))
        .set_connection_timeout(Some(patience))
        .set_number_of_retries(1)
        .set_max_delay(patience);
    ConnectionManager::new_lazy_with_config(client, config).map(Connection::Server)
}

fn nodes(servers: Vec<String>, patience: Duration) -> RedisResult<Connection> {
    let client = ClusterClientBuilder::new(servers)
        .connection_timeout(patience)
        .response_timeout(patience)
        .retries(2)
        .build()?;
    Ok(Connection::Cluster(std::sync::Arc::new(Nodes { client, connection: OnceCell::new() })))
}

fn is_unknown_function(error: &RedisError) -> bool {
    // Redis gives this no code of its own: "ERR Function not found".
    error.to_string().contains("unction not found")
}

fn unavailable(error: &RedisError) -> PortError {
    PortError::Unavailable(format!("Redis: {}", named(error)))
}

/// What went wrong, without what was sent.
fn named(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::AuthenticationFailed => "it refuses the user name or password".to_owned(),
        _ => error.to_string(),
    }
}
