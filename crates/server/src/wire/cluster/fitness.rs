//! Whether the servers are fit for these roles: what `firstcome doctor` prints, and what a process refuses to start with.

use firstcome_app::secrets::Keys;
use firstcome_core::events::topics;
use firstcome_core::ports::{PortError, RoleName};
use firstcome_store::check::{CheckLine, CheckState};
use firstcome_store::kafka::TopicUse;
use firstcome_store::sql::{SqlOptions, SqlRecords};
use futures_util::future::join_all;

use super::storage::WITH_LEDGER;
use super::{outside, sql};
use crate::config::Config;
use crate::wire::{self, StartError};

/// Looks at everything that these roles use. Nothing is changed.
pub async fn look(config: &Config, roles: &[RoleName]) -> Result<Vec<CheckLine>, PortError> {
    let (redis, kafka, topics) = (outside::redis(config)?, outside::kafka(config), topics_of(roles));
    let mut databases = Vec::new();
    for role in roles.iter().filter(|role| config.databases.of(**role).is_some()) {
        databases.push((role.as_str(), sql(config, *role)?));
    }
    let (redis, kafka, looked) = tokio::join!(
        firstcome_store::redis::check(&redis),
        firstcome_store::kafka::check(&kafka, &topics),
        join_all(databases.iter().map(|(role, options)| firstcome_store::sql::check(options, role))),
    );
    Ok(redis.into_iter().chain(kafka).chain(looked.concat()).chain(shared(&databases)).collect())
}

/// Whether these keys are those that the databases of these roles were encrypted with. Nothing is changed. What keeps a
/// database from being read is in its own lines.
pub async fn look_at_keys(config: &Config, roles: &[RoleName], keys: &Keys) -> Result<Vec<CheckLine>, PortError> {
    let mut lines = Vec::new();
    let seals = |role: &&RoleName| !wire::sealed_tables(**role).is_empty() && config.databases.of(**role).is_some();
    for role in roles.iter().filter(seals) {
        let options = SqlOptions { migrate: false, ..sql(config, *role)? };
        let Ok(records) = SqlRecords::open(options, role.as_str(), wire::tables(*role)).await else { continue };
        let what = format!("keys of {}", role.as_str());
        lines.extend(match wire::look_at_keys(*role, records.as_ref(), keys).await {
            Ok(()) => Some(CheckLine::ok(what, "are those of its database")),
            Err(PortError::Misused(why)) => Some(CheckLine::fail(what, why, "copy cluster.keys from where it runs")),
            Err(_) => None,
        });
    }
    Ok(lines)
}

/// Databases that are one, under addresses that are written differently.
fn shared(databases: &[(&str, SqlOptions)]) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    for (number, (role, options)) in databases.iter().enumerate() {
        let Some(place) = options.place() else { continue };
        let same = databases[..number].iter().find(|(_, other)| other.place().as_ref() == Some(&place));
        lines.extend(same.map(|(other, _)| {
            let what = format!("databases.{other} and databases.{role}");
            CheckLine::fail(what, format!("are one: {place}"), "give every role a database of its own")
        }));
    }
    lines
}

/// A process may read what every role announces, and writes what its own do.
fn topics_of(roles: &[RoleName]) -> Vec<TopicUse> {
    let journal = roles.iter().any(|role| WITH_LEDGER.contains(role)).then(TopicUse::journal);
    let writes = |topic: &str| roles.iter().any(|role| role.as_str() == topic);
    journal.into_iter().chain(topics::ALL.map(|topic| TopicUse::events(topic, writes(topic)))).collect()
}

/// Refuses what these roles cannot run with, and says of the rest what is to be done. A Redis that is away is no reason
/// to stay away: everyone can do without, and a process that is started again meanwhile must come back.
pub(super) async fn require(config: &Config, roles: &[RoleName]) -> Result<(), StartError> {
    let mut refused = Vec::new();
    for line in look(config, roles).await? {
        match line.state {
            CheckState::Ok => {}
            CheckState::Warn => tracing::warn!("{line}"),
            CheckState::Down => tracing::error!("{line}; going on without it until then"),
            CheckState::Fail => refused.push(line.to_string()),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(StartError::Unfit(refused.join("\n  "))) }
}
