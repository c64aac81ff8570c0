//! `firstcome migrate`.

use std::io::Write as _;

use super::CommandError;
use crate::cli::DataArguments;
use crate::config::{Config, Mode};

/// Brings everything up to this version.
pub fn run(arguments: &DataArguments) -> Result<(), CommandError> {
    let config = arguments.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match config.mode()? {
        Mode::Embedded => {
            writeln!(std::io::stdout(), "The embedded databases are brought up to date at every start.")?;
            Ok(())
        }
        Mode::Cluster(_) => runtime.block_on(migrate(&config)),
    }
}

#[cfg(not(feature = "cluster"))]
#[expect(clippy::unused_async, reason = "with the feature it waits for servers")]
async fn migrate(_: &Config) -> Result<(), CommandError> {
    Err(CommandError::Input("this build has no cluster".to_owned()))
}

#[cfg(feature = "cluster")]
async fn migrate(config: &Config) -> Result<(), CommandError> {
    use firstcome_app::secrets::{Keys, SystemRandom};
    use firstcome_core::ports::{Clock as _, SystemClock};
    use futures_util::future::join_all;

    use crate::wire::{StartError, cluster, tables};

    let mut out = std::io::stdout().lock();
    let keys = config.cluster.keys.as_deref().expect("the configuration was checked");
    Keys::create_in(keys, &SystemRandom, SystemClock.now()).map_err(StartError::from)?;
    writeln!(out, "keys        {}", keys.display())?;
    // Each has a database of its own, so none waits for another.
    let roles = config.databases.all().into_iter().filter(|(_, url)| url.is_some());
    let migrated = join_all(roles.map(|(role, _)| async move {
        let sql = cluster::sql(config, role)?;
        Ok::<_, CommandError>((role, firstcome_store::sql::migrate(&sql, role.as_str(), tables(role)).await?))
    }));
    let mut failed = None;
    for done in migrated.await {
        let (role, steps) = match done {
            Ok(done) => done,
            // What was done to the others is told all the same.
            Err(error) => {
                failed.get_or_insert(error);
                continue;
            }
        };
        let name = role.as_str();
        if steps.is_empty() {
            writeln!(out, "{name:<11} is up to date")?;
        }
        for step in steps {
            writeln!(out, "{name:<11} {step}")?;
        }
    }
    failed.map_or(Ok(()), Err)?;
    let kafka = cluster::kafka(config);
    let ensured = join_all(cluster::TOPICS.map(|topic| firstcome_store::kafka::topics::ensure(&kafka, topic)));
    for (topic, done) in cluster::TOPICS.into_iter().zip(ensured.await) {
        done?;
        writeln!(out, "{:<11} {}", "topic", kafka.topic(topic))?;
    }
    out.flush()?;
    Ok(())
}
