//! The role `payments`: collecting money, sending it back, and knowing at every moment where it is.
//!
//! A confirmation goes the way that the ledger's contract gives (the steps are in [`confirm`] and [`attempt`]): the payment
//! is looked up at the provider; the attempt is written; the ledger pins the units; the provider collects; DONE and
//! `payment.done` are written in one commit; the ledger commits the units; the buyer is answered.
//!
//! | state | what a crash leaves, and what heals it |
//! |---|---|
//! | `IN_PROGRESS` | perhaps pinned, perhaps charged: [`resolve`] asks the provider and goes on from its answer |
//! | UNKNOWN | the same; asked again and again with growing pauses |
//! | QUARANTINED | asked for too long: a person is called; still asked, still pinned |
//! | DONE | in one commit with `payment.done`, whose consumer ([`settle`]) commits the units again, or refunds |
//! | FAIL | in one commit with `payment.failed`, whose consumer unpins the units again |
//! | READY | a bank transfer that waits for its deposit: see [`transfer`] |
//! | refund PENDING | [`refunds`] asks the provider with the refund's id as key until it confirms |
//!
//! What the provider did without us (a charge that we never confirmed, a cancel in its console) comes by a notice or by
//! [`reconcile`] and is followed in [`follow`]. What nobody has told us is found by the [`settlement`] check.

mod attempt;
mod confirm;
mod follow;
mod metrics;
mod notice;
mod quarantine;
mod receipts;
mod reconcile;
mod refunds;
mod resolve;
mod rest;
mod rows;
mod settle;
mod settlement;
mod sheet;
mod show;
mod tax_free;
#[cfg(test)]
mod tests;
mod toss;
mod transfer;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::events::topics;
use firstcome_core::ports::{Clock, EventLog, LoggedEvent, PaymentProvider, PortError, Records, RoleName, StockLedger};
use firstcome_core::records::{Record, Table};
use futures_util::StreamExt as _;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, Semaphore};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::{Action, ActionHead};
use crate::consumer::{Consumer, DeadLetter, Handler, Topic};
use crate::letters::Letters;
use crate::role::{Role, Worker};
use crate::secrets::{self, KeyCheck, Keys, Sealed as _, SealedTables, reseal, resealer};
use crate::stock::Stock;
use metrics::Metrics;
use settle::Settled;

pub use rows::{Origin, Payment, Refund};
pub use settlement::{Calendar, Finding, Settlement};
pub use toss::{InvalidTossOptions, TossOptions, TossProvider};

/// The tables of the role's database.
pub const TABLES: &[&Table] = &[
    rows::Payment::TABLE,
    rows::Refund::TABLE,
    transfer::VirtualAccount::TABLE,
    receipts::CashReceipt::TABLE,
    quarantine::QuarantineRequest::TABLE,
    settlement::Settlement::TABLE,
    settlement::Finding::TABLE,
    DeadLetter::TABLE,
    Action::TABLE,
    ActionHead::TABLE,
    KeyCheck::TABLE,
];

/// Which of them have sealed columns, and which column says by what key.
pub const SEALED: SealedTables =
    &[(transfer::VirtualAccount::TABLE, transfer::VirtualAccount::KEY), (KeyCheck::TABLE, KeyCheck::KEY)];

/// Events that are handled in one commit at most; each may wait for the ledger.
const BATCH: usize = 256;

/// How payments are handled.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a confirmation may be under way before the resolver looks after it. Longer than the provider's deadline.
    pub lease: Duration,
    /// How long the provider may leave an attempt undecided before there is a warning.
    pub pay_for: Duration,
    /// How long it may before the attempt is quarantined with an alarm.
    pub quarantine_after: Duration,
    /// When a payment that is done is looked at again at the provider for the first time; later times follow.
    pub look_again_after: Duration,
    /// How often workers look for something to do.
    pub poll_every: Duration,
    /// Confirmations that may be under way together; more are refused at once.
    pub confirmations: usize,
    /// Notices that may be verified at the provider together.
    pub notices: usize,
    /// Calls that each worker makes to the provider together.
    pub calls: usize,
    /// When the provider's list is compared with our books.
    pub settlement: Calendar,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            pay_for: Duration::from_secs(5 * 60),
            quarantine_after: Duration::from_secs(24 * 60 * 60),
            look_again_after: Duration::from_secs(60 * 60),
            poll_every: Duration::from_millis(250),
            confirmations: 4096,
            notices: 32,
            calls: 16,
            settlement: Calendar::default(),
        }
    }
}

/// What the role needs of the outside.
#[derive(Clone)]
pub struct Ports {
    /// Its database, with [`TABLES`].
    pub records: Arc<dyn Records>,
    /// The ledger.
    pub ledger: Arc<dyn StockLedger>,
    /// What roles announce, this one too.
    pub events: Arc<dyn EventLog>,
    /// Where the money is.
    pub provider: Arc<dyn PaymentProvider>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Encrypts what buyers say of themselves for bank transfers.
    pub keys: Arc<Keys>,
}

