//! The configuration: defaults, then a file, then the environment, then the command line.
//!
//! Every setting is documented where it is declared; `firstcome config` prints those words, the value in force and where
//! it came from.

mod known;
mod ranges;
mod show;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use confique::Config as _;
use serde::{Deserialize, Serialize};

pub use show::{Setting, settings};

/// All settings.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Config {
    /// The process.
    #[config(nested)]
    pub server: Server,
    /// Access and refresh tokens.
    #[config(nested)]
    pub tokens: Tokens,
    /// How many requests are accepted.
    #[config(nested)]
    pub limits: Limits,
    /// Collecting money.
    #[config(nested)]
    pub payments: Payments,
    /// The payment provider for development.
    #[config(nested)]
    pub sandbox: Sandbox,
    /// What is written to standard error.
    #[config(nested)]
    pub log: Log,
}

/// Where the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// On a developer's machine: a sandbox provider, a mailbox page, load tools' tokens.
    Development,
    /// For real buyers.
    Production,
}

/// The process.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Server {
    /// The folder of all data. Created when it does not exist.
    #[config(default = "./firstcome-data", env = "FIRSTCOME_SERVER_DATA")]
    pub data: PathBuf,
    /// The address to listen on. Port 0 takes a free one.
    #[config(default = "127.0.0.1:8080", env = "FIRSTCOME_SERVER_LISTEN")]
    pub listen: SocketAddr,
    /// development or production. Production refuses the sandbox, the mailbox page and load tools' tokens; it is not served yet, because this version cannot send e-mail.
    #[config(default = "development", env = "FIRSTCOME_SERVER_ENVIRONMENT")]
    pub environment: Environment,
    /// Fill an empty data folder with the demo catalogue. Only in development.
    #[config(default = true, env = "FIRSTCOME_SERVER_DEMO")]
    pub demo: bool,
    /// The time zone in which pages show times and visit dates begin and end.
    #[config(default = "Asia/Seoul", env = "FIRSTCOME_SERVER_TIME_ZONE")]
    pub time_zone: String,
    /// The address that buyers see, for example `https://tickets.example.com`. Cookies are sent over https only if it begins so.
    #[config(env = "FIRSTCOME_SERVER_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Connections at the same time; more wait to be accepted.
    #[config(default = 16384, env = "FIRSTCOME_SERVER_MAX_CONNECTIONS")]
    pub max_connections: usize,
    /// Seconds that a client has to send the headers of a request, and a connection may idle.
    #[config(default = 30, env = "FIRSTCOME_SERVER_HEADER_SECONDS")]
    pub header_seconds: u64,
    /// Seconds that requests under way have after Ctrl-C before they are cut off.
    #[config(default = 20, env = "FIRSTCOME_SERVER_DRAIN_SECONDS")]
    pub drain_seconds: u64,
    /// Proxies in front that are ours and add to `X-Forwarded-For`; 0 when clients connect directly.
    #[config(default = 0, env = "FIRSTCOME_SERVER_TRUSTED_PROXIES")]
    pub trusted_proxies: usize,
    /// Accept a journal whose witness file is gone. Set it for one start, after `firstcome audit` found the journal whole.
    #[config(default = false, env = "FIRSTCOME_SERVER_ACCEPT_MISSING_WITNESS")]
    pub accept_missing_witness: bool,
}

/// Access and refresh tokens.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Tokens {
    /// Minutes that an access token lives.
    #[config(default = 15, env = "FIRSTCOME_TOKENS_ACCESS_MINUTES")]
    pub access_minutes: u64,
    /// Days that a device stays logged in without being used.
    #[config(default = 30, env = "FIRSTCOME_TOKENS_REFRESH_DAYS")]
    pub refresh_days: u64,
}

/// How many requests are accepted.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Limits {
    /// Requests a second of one account.
    #[config(default = 100, env = "FIRSTCOME_LIMITS_USER_PER_SECOND")]
    pub user_per_second: u32,
    /// Requests of one account at once.
    #[config(default = 400, env = "FIRSTCOME_LIMITS_USER_BURST")]
    pub user_burst: u32,
    /// Requests a second of one address that is not logged in. In development not for loopback.
    #[config(default = 200, env = "FIRSTCOME_LIMITS_ADDRESS_PER_SECOND")]
    pub address_per_second: u32,
    /// Requests of one address at once.
    #[config(default = 1000, env = "FIRSTCOME_LIMITS_ADDRESS_BURST")]
    pub address_burst: u32,
    /// Threads that check passwords, each at a time; about 40 milliseconds and 19 MiB each.
    #[config(default = 1, env = "FIRSTCOME_LIMITS_PASSWORD_THREADS")]
    pub password_threads: usize,
}

