//! What the shop asks of the people who have accounts.

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// Characters of a version at most.
const VERSION_CHARACTERS: usize = 100;

/// Who needs a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Whoever wants one.
    Optional,
    /// Sellers and operators.
    Staff,
}

/// Accounts.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Accounts {
    /// optional or staff. With staff, sellers and operators can only buy until they have set up a second factor.
    #[config(default = "optional", env = "FIRSTCOME_ACCOUNTS_SECOND_FACTOR")]
    pub second_factor: SecondFactor,
}

/// What people agree to at sign-up.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Consents {
    /// The version of the terms of use, for example `2026-11`. Nobody signs up without agreeing to it. Not asked for if left out.
    #[config(env = "FIRSTCOME_CONSENTS_TERMS_VERSION")]
    pub terms_version: Option<String>,
    /// The same of what is said about personal data.
    #[config(env = "FIRSTCOME_CONSENTS_PRIVACY_VERSION")]
    pub privacy_version: Option<String>,
    /// The version of what is said about advertising, which is kept with each consent to it.
    #[config(default = "1", env = "FIRSTCOME_CONSENTS_ADVERTISING_VERSION")]
    pub advertising_version: String,
}

/// Advertising by e-mail to those who agreed to it.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Advertising {
    /// Who sends it, as the law wants it named in each. None is sent if left out.
    #[config(env = "FIRSTCOME_ADVERTISING_SENDER")]
    pub sender: Option<String>,
    /// How the sender is reached: an e-mail address, a telephone number and an address.
    #[config(env = "FIRSTCOME_ADVERTISING_CONTACT")]
    pub contact: Option<String>,
    /// The hour of the shop's day from which none is sent but to those who agreed to nights.
    #[config(default = 21, env = "FIRSTCOME_ADVERTISING_QUIET_FROM")]
    pub quiet_from: u8,
    /// The hour from which it is sent again. The same as `quiet_from`: at any hour.
    #[config(default = 8, env = "FIRSTCOME_ADVERTISING_QUIET_UNTIL")]
    pub quiet_until: u8,
}

/// Checking who people are.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Identity {
    /// The address of the provider's API, as PortOne's `https://api.portone.io`. In development the sandbox if left out.
    #[config(env = "FIRSTCOME_IDENTITY_PROVIDER_URL")]
    pub provider_url: Option<String>,
    /// Where people go to be checked; the check's id and the way back are put behind it.
    #[config(env = "FIRSTCOME_IDENTITY_PAGE_URL")]
    pub page_url: Option<String>,
    /// The provider's API secret.
    #[config(env = "FIRSTCOME_IDENTITY_SECRET_KEY")]
    pub secret_key: Option<String>,
    /// Days after which somebody who has deleted their account can verify another.
    #[config(default = 30, env = "FIRSTCOME_IDENTITY_REST_DAYS")]
    pub rest_days: u64,
}

/// Refuses what would be no version, and a sender whom nobody reaches.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Consents { terms_version, privacy_version, advertising_version } = &config.consents;
    for (name, version) in [
        ("terms_version", terms_version.as_deref()),
        ("privacy_version", privacy_version.as_deref()),
        ("advertising_version", Some(advertising_version.as_str())),
    ] {
        if version.is_some_and(|version| version.trim().is_empty() || version.chars().count() > VERSION_CHARACTERS) {
            return Err(refused(format!("consents.{name} must have 1 to {VERSION_CHARACTERS} characters")));
        }
    }
    let Identity { provider_url, page_url, secret_key, .. } = &config.identity;
    if provider_url.is_some() != secret_key.is_some() || provider_url.is_some() != page_url.is_some() {
        return Err(refused("identity.provider_url, page_url and secret_key go together: set all or none"));
    }
    let Advertising { sender, contact, .. } = &config.advertising;
    if sender.is_some() != contact.is_some() {
        return Err(refused("advertising.sender and advertising.contact go together: set both or none"));
    }
    if sender.is_some() && !config.development() && config.server.public_url.is_none() {
        return Err(refused(
            "server.public_url is needed with advertising.sender: the way out of advertising leads there",
        ));
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> ConfigError {
    ConfigError::Refused(message.into())
}
