//! The ledger of a shop that may be running: read from its journal, never written.

use std::collections::HashMap;

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Event, Hold, OfferSnapshot, Outcome, Terms};
use firstcome_core::ports::{JournalEntry, LedgerState, LiveCounters, PortError, StockLedger};
use firstcome_core::testkit::Auditor;
use firstcome_core::time::Time;

use crate::commands::CommandError;
use crate::place::Place;

/// Stands in for the ledger, which belongs to the server's process: knows the units of every offer, so that no promise is
/// broken, and sets no terms. The server reads the announcements of the catalogue, within a second when it runs and else
/// when it starts, and sets them itself.
pub(in crate::commands) struct ReadLedger(HashMap<OfferNumber, OfferSnapshot>);

impl ReadLedger {
    /// Reads the journal whole, also while a server writes it.
    pub(in crate::commands) fn open(place: &Place) -> Result<Self, CommandError> {
        let mut auditor = Auditor::default();
        let mut terms: HashMap<OfferNumber, Terms> = HashMap::new();
        let read = place.read_journal(|entry| {
            auditor.take(entry);
            for event in &entry.record.events {
                if let Event::TermsSet(set) = event {
                    terms.insert(entry.record.offer, *set);
                }
            }
        });
        if place.has_journal() {
            read.map_err(|error| CommandError::Broken(format!("journal: {error}")))?;
        }
        let tallies = auditor.finish().offers;
        let known = terms.into_iter().map(|(offer, terms)| {
            let tally = tallies.get(&offer).cloned().unwrap_or_default();
            let (stock, seq) = (tally.stock, tally.seq);
            (offer, OfferSnapshot { terms, stock, frozen: false, seq, last_at: Time(0), adjustments: Vec::new() })
        });
        Ok(Self(known.collect()))
    }
}

#[async_trait]
impl StockLedger for ReadLedger {
    async fn decide(&self, _: OfferNumber, _: Command) -> Result<Outcome, PortError> {
        Ok(Outcome::Done { seq: 0 })
    }
    async fn find(&self, _: OrderId) -> Result<Option<Hold>, PortError> {
        Ok(None)
    }
    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        let known = self.0.get(&offer).cloned();
        Ok(known.map(|offer| LedgerState { offer, live: LiveCounters::default() }))
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