/// Collecting money.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Payments {
    /// The provider's address, for example `https://api.tosspayments.com`. In development the sandbox if left out.
    #[config(env = "FIRSTCOME_PAYMENTS_PROVIDER_URL")]
    pub provider_url: Option<String>,
    /// The provider's secret key.
    #[config(env = "FIRSTCOME_PAYMENTS_SECRET_KEY")]
    pub secret_key: Option<String>,
    /// Seconds to wait for one answer of the provider.
    #[config(default = 10, env = "FIRSTCOME_PAYMENTS_DEADLINE_SECONDS")]
    pub deadline_seconds: u64,
    /// Hours to keep asking about a payment that the provider does not decide, before a person must look.
    #[config(default = 24, env = "FIRSTCOME_PAYMENTS_QUARANTINE_HOURS")]
    pub quarantine_hours: u64,
}

/// The payment provider for development.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Sandbox {
    /// Whether it runs; refused in production.
    #[config(default = true, env = "FIRSTCOME_SANDBOX_ENABLED")]
    pub enabled: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is written to standard error.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Log {
    /// text or json.
    #[config(default = "text", env = "FIRSTCOME_LOG_FORMAT")]
    pub format: LogFormat,
    /// What to log: a level, or levels by module as in `info,firstcome_app::payments=debug`.
    #[config(default = "info", env = "FIRSTCOME_LOG_FILTER")]
    pub filter: String,
}

/// The secret key of the sandbox; no secret, since the sandbox moves no money.
pub const SANDBOX_SECRET_KEY: &str = "test_sk_firstcome_sandbox";

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable cannot be read as what it should be.
    #[error("{0}")]
    Unreadable(String),
    /// Settings that do not go together.
    #[error("{0}")]
    Refused(String),
}

/// What the command line says; it goes over everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--no-demo`.
    pub no_demo: bool,
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
    let wrong = |error: toml::de::Error| unreadable(error.to_string().trim_end().to_owned());
    known::check_file(&name.to_string(), &text.parse().map_err(wrong)?)?;
    toml::from_str(&text).map_err(wrong)
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
    if jiff::tz::TimeZone::get(&config.server.time_zone).is_err() {
        return refused("server.time_zone: there is no such time zone; use a name such as Asia/Seoul");
    }
    ranges::check(config)
}

/// Refuses what can be looked at with this configuration, but not served.
pub fn check_serving(config: &Config) -> Result<(), ConfigError> {
    if config.development() {
        return Ok(());
    }
    let message = "server.environment is production, but this version cannot send e-mail yet: no buyer would get the \
                   code to sign up with. To try the shop out, leave server.environment at development, on this machine only";
    Err(ConfigError::Refused(message.to_owned()))
}

impl Config {
    /// Whether the program runs on a developer's machine.
    pub fn development(&self) -> bool {
        self.server.environment == Environment::Development
    }
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
        assert!(refused("[server]\nlistn = \"127.0.0.1:1\"\n").contains("server.listen"));
    }

    #[test]
    fn numbers_have_ranges() {
        for (text, said) in [
            ("[payments]\ndeadline_seconds = 9223372036854775807", "payments.deadline_seconds is 9223372036854775807"),
            ("[payments]\ndeadline_seconds = 0", "from 1 to 300"),
            ("[tokens]\naccess_minutes = 0", "tokens.access_minutes is 0; it must be from 1 to 1440"),
            ("[tokens]\nrefresh_days = 0", "tokens.refresh_days"),
            ("[limits]\nuser_burst = 0", "limits.user_burst"),
            ("[server]\nmax_connections = 0", "server.max_connections"),
            ("[limits]\npassword_threads = -1", "line 2"),
        ] {
            let error = refused(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn production_is_not_served_without_mail() {
        check_serving(&loaded("").expect("the defaults")).expect("development");
        let production = "[server]\nenvironment = \"production\"\n\
                          [payments]\nprovider_url = \"https://psp.example\"\nsecret_key = \"live_sk\"\n";
        let error = check_serving(&loaded(production).expect("it can be looked at")).expect_err("no mail");
        assert!(error.to_string().contains("cannot send e-mail"), "{error}");
    }
}
