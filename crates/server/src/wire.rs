//! The one place where ports get their adapters and roles their ports.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use firstcome_app::accounts::{self, DevMailbox};
use firstcome_app::gateway::{self, Gateway, Rate};
use firstcome_app::http::Revocations;
use firstcome_app::pages::{self, PagesOptions};
use firstcome_app::payments::{InvalidTossOptions, TossOptions, TossProvider};
use firstcome_app::role::{Role, Worker};
use firstcome_app::secrets::{KeyError, Keys, SystemRandom};
use firstcome_app::{catalog, orders, payments, sandbox, vouchers};
use firstcome_core::events::topics;
use firstcome_core::ports::{Clock, PortError, Random, StockLedger, SystemClock};
use firstcome_store::sqlite::ledger::LedgerOptions;
use firstcome_store::sqlite::{SqliteArchive, SqliteEventLog, SqliteLedger, SqliteRecords};
use prometheus_client::registry::Registry;
use utoipa_axum::router::OpenApiRouter;

use crate::config::{Config, SANDBOX_SECRET_KEY};
use crate::folder::Folder;
use crate::front::Front;
use crate::lifecycle::Fatal;
use crate::metrics::LedgerMetrics;
use crate::operate::{self, Operation};

/// The shop could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A database or the journal.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The payment provider's settings.
    #[error(transparent)]
    Provider(#[from] InvalidTossOptions),
}

/// The name of the database that the ledger's archive is in.
pub const ARCHIVE: &str = "holds";

/// The databases of all roles in one folder.
#[derive(Clone)]
pub struct Databases {
    /// Users and sessions.
    pub accounts: Arc<SqliteRecords>,
    /// Products and offers.
    pub catalog: Arc<SqliteRecords>,
    /// Orders and refund decisions.
    pub orders: Arc<SqliteRecords>,
    /// Money.
    pub payments: Arc<SqliteRecords>,
    /// What is delivered.
    pub vouchers: Arc<SqliteRecords>,
    /// What the sandbox provider believes.
    pub sandbox: Arc<SqliteRecords>,
}

impl Databases {
    /// Opens, and creates where missing, every database.
    pub fn open(folder: &Folder) -> Result<Self, PortError> {
        Ok(Self {
            accounts: SqliteRecords::open(folder.database("accounts"), accounts::TABLES)?,
            catalog: SqliteRecords::open(folder.database("catalog"), catalog::TABLES)?,
            orders: SqliteRecords::open(folder.database("orders"), orders::TABLES)?,
            payments: SqliteRecords::open(folder.database("payments"), payments::TABLES)?,
            vouchers: SqliteRecords::open(folder.database("vouchers"), vouchers::TABLES)?,
            sandbox: SqliteRecords::open(folder.database("sandbox"), sandbox::TABLES)?,
        })
    }