/// What endpoints and workers share.
struct Payments {
    ports: Ports,
    options: Options,
    stock: Stock,
    settled: Settled,
    metrics: Metrics,
    confirming: Semaphore,
    verifying: Semaphore,
    refund_waits: Notify,
}

impl Payments {
    fn new(options: Options, ports: Ports, metrics: &mut Registry) -> Arc<Self> {
        Arc::new(Self {
            stock: Stock(Arc::clone(&ports.ledger)),
            settled: Settled::default(),
            metrics: Metrics::register(metrics),
            confirming: Semaphore::new(options.confirmations),
            verifying: Semaphore::new(options.notices),
            refund_waits: Notify::new(),
            ports,
            options,
        })
    }

    fn consumer<H: Handler<LoggedEvent>>(&self, topic: &'static str, handler: H) -> Arc<Consumer<LoggedEvent, H>> {
        let announced = Topic { log: Arc::clone(&self.ports.events), name: topic };
        let consumer = Consumer::new(announced, &self.ports.records, &self.ports.clock, handler);
        Arc::new(consumer.in_batches_of(BATCH))
    }

    fn workers(self: &Arc<Self>, letters: &mut Letters) -> Vec<Worker> {
        vec![
            letters.follow(&self.consumer(topics::PAYMENTS, settle::Settle(Arc::clone(self)))),
            letters.follow(&self.consumer(topics::ORDERS, refunds::Approved(Arc::clone(self)))),
            letters.follow(&self.consumer(topics::PAYMENTS, receipts::Told(Arc::clone(self)))),
            letters.follow(&self.consumer(topics::ACCOUNTS, transfer::Erased(Arc::clone(self)))),
            resolve::worker(Arc::clone(self)),
            refunds::worker(Arc::clone(self)),
            reconcile::worker(Arc::clone(self)),
            receipts::worker(Arc::clone(self)),
            transfer::forgetter(Arc::clone(self)),
            self.resealer(),
            settlement::worker(Arc::clone(self)),
        ]
    }

    /// Seals details anew when there is a new key.
    fn resealer(&self) -> Worker {
        let (records, keys) = (Arc::clone(&self.ports.records), Arc::clone(&self.ports.keys));
        resealer("payments-keys", move || {
            let (records, keys) = (Arc::clone(&records), Arc::clone(&keys));
            async move {
                Ok(reseal::<transfer::VirtualAccount>(&*records, &keys).await?
                    + reseal::<KeyCheck>(&*records, &keys).await?)
            }
        })
    }
}

/// Does all of these, a few at a time; what fails does not keep the others from being done. Returns how many there were,
/// or the first error.
async fn all<F>(work: impl IntoIterator<Item = F>, at_once: usize) -> Result<usize, PortError>
where
    F: Future<Output = Result<(), PortError>>,
{
    let outcomes: Vec<_> = futures_util::stream::iter(work).buffer_unordered(at_once).collect().await;
    outcomes.into_iter().try_fold(0, |count, outcome| outcome.map(|()| count + 1))
}

/// Refuses keys that are not those of the database, of which nothing is changed.
pub async fn look_at_keys(records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    secrets::look_at_keys::<transfer::VirtualAccount>(RoleName::Payments, records, keys, SEALED).await.map(drop)
}

/// Makes the role. Refused with encryption keys that are not those of the database.
pub async fn create(options: Options, ports: Ports, metrics: &mut Registry) -> Result<Role, PortError> {
    let (records, keys) = (&*ports.records, &ports.keys);
    secrets::require_keys::<transfer::VirtualAccount>(RoleName::Payments, records, keys, SEALED).await?;
    let payments = Payments::new(options, ports, metrics);
    let mut letters = Letters::new(RoleName::Payments, &payments.ports.records, &payments.ports.clock);
    let workers = payments.workers(&mut letters);
    Ok(Role { name: "payments", router: routes().with_state(payments), workers, letters: Some(letters) })
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Payments>> {
    OpenApiRouter::new()
        .routes(routes!(confirm::post))
        .routes(routes!(transfer::request::post))
        .routes(routes!(show::get))
        .routes(routes!(notice::post))
        .routes(routes!(quarantine::list::get))
        .routes(routes!(quarantine::ask_again::post))
        .routes(routes!(quarantine::resolve::post))
        .routes(routes!(settlement::post, settlement::list))
        .routes(routes!(settlement::get))
        .routes(routes!(settlement::findings))
        .routes(routes!(sheet::payments))
        .routes(routes!(sheet::refunds))
}
