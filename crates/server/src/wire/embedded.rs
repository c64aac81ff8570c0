//! The whole shop in one process, on SQLite.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use axum::Router;
use firstcome_app::accounts;
use firstcome_app::http::Revocations;
use firstcome_app::role::Worker;
use firstcome_app::secrets::SystemRandom;
use firstcome_app::{catalog, letters, notices, orders, pages, payments, sandbox, vouchers};
use firstcome_core::events::topics;
use firstcome_core::ports::{Clock, PortError, SystemClock};
use firstcome_store::sqlite::ledger::LedgerOptions;
use firstcome_store::sqlite::{SqliteArchive, SqliteEventLog, SqliteLedger, SqliteRecords};
use prometheus_client::registry::Registry;

use super::roles::{self, Parts};
use super::{Service, Shop, StartError, Storage, keys, merge};
use crate::config::Config;
use crate::folder::Folder;
use crate::front::Front;
use crate::lifecycle::Fatal;
use crate::metrics::{Lags, LedgerFigures, LedgerMetrics};
use crate::operate::{self, Operation};

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
    /// What the seller's systems are told.
    pub notices: Arc<SqliteRecords>,
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
            notices: SqliteRecords::open(folder.database("notices"), notices::TABLES)?,
            sandbox: SqliteRecords::open(folder.database("sandbox"), sandbox::TABLES)?,
        })
    }

    fn all(&self) -> [(&'static str, &Arc<SqliteRecords>); 7] {
        [
            ("accounts", &self.accounts),
            ("catalog", &self.catalog),
            ("orders", &self.orders),
            ("payments", &self.payments),
            ("vouchers", &self.vouchers),
            ("notices", &self.notices),
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

/// Puts the whole shop together on a folder. `address` is where it will listen.
pub(super) async fn open(config: &Config, folder: &Folder, address: SocketAddr) -> Result<Shop, StartError> {
    let databases = Databases::open(folder)?;
    let parts = Parts {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        events: databases.events(),
        keys: keys(folder.path())?,
    };
    let archive = SqliteArchive::open(folder.database(ARCHIVE))?;
    let ledger = open_ledger(config, folder, &parts.clock, archive.clone()).await?;
    let shop = format!("http://{}", roles::reachable(address));
    let mut metrics = Registry::default();
    let catalog = roles::catalog_ports(config, &parts, databases.catalog.clone(), ledger.clone());
    let revocations = Arc::new(Revocations::default());
    let (mailer, mailbox) = roles::mailer(config, &parts)?;
    let payments = databases.payments.clone();
    let mut all = vec![
        roles::accounts_role(config, &parts, databases.accounts.clone(), &revocations, mailer, &shop, &mut metrics)
            .await?,
        roles::catalog_role(config, &parts, databases.catalog.clone(), ledger.clone()).await?,
        roles::orders_role(config, &parts, databases.orders.clone(), ledger.clone(), archive, &mut metrics).await?,
        roles::payments_role(config, &parts, payments, ledger.clone(), roles::sandbox_url(&shop), &mut metrics).await?,
        roles::vouchers_role(config, &parts, databases.vouchers.clone(), ledger.clone()).await?,
        roles::notices_role(config, &parts, databases.notices.clone(), ledger.clone(), &mut metrics).await?,
    ];
    let gateway = roles::open_gateway(config, &parts, &revocations, roles::Others::default());
    gateway.load().await?;
    let mut workers: Vec<Worker> = all.iter_mut().flat_map(|role| std::mem::take(&mut role.workers)).collect();
    let mut lags = Lags { clock: parts.clock.clone(), outboxes: Vec::new(), consumers: Vec::new() };
    lags.add(&workers);
    metrics.register_collector(Box::new(lags));
    workers.extend(gateway.workers());
    workers.push(parts.keys.clone().worker(parts.clock.clone()));
    let desk = letters::create(all.iter_mut().filter_map(|role| role.letters.take()), &mut metrics);
    workers.extend(desk.workers);
    let (mut routes, openapi) = merge(all.into_iter().map(|role| role.router).chain([desk.router]));
    if config.sandbox.enabled {
        let mut role = roles::sandbox_role(&parts, databases.sandbox.clone(), &shop);
        workers.append(&mut role.workers);
        routes = routes.merge(Router::from(role.router));
    }
    routes = routes.merge(mailbox);
    metrics.register_collector(Box::new(figures(ledger.clone())));
    let operation = Arc::new(Operation { ready: AtomicBool::new(true), metrics, openapi: operate::describe(openapi) });
    let routes = routes.merge(operate::router(operation.clone()));
    let api = gateway.protect(routes);
    let pages = pages::router(api.clone().into_router(), roles::pages_options(config, &parts));
    Ok(Shop {
        service: Service::Whole(Front { api, pages }),
        workers,
        operation,
        catalog: Some(catalog::Catalog::new(catalog)),
        storage: Box::new(Embedded { databases, ledger }),
        farewell: None,
    })
}

fn figures(ledger: Arc<SqliteLedger>) -> LedgerMetrics {
    LedgerMetrics(Box::new(move || LedgerFigures {
        work: ledger.work(),
        holds: ledger.holds_in_memory(),
        stuck: ledger.is_full(),
        races_lost: None,
    }))
}

/// The files of the shop.
struct Embedded {
    databases: Databases,
    ledger: Arc<SqliteLedger>,
}

#[async_trait]
impl Storage for Embedded {
    async fn failed(&self) -> Fatal {
        let databases = self.databases.all().map(|(name, records)| {
            Box::pin(async move { Fatal { name: format!("{name}.db"), why: records.failed().await.to_string() } })
        });
        tokio::select! {
            (fatal, _, _) = futures_util::future::select_all(databases) => fatal,
            error = self.ledger.failed() => Fatal { name: "the journal".to_owned(), why: error.to_string() },
        }
    }

    async fn close(&self) {
        let ledger = self.ledger.clone();
        // A panic in there has marked the ledger as failed, which ends the process by itself.
        let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
    }
}

async fn open_ledger(
    config: &Config,
    folder: &Folder,
    clock: &Arc<dyn Clock>,
    archive: Arc<SqliteArchive>,
) -> Result<Arc<SqliteLedger>, PortError> {
    let mut options = LedgerOptions::new(folder.path(), clock.clone(), archive);
    options.accept_missing_witness = config.server.accept_missing_witness;
    let opened = tokio::task::spawn_blocking(move || SqliteLedger::open(options)).await;
    opened.map_err(|error| PortError::Unavailable(error.to_string()))?
}
