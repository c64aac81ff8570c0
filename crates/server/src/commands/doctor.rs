//! `firstcome doctor`.

use std::io::Write as _;

use firstcome_app::secrets::{Keys, SystemRandom};
use firstcome_core::ports::{Clock as _, PortError, RoleName, SystemClock};

use super::CommandError;
use crate::cli::DataArguments;
use crate::config::{Config, Mode};
use crate::folder::FolderError;
use crate::place::Place;
use crate::wire::{self, StartError, look_at_keys, sealed_tables};

/// Checks everything and prints a table.
pub fn run(arguments: &DataArguments) -> Result<(), CommandError> {
    let config = arguments.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match config.mode()? {
        Mode::Embedded => runtime.block_on(embedded(&config)),
        Mode::Cluster(roles) => runtime.block_on(check(&config, &roles)),
    }
}

async fn embedded(config: &Config) -> Result<(), CommandError> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "No server is configured: the whole shop runs in one process, and `firstcome audit` checks its books."
    )?;
    let (keys, mail) = (keys(config).await?, mail_server(config).await?);
    match &keys {
        None => {}
        Some(Ok(())) => writeln!(out, "The keys are those that the data was encrypted with.")?,
        Some(Err(error)) => writeln!(out, "{error}")?,
    }
    match &mail {
        None => {}
        Some(Ok(())) => writeln!(out, "The mail server lets us in.")?,
        Some(Err(error)) => writeln!(out, "{error}; see the section [smtp] of the configuration")?,
    }
    if matches!(keys, Some(Err(_))) || matches!(mail, Some(Err(_))) { Err(CommandError::Disagrees) } else { Ok(()) }
}

/// Whether the keys are those of the databases; nothing where no shop has run yet.
async fn keys(config: &Config) -> Result<Option<Result<(), StartError>>, CommandError> {
    let place = match Place::existing(config.clone()) {
        Err(CommandError::Folder(FolderError::Missing(_))) => return Ok(None),
        place => place?,
    };
    let keys = match Keys::load_shared(&place.keys_folder(), &SystemRandom, SystemClock.now()) {
        Ok(keys) => keys,
        Err(error) => return Ok(Some(Err(error.into()))),
    };
    for role in RoleName::ALL.into_iter().filter(|role| !sealed_tables(*role).is_empty() && place.has(*role)) {
        if let Err(error) = look_at_keys(role, place.records(role).await?.as_ref(), &keys).await {
            return Ok(Some(Err(error.into())));
        }
    }
    Ok(Some(Ok(())))
}

/// Whether the mail server lets us in; nothing when none is configured.
async fn mail_server(config: &Config) -> Result<Option<Result<(), PortError>>, CommandError> {
    let Some(server) = wire::mail_server(config)? else { return Ok(None) };
    Ok(Some(server.check().await))
}

#[cfg(not(feature = "cluster"))]
#[expect(clippy::unused_async, reason = "with the feature it waits for servers")]
async fn check(_: &Config, _: &[RoleName]) -> Result<(), CommandError> {
    Err(CommandError::Input("this build has no cluster".to_owned()))
}

#[cfg(feature = "cluster")]
async fn check(config: &Config, roles: &[RoleName]) -> Result<(), CommandError> {
    use firstcome_store::check::CheckState;

    let lines = look(config, roles).await?;
    let mut out = std::io::stdout().lock();
    let width = lines.iter().map(|line| line.what.chars().count()).max().unwrap_or_default();
    for line in &lines {
        let state = match line.state {
            CheckState::Ok => "ok",
            CheckState::Warn => "WARN",
            CheckState::Down => "DOWN",
            CheckState::Fail => "FAIL",
        };
        let padding = width - line.what.chars().count();
        writeln!(out, "{state:<5} {}{:padding$}  {}", line.what, "", line.found)?;
        if let Some(advice) = &line.advice {
            writeln!(out, "{:width$}         -> {advice}", "")?;
        }
    }
    let count = |state| lines.iter().filter(|line| line.state == state).count();
    let [warned, down, failed] = [CheckState::Warn, CheckState::Down, CheckState::Fail].map(count);
    writeln!(out, "{} checks, {warned} warnings, {down} down, {failed} failures", lines.len())?;
    out.flush()?;
    if down + failed == 0 { Ok(()) } else { Err(CommandError::Disagrees) }
}

#[cfg(feature = "cluster")]
async fn look(config: &Config, roles: &[RoleName]) -> Result<Vec<firstcome_store::check::CheckLine>, CommandError> {
    use firstcome_store::check::CheckLine;

    use crate::wire::cluster;

    // Whatever is wrong with the file itself was refused when it was loaded.
    let mut lines = vec![CheckLine::ok("configuration", "can be read, and its settings go together")];
    let servers = cluster::look(config, roles).await?;
    match cluster::keys(config) {
        Ok(keys) => {
            lines.push(CheckLine::ok("keys", "are there"));
            lines.extend(cluster::look_at_keys(config, roles, &keys).await?);
        }
        Err(error) => {
            let advice = "`firstcome migrate` makes them once; copy them to every machine";
            lines.push(CheckLine::fail("keys", error.to_string(), advice));
        }
    }
    lines.extend(servers);
    match mail_server(config).await? {
        None => {}
        Some(Ok(())) => lines.push(CheckLine::ok("mail server", "lets us in")),
        Some(Err(error)) => lines.push(CheckLine::fail("mail server", error.to_string(), "see the section [smtp]")),
    }
    Ok(lines)
}
