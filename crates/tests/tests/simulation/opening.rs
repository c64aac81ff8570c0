//! The opening of a life: files, roles, and everyone who comes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use firstcome_app::role::Worker;
use firstcome_core::ledger::{Command, Terms};
use firstcome_core::ports::{HoldArchive, PortError, StockLedger};
use firstcome_core::testkit::LedgerHarness as _;
use firstcome_store::sqlite::SqliteLedger;
use firstcome_store::sqlite::ledger::{LedgerOptions, SteppedEngine};
use firstcome_tests::Random;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::director::Director;
use super::gates::Gates;
use super::life::Life;
use super::postman;
use super::provider::Provider;
use super::shop::{self, Parts};
use super::visit::Visitor;
use super::world;

impl<'a> Life<'a> {
    /// Opens the shop on what the life before left.
    pub(super) async fn open(director: &'a mut Director) -> Result<Self, PortError> {
        let databases = director.disk.open()?;
        let archive = shop::archive(director.folder.path())?;
        let (ledger, mut engine): (Arc<dyn StockLedger>, _) = if let Some(broken) = &director.broken {
            (broken.ledger(), None)
        } else {
            let options = options(director, archive.clone());
            let (ledger, engine) = SqliteLedger::open_stepped(options)?;
            (ledger, Some(engine))
        };
        if !std::mem::replace(&mut director.opened, true) {
            for sold in director.offers.iter() {
                world::announce(&databases.catalog, sold, &director.clock)?;
                sell(&ledger, engine.as_mut(), sold.terms).await?;
            }
        }
        director.compare(&*ledger);
        let gates = Arc::new(Gates::default());
        let provider = Arc::new(Provider {
            books: director.charges.clone(),
            clock: director.clock.clone(),
            gates: gates.clone(),
            faults: director.faults.clone(),
        });
        let parts = Parts {
            databases: databases.clone(),
            archive,
            ledger: ledger.clone(),
            provider,
            clock: Arc::new(director.clock.clone()),
            keys: director.keys.clone(),
            gates: gates.clone(),
            faults: director.faults.clone(),
            seed: director.random.draw(),
        };
        let surprises = Arc::default();
        let life = Self { director, databases, ledger, engine, gates, surprises, slow: 0, looks: 0 };
        life.begin(parts);
        Ok(life)
    }

    /// Starts the roles, and lets everyone in as soon as they are ready.
    fn begin(&self, parts: Parts) {
        let mut random = Random::new(parts.seed);
        let routes = Arc::new(OnceLock::new());
        let (ready, surprises) = (routes.clone(), self.surprises.clone());
        tokio::spawn(async move {
            match shop::open(&parts).await {
                Ok((router, workers)) => {
                    start(workers, &surprises);
                    ready.get_or_init(|| router);
                    parts.gates.tell();
                }
                Err(error) => surprises.lock().push(format!("opening: {error}")),
            }
        });
        let director = &*self.director;
        let (gates, faults) = (self.gates.clone(), director.faults.clone());
        let client = Client { routes, gates, faults, surprises: self.surprises.clone() };
        tokio::spawn(postman::deliver(client.clone(), director.charges.clone(), random.branch()));
        for wish in &director.wishes {
            let visitor = Visitor {
                client: client.clone(),
                wish: wish.clone(),
                offers: director.offers.clone(),
                books: director.charges.clone(),
                clock: director.clock.clone(),
                random: Mutex::new(random.branch()),
                count: director.count.clone(),
            };
            watched(&self.surprises, "a visitor", visitor.visit());
        }
    }
}

/// A ledger with narrow bounds as often as with wide ones.
fn options(director: &mut Director, archive: Arc<dyn HoldArchive>) -> LedgerOptions {
    let options = LedgerOptions::new(director.folder.path(), Arc::new(director.clock.clone()), archive);
    let random = &mut director.random;
    LedgerOptions {
        queue: *random.pick(&[2, 8_192]),
        batch: *random.pick(&[1, 3, 1_024]),
        gather: Duration::ZERO,
        recent_events: *random.pick(&[2, 32_768]),
        ..options
    }
}

async fn sell(
    ledger: &Arc<dyn StockLedger>,
    engine: Option<&mut SteppedEngine>,
    terms: Terms,
) -> Result<(), PortError> {
    let ledger = ledger.clone();
    let asked = tokio::spawn(async move { ledger.decide(terms.offer.number(), Command::SetTerms(terms)).await });
    tokio::task::yield_now().await;
    if let Some(engine) = engine {
        engine.step()?;
    }
    asked.await.expect("no panic").map(|_| ())
}

fn start(workers: Vec<Worker>, surprises: &Arc<Mutex<Vec<String>>>) {
    for worker in workers {
        let (name, surprises) = (worker.name, surprises.clone());
        let running = worker.start(CancellationToken::new());
        watched(&surprises.clone(), name, async move {
            let ended = running.await;
            surprises.lock().push(format!("{name} ended: {ended:?}"));
        });
    }
}

/// A task whose panic does not go unseen.
fn watched(surprises: &Arc<Mutex<Vec<String>>>, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let (task, surprises) = (tokio::spawn(work), surprises.clone());
    tokio::spawn(async move {
        if let Err(error) = task.await {
            surprises.lock().push(format!("{name} panicked: {error}"));
        }
    });
}
