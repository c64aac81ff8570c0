//! The configuration: defaults, then a file, then the environment, then the command line.
//!
//! Every setting is documented where it is declared; `firstcome config` prints those words, the value in force and where
//! it came from.

mod accounts;
mod cluster;
mod known;
mod load;
mod ranges;
mod roles;
mod secret;
mod show;
mod smtp;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use accounts::{Accounts, Advertising, Consents, Identity, SecondFactor};
pub use cluster::{Cluster, Databases, Forwarding, Kafka, Redis};
pub use load::{Overrides, load};
pub use roles::Mode;
pub use show::{Setting, settings};
pub use smtp::{Smtp, Tls};

/// All settings.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Config {
    /// The process.
    #[config(nested)]
    pub server: Server,
    /// The shop as its buyers know it.
    #[config(nested)]
    pub shop: Shop,
    /// Access and refresh tokens.
    #[config(nested)]
    pub tokens: Tokens,
    /// What the shop asks of people with an account.
    #[config(nested)]
    pub accounts: Accounts,
    /// What people agree to at sign-up.
    #[config(nested)]
    pub consents: Consents,
    /// Advertising by e-mail.
    #[config(nested)]
    pub advertising: Advertising,
    /// Checking who people are.
    #[config(nested)]
    pub identity: Identity,
    /// How many requests are accepted.
    #[config(nested)]
    pub limits: Limits,
    /// Collecting money.
    #[config(nested)]
    pub payments: Payments,
    /// Goods that are sent back.
    #[config(nested)]
    pub returns: Returns,
    /// How long gift cards are valid, and when buyers get money back for them.
    #[config(nested)]
    pub gift_cards: GiftCards,
    /// Pictures that sellers upload.
    #[config(nested)]
    pub images: Images,
    /// Mails about what people wish for.
    #[config(nested)]
    pub wishes: Wishes,
    /// The payment provider for development.
    #[config(nested)]
    pub sandbox: Sandbox,
    /// Sending e-mail.
    #[config(nested)]
    pub smtp: Smtp,
    /// What buyers are written about.
    #[config(nested)]
    pub mails: Mails,
    /// What is written to standard error.
    #[config(nested)]
    pub log: Log,
    /// Roles as processes of their own: the processes.
    #[config(nested)]
    pub cluster: Cluster,
    /// How the gateway hands requests on to the roles.
    #[config(nested)]
    pub forwarding: Forwarding,
    /// Apache Kafka.
    #[config(nested)]
    pub kafka: Kafka,
    /// Redis.
    #[config(nested)]
    pub redis: Redis,
    /// The database of each role.
    #[config(nested)]
    pub databases: Databases,
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
    /// The roles that this process runs, separated by commas: gateway, accounts, catalog, orders, payments, vouchers, notices, sandbox. All if left out. Some of them only as a part of a cluster.
    #[config(env = "FIRSTCOME_SERVER_ROLES")]
    pub roles: Option<String>,
    /// development or production. Production refuses the sandbox, the mailbox page and load tools' tokens, and needs a payment provider and a mail server.
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
    /// Accept a journal whose witness file is gone. Set it for one start, after `firstcome audit` found nothing else that disagrees.
    #[config(default = false, env = "FIRSTCOME_SERVER_ACCEPT_MISSING_WITNESS")]
    pub accept_missing_witness: bool,
}

/// The shop as its buyers know it.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Shop {
    /// Its name, as on receipts.
    #[config(default = "Firstcome", env = "FIRSTCOME_SHOP_NAME")]
    pub name: String,
    /// Its business registration number, as on receipts.
    #[config(env = "FIRSTCOME_SHOP_BUSINESS_NUMBER")]
    pub business_number: Option<String>,
    /// Who represents it, as on receipts.
    #[config(env = "FIRSTCOME_SHOP_REPRESENTATIVE")]
    pub representative: Option<String>,
    /// Where it is, as on receipts.
    #[config(env = "FIRSTCOME_SHOP_ADDRESS")]
    pub address: Option<String>,
    /// Percent of VAT that prices contain. Orders keep that under which they were placed.
    #[config(default = 10, env = "FIRSTCOME_SHOP_VAT_PERCENT")]
    pub vat_percent: u8,
    /// Won that sending goods costs, once for an order; 0 for nothing. Orders keep that under which they were placed.
    #[config(default = 0, env = "FIRSTCOME_SHOP_SHIPPING_FEE")]
    pub shipping_fee: i64,
    /// Won of goods in an order, after its discount, from which on sending them costs nothing. Never if left out.
    #[config(env = "FIRSTCOME_SHOP_FREE_SHIPPING_FROM")]
    pub free_shipping_from: Option<i64>,
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

