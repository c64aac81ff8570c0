//! Loading the configuration, and refusing what no shop should run with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use confique::Config as _;
use firstcome_core::step::{StepKind, Unwritten};
use firstcome_core::time::zone_named;

use super::{Config, ConfigError, Environment, SANDBOX_SECRET_KEY, accounts, known, ranges, roles, smtp};

/// What the command line says; it goes over everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--no-demo`.
    pub no_demo: bool,
    /// `--roles`.
    pub roles: Option<String>,
}

/// Loads the configuration and checks that its settings go together.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
    known::check_variables(std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()))?;
    let mut builder = Config::builder().env();
    if let Some(file) = file {
        builder = builder.preloaded(read(file)?);
    }
    // The alternate form says also why.
    let mut config = builder.load().map_err(|error| ConfigError::Unreadable(format!("{error:#}")))?;
    if let Some(data) = &overrides.data {
        config.server.data.clone_from(data);
    }
    if let Some(listen) = overrides.listen {
        config.server.listen = listen;
    }
    if let Some(roles) = &overrides.roles {
        config.server.roles = Some(roles.clone());
    }
    config.server.demo &= !overrides.no_demo;
    check(&mut config)?;
    Ok(config)
}

type Layer = <Config as confique::Config>::Layer;

/// Reads a file. What is wrong in it is named with its line.
fn read(file: &Path) -> Result<Layer, ConfigError> {
    let name = file.display();
    let unreadable = |why: String| ConfigError::Unreadable(format!("{name}: {why}"));
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let wrong = |error: toml::de::Error| unreadable(where_and_why(&text, &error));
    known::check_file(&name.to_string(), &text.parse().map_err(wrong)?)?;
    toml::from_str(&text).map_err(wrong)
}

/// Without the line's own text, which may be a secret.
fn where_and_why(text: &str, error: &toml::de::Error) -> String {
    let why = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return why.to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    format!("line {line}, column {column}: {why}")
}

fn check(config: &mut Config) -> Result<(), ConfigError> {
    let refused = |message: &str| Err(ConfigError::Refused(message.to_owned()));
    if config.server.environment == Environment::Production {
        if std::env::var_os("FIRSTCOME_SANDBOX_ENABLED").is_none() {
            config.sandbox.enabled = false;
        }
        config.server.demo = false;
        if config.sandbox.enabled {
            return refused("sandbox.enabled: the sandbox moves no money, so production refuses it; set it to false");
        }
        if config.payments.provider_url.is_none() || config.payments.secret_key.is_none() {
            return refused("payments.provider_url and payments.secret_key are needed in production");
        }
        if config.payments.secret_key.as_deref() == Some(SANDBOX_SECRET_KEY) {
            return refused("payments.secret_key: this is the sandbox's key; use the provider's");
        }
    }
    if config.payments.provider_url.is_some() != config.payments.secret_key.is_some() {
        return refused("payments.provider_url and payments.secret_key go together: set both or none");
    }
    if config.payments.provider_url.is_none() && !config.sandbox.enabled {
        return refused("without sandbox.enabled, payments.provider_url must say where payments are collected");
    }
    if config.mails.off.as_deref().unwrap_or_default().parse::<Unwritten>().is_err() {
        let kinds = StepKind::ALL.map(StepKind::as_str).join(", ");
        return Err(ConfigError::Refused(format!("mails.off: names of {kinds}, separated by commas, or all")));
    }
    if config.payments.settlement_time.parse::<jiff::civil::Time>().is_err() {
        return refused("payments.settlement_time must be a time of day such as 04:00");
    }
    if zone_named(&config.server.time_zone).is_none() {
        return refused(
            "server.time_zone: there is no such time zone everywhere; use a name such as Asia/Seoul, or UTC",
        );
    }
    ranges::check(config)?;
    smtp::check(config)?;
    accounts::check(config)?;
    roles::check(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("firstcome.conf");
        std::fs::write(&path, text).expect("written");
        load(Some(&path), &Overrides::default())
    }

    fn refused(text: &str) -> String {
        loaded(text).expect_err(text).to_string()
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named_with_its_place() {
        for text in ["[server]\nlisten = \n", "[server]\nlisten = 7\n", "[server]\nenvironment = \"prod\"\n"] {
            let error = refused(text);
            assert!(error.contains("firstcome.conf: ") && error.contains("line 2, column "), "{text}: {error}");
        }
        assert!(refused("[server]\nenvironment = \"prod\"\n").contains("development"));
        assert!(!refused("[payments]\nsecret_key = live_sk\n").contains("live_sk"), "a secret is shown");
        assert!(refused("[server]\ntime_zone = \"localtime\"\n").starts_with("server.time_zone: "));
        assert!(refused("[server]\nlistn = \"127.0.0.1:1\"\n").contains("server.listen"));
    }

    #[test]
    fn numbers_have_ranges() {
        for (text, said) in [
            ("[payments]\ndeadline_seconds = 9223372036854775807", "payments.deadline_seconds is 9223372036854775807"),
            ("[payments]\ndeadline_seconds = 0", "from 1 to 300"),
            ("[tokens]\naccess_minutes = 0", "tokens.access_minutes is 0; it must be from 1 to 1440"),
            ("[tokens]\nrefresh_days = 0", "tokens.refresh_days"),
            ("[returns]\ndays = 0", "returns.days is 0; it must be from 1 to 365"),
            ("[returns]\ndays = 366", "returns.days"),
            ("[gift_cards]\nvalid_days = 0", "gift_cards.valid_days is 0; it must be from 1 to 36500"),
            ("[limits]\nuser_burst = 0", "limits.user_burst"),
            ("[server]\nmax_connections = 0", "server.max_connections"),
            ("[limits]\npassword_threads = -1", "line 2"),
        ] {
            let error = refused(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
