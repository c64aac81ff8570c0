//! The ledger as the roles see it: the real one behind gates, with the director's hand on its engine.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Event, Hold, Outcome};
use firstcome_core::ports::{JournalEntry, LedgerState, PortError, StockLedger};

use super::faults::{Faults, Harm};
use super::gates::{Gates, at_once};
use super::storage::broken;

/// The ledger.
pub(super) struct GatedLedger {
    pub(super) inner: Arc<dyn StockLedger>,
    pub(super) gates: Arc<Gates>,
    pub(super) faults: Arc<Faults>,
}

#[async_trait]
impl StockLedger for GatedLedger {
    /// Refused by a full queue, or decided and the answer lost.
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        let storage = self.faults.weather.storage;
        self.gates.pass().await;
        if self.faults.strike(storage, 1_000) {
            return Err(PortError::Overloaded);
        }
        let asked = format!("{command:?}");
        let outcome = self.inner.decide(offer, command).await;
        self.faults.note(format!("ledger: {asked} -> {outcome:?}"));
        self.gates.tell();
        self.gates.pass().await;
        if self.faults.strike(storage, 1_000) { broken() } else { outcome }
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.gates.pass().await;
        at_once(self.inner.find(order))
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        self.gates.pass().await;
        at_once(self.inner.snapshot(offer))
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.gates.pass().await;
        at_once(self.inner.journal(offer, from_seq, limit))
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.gates.pass().await;
        at_once(self.inner.entries(after, limit))
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.gates.until(|| at_once(self.inner.entries(after, 1)).map(|entries| !entries.is_empty())).await
    }

    fn archived(&self, position: i64) {
        self.inner.archived(position);
    }
}

/// The journal as a vouchers role with [`Harm::DeliversHalf`] reads it.
pub(super) struct HalfBlind(pub(super) Arc<dyn StockLedger>);

#[async_trait]
impl StockLedger for HalfBlind {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        self.0.decide(offer, command).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.0.find(order).await
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        self.0.snapshot(offer).await
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.0.journal(offer, from_seq, limit).await
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let mut entries = self.0.entries(after, limit).await?;
        let sells = |event: &Event| matches!(event, Event::Committed { .. } | Event::Sold(_));
        for entry in entries.iter_mut().filter(|entry| entry.position % 2 == 0) {
            Arc::make_mut(&mut entry.record).events.retain(|event| !sells(event));
        }
        Ok(entries)
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.0.wait(after).await
    }

    fn archived(&self, _: i64) {}
}

/// The ledger that vouchers read.
pub(super) fn for_vouchers(ledger: Arc<dyn StockLedger>, harm: Option<Harm>) -> Arc<dyn StockLedger> {
    if harm == Some(Harm::DeliversHalf) { Arc::new(HalfBlind(ledger)) } else { ledger }
}