/// What buyers are written about.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Mails {
    /// Steps of an order that buyers get no e-mail about, separated by commas: `completed`, `vouchers`, `unpaid`, `canceled`, `refunded`, `refund_refused`, `shipped`, `delivered`, `return_requested`, `return_approved`, `return_refused`, `return_received`; or `all` of them.
    #[config(env = "FIRSTCOME_MAILS_OFF")]
    pub off: Option<String>,
}

/// Goods that are sent back.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Returns {
    /// Days after their delivery within which goods may be sent back. Orders keep that under which they were placed.
    #[config(default = 7, env = "FIRSTCOME_RETURNS_DAYS")]
    pub days: u16,
}

/// How long gift cards are valid, and when buyers get money back for them.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct GiftCards {
    /// Days that a gift card is valid whose seller does not say. Products keep that under which they were made.
    #[config(default = 1825, env = "FIRSTCOME_GIFT_CARDS_VALID_DAYS")]
    pub valid_days: u32,
    /// Percent of what a card had cost that go back when it expired unused.
    #[config(default = 90, env = "FIRSTCOME_GIFT_CARDS_EXPIRED_PERCENT")]
    pub expired_percent: u8,
    /// The same of a card on which more than `large_value` was put.
    #[config(default = 95, env = "FIRSTCOME_GIFT_CARDS_LARGE_EXPIRED_PERCENT")]
    pub large_expired_percent: u8,
    /// Minor units above which a card is large.
    #[config(default = 50000, env = "FIRSTCOME_GIFT_CARDS_LARGE_VALUE")]
    pub large_value: i64,
    /// Percent of a card that must be spent before its rest is paid back.
    #[config(default = 60, env = "FIRSTCOME_GIFT_CARDS_SPENT_PERCENT")]
    pub spent_percent: u8,
    /// The same of a card on which no more than `small_value` was put.
    #[config(default = 80, env = "FIRSTCOME_GIFT_CARDS_SMALL_SPENT_PERCENT")]
    pub small_spent_percent: u8,
    /// Minor units up to which a card is small.
    #[config(default = 10000, env = "FIRSTCOME_GIFT_CARDS_SMALL_VALUE")]
    pub small_value: i64,
    /// Days for which a card is valid at least when money comes back to it, also when it expired while an order had it.
    #[config(default = 30, env = "FIRSTCOME_GIFT_CARDS_VALID_AGAIN_DAYS")]
    pub valid_again_days: u32,
}

/// Pictures that sellers upload.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Images {
    /// KiB that one may have.
    #[config(default = 2048, env = "FIRSTCOME_IMAGES_MAX_KIB")]
    pub max_kib: u64,
    /// MiB that all of them together may have.
    #[config(default = 1024, env = "FIRSTCOME_IMAGES_QUOTA_MIB")]
    pub quota_mib: u64,
    /// Hours after which one is removed that no product shows.
    #[config(default = 168, env = "FIRSTCOME_IMAGES_UNUSED_HOURS")]
    pub unused_hours: u64,
}

/// Mails about what people wish for.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Wishes {
    /// Hours within which a person gets one mail at most about one product.
    #[config(default = 24, env = "FIRSTCOME_WISHES_PAUSE_HOURS")]
    pub pause_hours: u64,
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
    /// The time of day, in `server.time_zone`, at which what the provider says has moved the day before is compared with the books.
    #[config(default = "04:00", env = "FIRSTCOME_PAYMENTS_SETTLEMENT_TIME")]
    pub settlement_time: String,
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

impl Config {
    /// Whether the program runs on a developer's machine.
    pub fn development(&self) -> bool {
        self.server.environment == Environment::Development
    }
}