    fn all(&self) -> [(&'static str, &Arc<SqliteRecords>); 6] {
        [
            ("accounts", &self.accounts),
            ("catalog", &self.catalog),
            ("orders", &self.orders),
            ("payments", &self.payments),
            ("vouchers", &self.vouchers),
            ("sandbox", &self.sandbox),
        ]
    }

    /// What the roles announce, read from the outbox of each.
    pub fn events(&self) -> Arc<SqliteEventLog> {
        SqliteEventLog::new([
            (topics::ACCOUNTS, self.accounts.clone()),
            (topics::CATALOG, self.catalog.clone()),
            (topics::ORDERS, self.orders.clone()),
            (topics::PAYMENTS, self.payments.clone()),
            (topics::VOUCHERS, self.vouchers.clone()),
        ])
    }
}

/// The keys of a data folder.
pub fn keys(path: &Path) -> Result<Arc<Keys>, KeyError> {
    Keys::load_or_create(path, &SystemRandom).map(Arc::new)
}

/// A shop, ready to be served.
pub struct Shop {
    /// Every route: the API behind its gateway, and the pages.
    pub service: Front,
    /// Everything that runs beside the requests.
    pub workers: Vec<Worker>,
    /// Health and metrics.
    pub operation: Arc<Operation>,
    /// For the demo.
    pub catalog: catalog::Catalog,
    databases: Databases,
    ledger: Arc<SqliteLedger>,
}

/// What every role is given.
struct Parts {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    databases: Databases,
    events: Arc<SqliteEventLog>,
    keys: Arc<Keys>,
}

impl Shop {
    /// Puts a shop together on a folder. `address` is where it will listen.
    pub async fn open(config: &Config, folder: &Folder, address: SocketAddr) -> Result<Self, StartError> {
        let databases = Databases::open(folder)?;
        let parts = Parts {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            events: databases.events(),
            keys: keys(folder.path())?,
            databases,
        };
        let archive = SqliteArchive::open(folder.database(ARCHIVE))?;
        let ledger = open_ledger(config, folder, &parts, archive.clone()).await?;
        let mut metrics = Registry::default();
        let catalog = catalog_ports(&parts, &ledger);
        let order_ports = orders::Ports {
            records: parts.databases.orders.clone(),
            ledger: ledger.clone(),
            archive,
            events: parts.events.clone(),
            clock: parts.clock.clone(),
            keys: parts.keys.clone(),
        };
        let voucher_ports = vouchers::Ports {
            records: parts.databases.vouchers.clone(),
            ledger: ledger.clone(),
            events: parts.events.clone(),
            clock: parts.clock.clone(),
            random: parts.random.clone(),
        };
        let revocations = Arc::new(Revocations::default());
        let mailbox = DevMailbox::new(parts.clock.clone());
        let mut roles = vec![
            accounts_role(config, &parts, &revocations, &mailbox),
            catalog::create(catalog.clone()).await?,
            orders::create(order_ports, &mut metrics).await?,
            payments_role(config, &parts, &ledger, address, &mut metrics)?,
            vouchers::create(voucher_options(config), voucher_ports).await?,
        ];
        let gateway = open_gateway(config, &parts, &revocations);
        gateway.load().await?;
        let mut workers: Vec<Worker> = roles.iter_mut().flat_map(|role| std::mem::take(&mut role.workers)).collect();
        workers.extend(gateway.workers());
        let (api, openapi) = merge(roles);
        let mut routes = api;
        if config.sandbox.enabled {
            let mut role = sandbox_role(&parts, address);
            workers.append(&mut role.workers);
            routes = routes.merge(Router::from(role.router));
        }
        if config.development() {
            routes = routes.merge(mailbox.router());
        }
        metrics.register_collector(Box::new(LedgerMetrics(ledger.clone())));
        let operation =
            Arc::new(Operation { ready: AtomicBool::new(true), metrics, openapi: operate::describe(openapi) });
        let routes = routes.merge(operate::router(operation.clone()));
        let api = gateway.protect(routes);
        let pages = pages::router(api.clone().into_router(), pages_options(config, &parts));
        Ok(Self {
            service: Front { api, pages },
            workers,
            operation,
            catalog: catalog::Catalog::new(catalog),
            databases: parts.databases,
            ledger,
        })
    }

    /// Returns when something durable has failed for good: nothing that is answered from then on could be believed.
    pub async fn failed(&self) -> Fatal {
        let databases = self.databases.all().map(|(name, records)| {
            Box::pin(async move { Fatal { name: format!("{name}.db"), why: records.failed().await.to_string() } })
        });
        tokio::select! {
            (fatal, _, _) = futures_util::future::select_all(databases) => fatal,
            error = self.ledger.failed() => Fatal { name: "the journal".to_owned(), why: error.to_string() },
        }
    }

