//! A ledger in memory: the state machine, and nothing around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Hold, Offer, Outcome, Stock};
use firstcome_core::ports::{Clock, JournalEntry, LedgerState, LiveCounters, PortError, StockLedger};
use firstcome_core::testkit::TestClock;
use parking_lot::Mutex;

use crate::harm::Steps;

pub(super) struct TestLedger {
    offers: Mutex<BTreeMap<OfferNumber, Offer>>,
    clock: TestClock,
    steps: Arc<Steps>,
}

impl TestLedger {
    pub(super) fn new(clock: TestClock, steps: Arc<Steps>) -> Self {
        Self { offers: Mutex::default(), clock, steps }
    }

    /// Decides without any harm.
    pub(super) fn now(&self, offer: OfferNumber, command: &Command) -> Outcome {
        let mut offers = self.offers.lock();
        let offer = offers.entry(offer).or_default();
        let mut events = Vec::new();
        let outcome = offer.decide(command, self.clock.now(), &mut events);
        for event in &events {
            offer.evolve(event, self.clock.now());
        }
        outcome
    }

    pub(super) fn hold(&self, order: OrderId) -> Option<Hold> {
        self.line(order.home(), order)
    }

    /// An order's line on an offer.
    pub(super) fn line(&self, offer: OfferNumber, order: OrderId) -> Option<Hold> {
        self.offers.lock().get(&offer).and_then(|offer| offer.hold(order)).cloned()
    }

    pub(super) fn stock(&self, offer: OfferNumber) -> Stock {
        self.offers.lock().get(&offer).map(Offer::stock).unwrap_or_default()
    }
}

fn unavailable<T>() -> Result<T, PortError> {
    Err(PortError::Unavailable("harmed".to_owned()))
}

#[async_trait]
impl StockLedger for TestLedger {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        let name = format!("{command:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default();
        self.steps.pass(name, async || Ok(self.now(offer, &command)), unavailable).await
    }
    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.steps.pass("find", async || Ok(self.hold(order)), unavailable).await
    }
    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        let offer = self.offers.lock().get(&offer).and_then(Offer::snapshot);
        Ok(offer.map(|offer| LedgerState { offer, live: LiveCounters::default() }))
    }
    async fn journal(&self, _: OfferNumber, _: u64, _: usize) -> Result<Vec<JournalEntry>, PortError> {
        Ok(Vec::new())
    }
    async fn entries(&self, _: i64, _: usize) -> Result<Vec<JournalEntry>, PortError> {
        Ok(Vec::new())
    }
    async fn wait(&self, _: i64) -> Result<(), PortError> {
        std::future::pending().await
    }
    fn archived(&self, _: i64) {}
}
