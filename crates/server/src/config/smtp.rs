//! How e-mail is sent.

use std::path::PathBuf;
use std::time::Duration;

use firstcome_core::ports::RoleName;
use firstcome_store::smtp::{SmtpOptions, SmtpTls};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secret::secret;
use super::{Config, ConfigError, Mode};

/// When a connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Never.
    None,
    /// Right after the greeting.
    Starttls,
    /// From the beginning.
    Tls,
}

/// Sending e-mail.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Smtp {
    /// The mail server's name, which its certificate must have. In development a mailbox page takes the e-mails if left out.
    #[config(env = "FIRSTCOME_SMTP_SERVER")]
    pub server: Option<String>,
    /// Its port. 587 for starttls, 465 for tls and 25 for none if left out.
    #[config(env = "FIRSTCOME_SMTP_PORT")]
    pub port: Option<u16>,
    /// starttls (encrypted right after the greeting, and nothing is sent without it), tls (from the beginning) or none (for a server on this machine).
    #[config(default = "starttls", env = "FIRSTCOME_SMTP_TLS")]
    pub tls: Tls,
    /// A file with a certificate in PEM that is trusted beside the well-known authorities.
    #[config(env = "FIRSTCOME_SMTP_AUTHORITY_FILE")]
    pub authority_file: Option<PathBuf>,
    /// Whom the shop logs in as. No log-in if left out.
    #[config(env = "FIRSTCOME_SMTP_USER")]
    pub user: Option<String>,
    /// The password of that user. Better in a file or the environment than here.
    #[config(env = "FIRSTCOME_SMTP_PASSWORD")]
    pub password: Option<String>,
    /// A file with that password, in place of it.
    #[config(env = "FIRSTCOME_SMTP_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// The sender, for example `Shop <no-reply@shop.example>`.
    #[config(env = "FIRSTCOME_SMTP_FROM")]
    pub from: Option<String>,
    /// Seconds that one e-mail may take. Nobody waits for it meanwhile.
    #[config(default = 30, env = "FIRSTCOME_SMTP_TIMEOUT_SECONDS")]
    pub timeout_seconds: u64,
    /// Connections that are kept open for the next e-mails.
    #[config(default = 4, env = "FIRSTCOME_SMTP_CONNECTIONS")]
    pub connections: usize,
}

impl Config {
    /// Whether e-mails end in the mailbox page of development.
    pub fn has_mailbox(&self) -> bool {
        self.development() && self.smtp.server.is_none()
    }

    /// The mail server, if there is one.
    pub fn smtp_options(&self) -> Result<Option<SmtpOptions>, ConfigError> {
        let Some(host) = self.smtp.server.clone() else { return Ok(None) };
        let Some(from) = self.smtp.from.clone() else {
            return Err(refused("smtp.from is needed with smtp.server: whom e-mails come from"));
        };
        let (tls, port) = match self.smtp.tls {
            Tls::None => (SmtpTls::None, 25),
            Tls::Starttls => (SmtpTls::Starttls, 587),
            Tls::Tls => (SmtpTls::Tls, 465),
        };
        let authority = self.smtp.authority_file.as_ref().map(|path| {
            std::fs::read(path).map_err(|error| refused(format!("smtp.authority_file: {}: {error}", path.display())))
        });
        Ok(Some(SmtpOptions {
            host,
            port: self.smtp.port.unwrap_or(port),
            tls,
            authority: authority.transpose()?,
            log_in: self.smtp.log_in()?,
            from,
            timeout: Duration::from_secs(self.smtp.timeout_seconds),
            connections: self.smtp.connections,
        }))
    }
}

impl Smtp {
    fn log_in(&self) -> Result<Option<(String, SecretString)>, ConfigError> {
        let password = secret("smtp.password", self.password.as_deref(), self.password_file.as_deref())?;
        match (self.user.clone(), password) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) if self.tls == Tls::None => {
                Err(refused("smtp.tls: a password is not sent without encryption; use starttls or tls"))
            }
            (Some(user), Some(password)) => Ok(Some((user, password.into()))),
            _ => Err(refused("smtp.user and smtp.password (or smtp.password_file) go together: set both or none")),
        }
    }
}

/// Refuses a shop for real buyers that could send them nothing, and settings that cannot work.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let needed = match config.mode()? {
        Mode::Embedded => true,
        Mode::Cluster(roles) => roles.contains(&RoleName::Accounts),
    };
    if needed && !config.development() && config.smtp.server.is_none() {
        return Err(refused("smtp.server and smtp.from are needed in production: codes to sign up with go by e-mail"));
    }
    if let Some(options) = config.smtp_options()?.filter(|_| needed) {
        firstcome_store::smtp::Smtp::new(options).map_err(|error| refused(error.to_string()))?;
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

    const PRODUCTION: &str = "[server]\nenvironment = \"production\"\n\
        [payments]\nprovider_url = \"https://psp.example\"\nsecret_key = \"live_sk\"\n";
    const SERVER: &str = "[smtp]\nserver = \"mail.example\"\nfrom = \"Shop <no-reply@shop.example>\"\n";

    fn loaded(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).expect("written");
        load(Some(&path), &Overrides::default())
    }

    fn refusal(text: &str) -> String {
        loaded(text).expect_err(text).to_string()
    }

    #[test]
    fn production_needs_a_mail_server() {
        assert!(refusal(PRODUCTION).contains("smtp.server and smtp.from are needed in production"));
        let config = loaded(&format!("{PRODUCTION}{SERVER}")).expect("complete");
        assert!(!config.has_mailbox());
        assert!(loaded("").expect("the defaults").has_mailbox());
        assert!(!loaded(SERVER).expect("also in development").has_mailbox());
    }

    #[test]
    fn ports_follow_from_tls() {
        for (tls, port) in [("none", 25), ("starttls", 587), ("tls", 465)] {
            let config = loaded(&format!("{SERVER}tls = \"{tls}\"\n")).expect(tls);
            assert_eq!(config.smtp_options().expect("right").expect("a server").port, port);
        }
    }

    #[test]
    fn settings_that_do_not_go_together() {
        for (more, said) in [
            ("user = \"shop\"\n", "go together"),
            ("password = \"secret\"\n", "go together"),
            ("user = \"shop\"\npassword = \"a\"\npassword_file = \"b\"\n", "set one of them"),
            ("user = \"shop\"\npassword_file = \"/nowhere/at/all\"\n", "smtp.password_file: /nowhere/at/all"),
            ("user = \"shop\"\npassword = \"secret\"\ntls = \"none\"\n", "not sent without encryption"),
            ("authority_file = \"/nowhere/at/all\"\n", "smtp.authority_file"),
            ("timeout_seconds = 0\n", "smtp.timeout_seconds"),
            ("tls = \"ssl\"\n", "line 4"),
        ] {
            assert!(refusal(&format!("{SERVER}{more}")).contains(said), "{more}");
        }
        assert!(refusal("[smtp]\nserver = \"mail.example\"\n").contains("smtp.from"));
        assert!(refusal("[smtp]\nserver = \"mail.example\"\nfrom = \"nobody\"\n").contains("smtp.from"));
    }
}
