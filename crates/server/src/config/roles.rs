//! Whether this process is the whole shop or a part of a cluster, and what a part needs.

use firstcome_core::ports::RoleName;
use secrecy::SecretString;

use super::secret::secret;
use super::{Config, ConfigError, Databases, Kafka};

/// Characters of the secret at the least: less could be guessed.
const SECRET_CHARACTERS: usize = 32;

/// How this process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The whole shop on embedded storage.
    Embedded,
    /// These roles of a cluster.
    Cluster(Vec<RoleName>),
}

impl Config {
    /// How this process runs: a part of a cluster as soon as a server of one is named.
    pub fn mode(&self) -> Result<Mode, ConfigError> {
        let databases = self.databases.all().into_iter().any(|(_, url)| url.is_some());
        if self.server.roles.is_none() && self.kafka.servers.is_none() && self.redis.servers.is_none() && !databases {
            return Ok(Mode::Embedded);
        }
        let Some(names) = &self.server.roles else { return Ok(Mode::Cluster(self.all_roles())) };
        let mut roles = Vec::new();
        for name in names.split(',').map(str::trim) {
            let role: RoleName = name.parse().map_err(|_| {
                let all = RoleName::ALL.map(RoleName::as_str).join(", ");
                ConfigError::Refused(format!("--roles: there is no role `{name}`; there are {all}"))
            })?;
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        Ok(Mode::Cluster(roles))
    }

    /// Every role that this shop has.
    fn all_roles(&self) -> Vec<RoleName> {
        RoleName::ALL.into_iter().filter(|role| *role != RoleName::Sandbox || self.sandbox.enabled).collect()
    }

    /// What the processes of a cluster trust each other by.
    pub fn secret(&self) -> Result<SecretString, ConfigError> {
        let given = secret("cluster.secret", self.cluster.secret.as_deref(), self.cluster.secret_file.as_deref())?;
        let missing = || refused("cluster.secret_file (or cluster.secret) is needed by every process");
        let text = given.ok_or_else(missing)?;
        let text = text.trim();
        if text.len() < SECRET_CHARACTERS {
            return Err(refused(format!(
                "the cluster's secret has {} characters; it must have {SECRET_CHARACTERS} at least: \
                 `openssl rand -hex 32` makes a good one",
                text.len()
            )));
        }
        Ok(text.to_owned().into())
    }
}

impl Databases {
    /// The address of the database of each role that has one.
    pub fn all(&self) -> [(RoleName, Option<&str>); 6] {
        [
            (RoleName::Accounts, self.accounts.as_deref()),
            (RoleName::Catalog, self.catalog.as_deref()),
            (RoleName::Orders, self.orders.as_deref()),
            (RoleName::Payments, self.payments.as_deref()),
            (RoleName::Vouchers, self.vouchers.as_deref()),
            (RoleName::Sandbox, self.sandbox.as_deref()),
        ]
    }

    /// The address of the database of a role.
    pub fn of(&self, role: RoleName) -> Option<&str> {
        self.all().into_iter().find(|(name, _)| *name == role)?.1
    }
}

/// Refuses what no part of a cluster could run with.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Mode::Cluster(roles) = config.mode()? else { return Ok(()) };
    if cfg!(not(feature = "cluster")) {
        return Err(refused(
            "this program was built without what a cluster needs: build it with `cargo build --release --features \
             cluster`, or leave out --roles, kafka, redis and databases for the whole shop in one process",
        ));
    }
    for (name, value) in [("kafka.servers", &config.kafka.servers), ("redis.servers", &config.redis.servers)] {
        if value.as_deref().is_none_or(|value| value.trim().is_empty()) {
            return Err(refused(format!("{name} is needed by the processes of a cluster")));
        }
    }
    if config.cluster.keys.is_none() {
        return Err(refused("cluster.keys is needed: the folder with the keys, the same for all processes"));
    }
    config.secret()?;
    check_names(config)?;
    check_databases(config, &roles)?;
    check_kafka(config)?;
    if config.cluster.expiry_milliseconds < 2 * config.cluster.heartbeat_milliseconds {
        return Err(refused("cluster.expiry_milliseconds must be twice cluster.heartbeat_milliseconds at least"));
    }
    if roles.contains(&RoleName::Sandbox) && !config.sandbox.enabled {
        return Err(refused("--roles: the sandbox is switched off (sandbox.enabled); production always refuses it"));
    }
    let at_sandbox = roles.contains(&RoleName::Payments) && config.payments.provider_url.is_none();
    if (at_sandbox || roles.contains(&RoleName::Sandbox)) && config.cluster.gateway.is_none() {
        return Err(refused("cluster.gateway is needed: payments and the sandbox find each other there"));
    }
    Ok(())
}

fn check_kafka(config: &Config) -> Result<(), ConfigError> {
    let Kafka { user, password, replication, min_in_sync, allow_fewer_copies, .. } = &config.kafka;
    if user.is_some() != password.is_some() {
        return Err(refused("kafka.user and kafka.password go together: set both or none"));
    }
    if min_in_sync > replication {
        return Err(refused("kafka.min_in_sync is more than kafka.replication: nothing could ever be written"));
    }
    if !config.development() && !allow_fewer_copies && (*replication < 3 || *min_in_sync < 2) {
        return Err(refused(format!(
            "kafka.replication is {replication} and kafka.min_in_sync {min_in_sync}: production needs 3 and 2, or sales are \
             lost with a disk; kafka.allow_fewer_copies = true says that this is meant"
        )));
    }
    Ok(())
}

