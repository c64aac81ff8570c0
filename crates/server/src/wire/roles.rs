//! Roles from the configuration and their ports, whatever the adapters are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use firstcome_app::accounts::{self, DevMailbox};
use firstcome_app::actions::{Actions, witness};
use firstcome_app::gateway::{self, EndedSessions, Gateway, Rate};
use firstcome_app::http::Revocations;
use firstcome_app::pages::PagesOptions;
use firstcome_app::payments::{TossOptions, TossProvider};
use firstcome_app::role::Role;
use firstcome_app::secrets::Keys;
use firstcome_app::{catalog, notices, orders, payments, sandbox, vouchers};
use firstcome_core::ports::{
    Clock, EventLog, IdentityProvider, Mailer, OrderArchive, PortError, Random, Records, RoleName, SharedLimits,
    StockLedger,
};
use firstcome_core::step::Unwritten;
use firstcome_store::smtp::Smtp;
use prometheus_client::registry::Registry;

use super::StartError;
use crate::config::{Advertising, Config, Identity, Mode, SANDBOX_SECRET_KEY, SecondFactor};

/// Where the sandbox checks who people are: on the site that they are on.
const SANDBOX_IDENTITY_PAGE: &str = "/sandbox/identity/check";

/// What every role is given.
pub(super) struct Parts {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) events: Arc<dyn EventLog>,
    pub(super) keys: Arc<Keys>,
}

impl Parts {
    /// The database of a role, which writes down what people of the shop do in it.
    fn actions(&self, role: RoleName, records: Arc<dyn Records>) -> Arc<Actions> {
        Actions::over(role, records, self.clock.clone(), self.random.clone(), self.keys.clone())
    }
}

/// The role, whose requests are written down there.
fn witnessed(role: Role, actions: Arc<Actions>) -> Role {
    let router = role.router.layer(axum::middleware::from_fn_with_state(Some(actions), witness));
    Role { router, ..role }
}

pub(super) async fn catalog_role(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
) -> Result<Role, PortError> {
    let actions = parts.actions(RoleName::Catalog, records);
    let role = catalog::create(catalog_ports(config, parts, actions.clone(), ledger)).await?;
    Ok(witnessed(role, actions))
}

pub(super) fn catalog_ports(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
) -> catalog::Ports {
    catalog::Ports {
        records,
        ledger,
        events: parts.events.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        time_zone: time_zone(config),
        images: image_options(config),
        wish_pause: Duration::from_hours(config.wishes.pause_hours),
        promises: promises(config),
    }
}

pub(super) async fn orders_role(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
    archive: Arc<dyn OrderArchive>,
    metrics: &mut Registry,
) -> Result<Role, PortError> {
    let actions = parts.actions(RoleName::Orders, records);
    let ports = orders::Ports {
        records: actions.clone(),
        ledger,
        archive,
        events: parts.events.clone(),
        clock: parts.clock.clone(),
        keys: parts.keys.clone(),
        time_zone: time_zone(config),
        unwritten: unwritten(config),
        shop: shop_terms(config),
    };
    Ok(witnessed(orders::create(ports, metrics).await?, actions))
}

pub(super) async fn vouchers_role(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
) -> Result<Role, PortError> {
    let actions = parts.actions(RoleName::Vouchers, records);
    let ports = vouchers::Ports {
        records: actions.clone(),
        ledger,
        events: parts.events.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    };
    let money_back = vouchers::MoneyBack {
        expired_percent: config.gift_cards.expired_percent,
        large_expired_percent: config.gift_cards.large_expired_percent,
        large_value: config.gift_cards.large_value,
        spent_percent: config.gift_cards.spent_percent,
        small_spent_percent: config.gift_cards.small_spent_percent,
        small_value: config.gift_cards.small_value,
    };
    let valid_again = Duration::from_hours(24) * config.gift_cards.valid_again_days;
    let options = vouchers::Options { time_zone: time_zone(config), money_back, valid_again };
    Ok(witnessed(vouchers::create(options, ports).await?, actions))
}

pub(super) async fn notices_role(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
    metrics: &mut Registry,
) -> Result<Role, PortError> {
    let actions = parts.actions(RoleName::Notices, records);
    let ports = notices::Ports {
        records: actions.clone(),
        ledger,
        events: parts.events.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        keys: parts.keys.clone(),
    };
    let role = notices::create(notices::Options { development: config.development() }, ports, metrics).await?;
    Ok(witnessed(role, actions))
}

