//! The shop: the real roles, put together as the server does it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use firstcome_app::role::{Role, Worker};
use firstcome_app::secrets::Keys;
use firstcome_app::{orders, payments, vouchers};
use firstcome_core::ports::{Clock, PaymentProvider, PortError, Random, StockLedger};
use firstcome_core::testkit::TestRandom;
use firstcome_store::sqlite::SqliteArchive;
use prometheus_client::registry::Registry;

use super::faults::Faults;
use super::gates::Gates;
use super::lane::{GatedLedger, for_vouchers};
use super::storage::{GatedLog, GatedRecords};
use super::world::Databases;

/// What a life of the shop is made of.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) databases: Databases,
    pub(super) archive: Arc<SqliteArchive>,
    pub(super) ledger: Arc<dyn StockLedger>,
    pub(super) provider: Arc<dyn PaymentProvider>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Arc<Keys>,
    pub(super) gates: Arc<Gates>,
    pub(super) faults: Arc<Faults>,
    /// What is random in this life.
    pub(super) seed: u64,
}

/// The archive that the ledger is opened with, as a new process finds it.
pub(super) fn archive(folder: &Path) -> Result<Arc<SqliteArchive>, PortError> {
    SqliteArchive::open(folder.join("holds.db"))
}

/// Everything with its gates.
fn order_ports(parts: &Parts) -> orders::Ports {
    orders::Ports {
        records: records(parts, &parts.databases.orders),
        ledger: ledger(parts),
        archive: parts.archive.clone(),
        events: log(parts),
        clock: parts.clock.clone(),
        keys: parts.keys.clone(),
        time_zone: jiff::tz::TimeZone::UTC,
        // Nobody is there who would read it.
        unwritten: "all".parse().expect("every kind"),
        shop: firstcome_app::orders::ShopTerms::default(),
    }
}

fn payment_ports(parts: &Parts) -> payments::Ports {
    payments::Ports {
        records: records(parts, &parts.databases.payments),
        ledger: ledger(parts),
        events: log(parts),
        provider: parts.provider.clone(),
        clock: parts.clock.clone(),
        keys: parts.keys.clone(),
    }
}

fn voucher_ports(parts: &Parts) -> vouchers::Ports {
    let random: Arc<dyn Random> = Arc::new(TestRandom::seeded(parts.seed));
    vouchers::Ports {
        records: records(parts, &parts.databases.vouchers),
        ledger: for_vouchers(ledger(parts), parts.faults.harm),
        events: log(parts),
        clock: parts.clock.clone(),
        random,
    }
}

/// Payments that are looked after sooner than in a real shop, so that a history has an end.
fn payment_options() -> payments::Options {
    payments::Options {
        quarantine_after: Duration::from_secs(1_800),
        look_again_after: Duration::from_secs(120),
        ..payments::Options::default()
    }
}

/// The roles' routes and workers, when the shop is ready to be asked.
pub(super) async fn open(parts: &Parts) -> Result<(Router, Vec<Worker>), PortError> {
    let mut metrics = Registry::default();
    let roles = [
        orders::create(order_ports(parts), &mut metrics).await?,
        payments::create(payment_options(), payment_ports(parts), &mut metrics).await?,
        vouchers::create(
            vouchers::Options {
                time_zone: jiff::tz::TimeZone::UTC,
                money_back: vouchers::MoneyBack::default(),
                valid_again: Duration::from_hours(24),
            },
            voucher_ports(parts),
        )
        .await?,
    ];
    let mut router = Router::new();
    let mut workers = Vec::new();
    for Role { router: routes, workers: more, .. } in roles {
        router = router.merge(Router::from(routes));
        workers.extend(more);
    }
    Ok((router, workers))
}

fn records(parts: &Parts, inner: &Arc<dyn firstcome_core::ports::Records>) -> Arc<GatedRecords> {
    Arc::new(GatedRecords { inner: inner.clone(), gates: parts.gates.clone(), faults: parts.faults.clone() })
}

fn ledger(parts: &Parts) -> Arc<GatedLedger> {
    let (gates, faults) = (parts.gates.clone(), parts.faults.clone());
    Arc::new(GatedLedger { inner: parts.ledger.clone(), gates, faults })
}

fn log(parts: &Parts) -> Arc<GatedLog> {
    let (gates, faults) = (parts.gates.clone(), parts.faults.clone());
    Arc::new(GatedLog { inner: parts.databases.log.clone(), gates, faults })
}