    /// Takes no new work, flushes the lanes, and returns when everything that was answered is on the disk.
    pub async fn close(self) {
        self.operation.ready.store(false, Ordering::Relaxed);
        let ledger = self.ledger.clone();
        // A panic in there has marked the ledger as failed, which ends the process by itself.
        let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
    }
}

fn merge(roles: Vec<Role>) -> (Router, utoipa::openapi::OpenApi) {
    let merged = roles.into_iter().fold(OpenApiRouter::new(), |all, role| all.merge(role.router));
    merged.split_for_parts()
}

async fn open_ledger(
    config: &Config,
    folder: &Folder,
    parts: &Parts,
    archive: Arc<SqliteArchive>,
) -> Result<Arc<SqliteLedger>, PortError> {
    let mut options = LedgerOptions::new(folder.path(), parts.clock.clone(), archive);
    options.accept_missing_witness = config.server.accept_missing_witness;
    let opened = tokio::task::spawn_blocking(move || SqliteLedger::open(options)).await;
    opened.map_err(|error| PortError::Unavailable(error.to_string()))?
}

fn catalog_ports(parts: &Parts, ledger: &Arc<SqliteLedger>) -> catalog::Ports {
    let ledger: Arc<dyn StockLedger> = ledger.clone();
    catalog::Ports {
        records: parts.databases.catalog.clone(),
        ledger,
        events: parts.events.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    }
}

fn accounts_role(config: &Config, parts: &Parts, revocations: &Arc<Revocations>, mailbox: &Arc<DevMailbox>) -> Role {
    let options = accounts::Options {
        access_token_lifetime: Duration::from_secs(config.tokens.access_minutes * 60),
        session_lifetime: Duration::from_secs(config.tokens.refresh_days * 24 * 60 * 60),
        passwords: accounts::PasswordOptions {
            threads: config.limits.password_threads,
            ..accounts::PasswordOptions::default()
        },
        development: config.development(),
        ..accounts::Options::default()
    };
    let ports = accounts::Ports {
        records: parts.databases.accounts.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        mailer: mailbox.clone(),
        keys: parts.keys.clone(),
        revocations: revocations.clone(),
    };
    accounts::create(options, ports)
}

fn time_zone(config: &Config) -> jiff::tz::TimeZone {
    // Checked when the configuration was loaded.
    jiff::tz::TimeZone::get(&config.server.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
}

fn voucher_options(config: &Config) -> vouchers::Options {
    vouchers::Options { time_zone: time_zone(config) }
}

fn pages_options(config: &Config, parts: &Parts) -> PagesOptions {
    PagesOptions {
        public_url: config.server.public_url.clone(),
        checkout_url: format!("{}/checkout", sandbox::PREFIX),
        mailbox: config.development(),
        time_zone: time_zone(config),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    }
}

fn payments_role(
    config: &Config,
    parts: &Parts,
    ledger: &Arc<SqliteLedger>,
    address: SocketAddr,
    metrics: &mut Registry,
) -> Result<Role, StartError> {
    let deadline = Duration::from_secs(config.payments.deadline_seconds);
    let provider = TossProvider::new(&TossOptions {
        base_url: config.payments.provider_url.clone().unwrap_or_else(|| sandbox_url(address)),
        secret_key: config.payments.secret_key.clone().unwrap_or_else(|| SANDBOX_SECRET_KEY.to_owned()).into(),
        deadline,
        idle_connections: 256,
    })?;
    let options = payments::Options {
        lease: deadline * 3,
        quarantine_after: Duration::from_secs(config.payments.quarantine_hours * 60 * 60),
        ..payments::Options::default()
    };
    let ports = payments::Ports {
        records: parts.databases.payments.clone(),
        ledger: ledger.clone(),
        events: parts.events.clone(),
        provider: Arc::new(provider),
        clock: parts.clock.clone(),
    };
    Ok(payments::create(options, ports, metrics))
}

fn sandbox_role(parts: &Parts, address: SocketAddr) -> Role {
    let options = sandbox::Options {
        webhook_url: Some(format!("http://{}/api/v1/webhooks/toss", reachable(address))),
        ..sandbox::Options::default()
    };
    let ports = sandbox::Ports {
        records: parts.databases.sandbox.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    };
    sandbox::create(options, ports)
}

fn sandbox_url(address: SocketAddr) -> String {
    format!("http://{}{}", reachable(address), sandbox::PREFIX)
}

/// An address that this machine can reach: listening everywhere includes loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

fn open_gateway(config: &Config, parts: &Parts, revocations: &Arc<Revocations>) -> Arc<Gateway> {
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
        clock: parts.clock.clone(),
    };
    gateway::create(options, ports)
}