/// Names that become parts of other names.
fn check_names(config: &Config) -> Result<(), ConfigError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    for (name, value) in [("cluster.name", &config.cluster.name), ("kafka.prefix", &config.kafka.prefix)] {
        if value.is_empty() || value.len() > 100 || !value.chars().all(plain) {
            return Err(refused(format!("{name} must be letters, digits, `-`, `_` and `.`, 100 at most")));
        }
    }
    Ok(())
}

fn check_databases(config: &Config, roles: &[RoleName]) -> Result<(), ConfigError> {
    let all = config.databases.all();
    for (place, (role, url)) in all.iter().enumerate() {
        let name = role.as_str();
        let Some(url) = url else {
            if roles.contains(role) {
                return Err(refused(format!("databases.{name} is needed by the role {name}")));
            }
            continue;
        };
        if !["mysql://", "mariadb://", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(refused(format!("databases.{name} must begin with mysql:// or postgres://")));
        }
        if let Some((other, _)) = all[..place].iter().find(|(_, other)| other.is_some_and(|other| other == *url)) {
            let other = other.as_str();
            return Err(refused(format!("databases.{other} and databases.{name} are one: each role has its own")));
        }
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> ConfigError {
    ConfigError::Refused(message.into())
}

#[cfg(test)]
mod tests {
    use super::super::{Overrides, load};
    use super::*;

    /// What every part of a cluster needs.
    const GOOD: &str = "[cluster]\nsecret = \"0123456789abcdef0123456789abcdef\"\nkeys = \"/etc/firstcome\"\n\
        gateway = \"http://gateway:8080\"\n[kafka]\nservers = \"kafka:9092\"\n[redis]\nservers = \"redis://redis\"\n\
        [databases]\norders = \"mysql://root@db/orders\"\npayments = \"postgres://shop@db/payments\"\n";

    fn loaded(text: &str, roles: Option<&str>) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).expect("written");
        load(Some(&path), &Overrides { roles: roles.map(str::to_owned), ..Overrides::default() })
    }

    fn refusal(text: &str, roles: Option<&str>) -> String {
        loaded(text, roles).expect_err(text).to_string()
    }

    #[test]
    fn without_servers_it_is_one_process() {
        assert_eq!(loaded("", None).expect("the defaults").mode().expect("a mode"), Mode::Embedded);
        assert!(refusal("", Some("orders, paymnts")).contains("no role `paymnts`"));
    }

    #[test]
    #[cfg(not(feature = "cluster"))]
    fn a_cluster_needs_its_feature() {
        assert!(refusal(GOOD, Some("orders")).contains("--features cluster"));
        assert!(refusal("", Some("orders")).contains("--features cluster"));
    }

    #[test]
    #[cfg(feature = "cluster")]
    fn a_part_of_a_cluster_says_what_it_lacks() {
        let mode = loaded(GOOD, Some("orders,payments,orders")).expect("enough").mode().expect("a mode");
        assert_eq!(mode, Mode::Cluster(vec![RoleName::Orders, RoleName::Payments]));
        assert!(loaded(GOOD, Some("gateway")).is_ok(), "a gateway has no database");
        assert!(refusal(GOOD, None).contains("databases.accounts is needed"));
        for (line, said) in [
            ("secret = \"0123456789abcdef0123456789abcdef\"\n", "cluster.secret_file"),
            ("keys = \"/etc/firstcome\"\n", "cluster.keys"),
            ("gateway = \"http://gateway:8080\"\n", "cluster.gateway"),
            ("servers = \"kafka:9092\"\n", "kafka.servers"),
            ("servers = \"redis://redis\"\n", "redis.servers"),
            ("orders = \"mysql://root@db/orders\"\n", "databases.orders"),
        ] {
            assert!(refusal(&GOOD.replace(line, ""), Some("orders,payments")).contains(said), "{line}");
        }
        for (from, to, said) in [
            ("0123456789abcdef0123456789abcdef", "short", "32 at least"),
            ("postgres://shop@db/payments", "mysql://root@db/orders", "each role has its own"),
            ("postgres://", "oracle://", "databases.payments must begin"),
            ("[kafka]\n", "[kafka]\nreplication = 1\n", "nothing could ever be written"),
            ("[kafka]\n", "[kafka]\nprefix = \"a b\"\n", "kafka.prefix"),
            ("[kafka]\n", "[kafka]\nuser = \"shop\"\n", "kafka.password"),
            ("[cluster]\n", "[cluster]\nsecret_file = \"x\"\n", "set one of them"),
        ] {
            assert!(refusal(&GOOD.replace(from, to), Some("orders,payments")).contains(said), "{said}");
        }
    }

    #[test]
    #[cfg(feature = "cluster")]
    fn production_keeps_copies() {
        let production = |kafka: &str| {
            let text = format!(
                "{}[server]\nenvironment = \"production\"\n[payments]\nprovider_url = \"https://psp.example\"\n\
                 secret_key = \"live_sk\"\n",
                GOOD.replace("[kafka]\n", &format!("[kafka]\n{kafka}"))
            );
            loaded(&text, Some("orders")).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(production(""), Ok(()), "the defaults are 3 and 2");
        for fewer in ["replication = 2\n", "min_in_sync = 1\n", "replication = 1\nmin_in_sync = 1\n"] {
            assert!(production(fewer).is_err_and(|said| said.contains("kafka.allow_fewer_copies")), "{fewer}");
            assert_eq!(production(&format!("{fewer}allow_fewer_copies = true\n")), Ok(()), "{fewer}");
        }
    }
}