/// `shop` is the address of the shop, where the configuration names none that buyers see.
pub(super) async fn accounts_role(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    revocations: &Arc<Revocations>,
    mailer: Arc<dyn Mailer>,
    shop: &str,
    metrics: &mut Registry,
) -> Result<Role, StartError> {
    let options = accounts::Options {
        access_token_lifetime: Duration::from_secs(config.tokens.access_minutes * 60),
        session_lifetime: Duration::from_secs(config.tokens.refresh_days * 24 * 60 * 60),
        passwords: accounts::PasswordOptions {
            threads: config.limits.password_threads,
            ..accounts::PasswordOptions::default()
        },
        consents: accounts::Versions {
            terms: config.consents.terms_version.clone(),
            privacy: config.consents.privacy_version.clone(),
            advertising: config.consents.advertising_version.clone(),
        },
        advertising: advertising(config, shop),
        identity: identity(config, shop)?,
        second_factor_of_staff: config.accounts.second_factor == SecondFactor::Staff,
        development: config.development(),
        unwritten: unwritten(config),
        public_url: config.server.public_url.clone(),
        ..accounts::Options::default()
    };
    let actions = parts.actions(RoleName::Accounts, records);
    let ports = accounts::Ports {
        records: actions.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        mailer,
        keys: parts.keys.clone(),
        events: parts.events.clone(),
        revocations: revocations.clone(),
    };
    Ok(witnessed(accounts::create(options, ports, metrics).await?, actions))
}

/// The provider that the configuration names, or the sandbox where there is one.
fn identity(config: &Config, shop: &str) -> Result<accounts::IdentityChecks, StartError> {
    let Identity { provider_url, page_url, secret_key, rest_days } = config.identity.clone();
    let named = provider_url.zip(page_url).zip(secret_key);
    // A process of a cluster that does not know the gateway does not reach the sandbox either.
    let sandbox = (config.sandbox.enabled && !shop.is_empty()).then(|| {
        let base_url = format!("{shop}{}", sandbox::identity::PREFIX);
        ((base_url, SANDBOX_IDENTITY_PAGE.to_owned()), SANDBOX_SECRET_KEY.to_owned())
    });
    let provider = named.or(sandbox).map(|((base_url, page_url), secret)| {
        let deadline = Duration::from_secs(config.payments.deadline_seconds);
        accounts::PortOne::new(&accounts::PortOneOptions { base_url, page_url, secret: secret.into(), deadline })
    });
    let provider = provider.transpose()?.map(|provider| Arc::new(provider) as Arc<dyn IdentityProvider>);
    Ok(accounts::IdentityChecks { provider, rest: Duration::from_secs(rest_days * 24 * 60 * 60) })
}

fn advertising(config: &Config, shop: &str) -> accounts::Advertising {
    let Advertising { sender, contact, quiet_from, quiet_until } = config.advertising.clone();
    accounts::Advertising {
        sender: sender.zip(contact).map(|(name, contact)| accounts::Sender { name, contact }),
        base: config.server.public_url.clone().unwrap_or_else(|| shop.to_owned()),
        quiet_from: quiet_from.cast_signed(),
        quiet_until: quiet_until.cast_signed(),
        time_zone: time_zone(config),
    }
}

/// What buyers are not written about.
fn unwritten(config: &Config) -> Unwritten {
    // Checked when the configuration was loaded.
    config.mails.off.as_deref().unwrap_or_default().parse().unwrap_or_default()
}

/// The mail server that the configuration names.
pub(crate) fn mail_server(config: &Config) -> Result<Option<Arc<Smtp>>, StartError> {
    Ok(config.smtp_options()?.map(Smtp::new).transpose()?)
}

/// What takes e-mails: the mail server, or in development without one a mailbox with a page.
pub(super) fn mailer(config: &Config, parts: &Parts) -> Result<(Arc<dyn Mailer>, Router), StartError> {
    if let Some(server) = mail_server(config)? {
        return Ok((server, Router::new()));
    }
    let mailbox = DevMailbox::new(parts.clock.clone());
    Ok((mailbox.clone(), mailbox.router()))
}

pub(crate) fn time_zone(config: &Config) -> jiff::tz::TimeZone {
    // Checked when the configuration was loaded.
    jiff::tz::TimeZone::get(&config.server.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
}

/// What the shop allows of pictures.
pub(crate) fn image_options(config: &Config) -> catalog::ImageOptions {
    catalog::ImageOptions {
        most_bytes: config.images.max_kib as usize * 1_024,
        quota: config.images.quota_mib << 20,
        kept_unused: Duration::from_hours(config.images.unused_hours),
    }
}

/// What the shop promises where a seller does not say.
pub(crate) fn promises(config: &Config) -> catalog::Promises {
    catalog::Promises { gift_card_days: config.gift_cards.valid_days, days_to_return: config.returns.days }
}

pub(super) fn pages_options(config: &Config, parts: &Parts) -> PagesOptions {
    PagesOptions {
        public_url: config.server.public_url.clone(),
        checkout_url: format!("{}/checkout", sandbox::PREFIX),
        mailbox: config.has_mailbox(),
        processes: config.mode().is_ok_and(|mode| mode != Mode::Embedded),
        time_zone: time_zone(config),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    }
}

/// `sandbox` is the address of the sandbox, where the configuration names no provider.
pub(super) async fn payments_role(
    config: &Config,
    parts: &Parts,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
    sandbox: String,
    metrics: &mut Registry,
) -> Result<Role, StartError> {
    let deadline = Duration::from_secs(config.payments.deadline_seconds);
    let provider = TossProvider::new(&TossOptions {
        base_url: config.payments.provider_url.clone().unwrap_or(sandbox),
        secret_key: config.payments.secret_key.clone().unwrap_or_else(|| SANDBOX_SECRET_KEY.to_owned()).into(),
        deadline,
        idle_connections: 256,
    })?;
    let options = payments::Options {
        lease: deadline * 3,
        quarantine_after: Duration::from_secs(config.payments.quarantine_hours * 60 * 60),
        settlement: calendar(config),
        ..payments::Options::default()
    };
    let actions = parts.actions(RoleName::Payments, records);
    let ports = payments::Ports {
        records: actions.clone(),
        ledger,
        events: parts.events.clone(),
        provider: Arc::new(provider),
        clock: parts.clock.clone(),
        keys: parts.keys.clone(),
    };
    Ok(witnessed(payments::create(options, ports, metrics).await?, actions))
}

/// What the shop is on receipts, and what it counts with.
fn shop_terms(config: &Config) -> orders::ShopTerms {
    let Config { shop: config, returns, .. } = config;
    orders::ShopTerms {
        name: config.name.clone(),
        business_number: config.business_number.clone(),
        representative: config.representative.clone(),
        address: config.address.clone(),
        vat_percent: config.vat_percent,
        shipping: orders::Shipping { fee: config.shipping_fee, free_from: config.free_shipping_from },
        days_to_return: returns.days,
    }
}

/// The days that are settled with the provider.
fn calendar(config: &Config) -> payments::Calendar {
    // Checked when the configuration was loaded.
    let at = config.payments.settlement_time.parse().unwrap_or(payments::Calendar::default().at);
    payments::Calendar { time_zone: time_zone(config), at }
}

/// `shop` is the address of the shop, to which it sends its notices.
pub(super) fn sandbox_role(parts: &Parts, records: Arc<dyn Records>, shop: &str) -> Role {
    let options =
        sandbox::Options { webhook_url: Some(format!("{shop}/api/v1/webhooks/toss")), ..sandbox::Options::default() };
    let ports = sandbox::Ports { records, clock: parts.clock.clone(), random: parts.random.clone() };
    sandbox::create(options, ports)
}

/// Where the sandbox is in a shop at this address.
pub(super) fn sandbox_url(shop: &str) -> String {
    format!("{shop}{}", sandbox::PREFIX)
}

/// An address that this machine can reach: listening everywhere includes loopback.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// What a gateway has where there are several processes.
#[derive(Default)]
pub(super) struct Others {
    /// The limits of several gateways together.
    pub(super) limits: Option<Arc<dyn SharedLimits>>,
    /// Who knows which sessions ended.
    pub(super) accounts: Option<Arc<dyn EndedSessions>>,
}

pub(super) fn open_gateway(
    config: &Config,
    parts: &Parts,
    revocations: &Arc<Revocations>,
    others: Others,
) -> Arc<Gateway> {
    let limits = &config.limits;
    let options = gateway::Options {
        per_user: Rate { per_second: limits.user_per_second, burst: limits.user_burst },
        per_address: Rate { per_second: limits.address_per_second, burst: limits.address_burst },
        trusted_proxies: config.server.trusted_proxies,
        development: config.development(),
        ..gateway::Options::default()
    };
    let ports = gateway::Ports {
        keys: parts.keys.clone(),
        revocations: revocations.clone(),
        events: parts.events.clone(),
        limits: others.limits,
        accounts: others.accounts,
        clock: parts.clock.clone(),
    };
    gateway::create(options, ports)
}
