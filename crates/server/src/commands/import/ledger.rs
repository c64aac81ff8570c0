//! The ledger of a shop that may be running: read from its journal, never written.

use std::collections::HashMap;

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Event, Hold, OfferSnapshot, Outcome, Terms};
use firstcome_core::ports::{JournalEntry, LedgerState, LiveCounters, PortError, StockLedger};
use firstcome_core::testkit::Auditor;
use firstcome_core::time::Time;
use firstcome_store::sqlite::ledger::verify_journal;

use crate::commands::CommandError;
use crate::folder::Folder;

/// Stands in for the ledger, which belongs to the server's process: knows the units of every offer, so that no promise is
/// broken, and sets no terms. The server reads the announcements of the catalogue, within a second when it runs and else
/// when it starts, and sets them itself.
pub(super) struct ReadLedger(HashMap<OfferNumber, OfferSnapshot>);

impl ReadLedger {
    /// Reads the journal whole, also while a server writes it.
    pub(super) fn open(folder: &Folder) -> Result<Self, CommandError> {
        let mut reading = Reading::default();
        let read = verify_journal(folder.path(), |entry| {
            reading.take(entry);
            Ok(())
        });
        // In a folder in which no server ran nothing was sold.
        if folder.database("journal").exists() {
            read.map_err(|error| CommandError::Broken(format!("journal: {error}")))?;
        }
        Ok(reading.finish())
    }

    /// Reads the journal of a ledger.
    #[cfg(feature = "cluster")]
    pub(super) async fn of(ledger: &dyn StockLedger) -> Result<Self, PortError> {
        const BATCH: usize = 1_024;
        let (mut reading, mut position) = (Reading::default(), 0);
        loop {
            let entries = ledger.entries(position, BATCH).await?;
            entries.iter().for_each(|entry| reading.take(entry));
            match entries.last() {
                Some(last) => position = last.position,
                None => return Ok(reading.finish()),
            }
        }
    }
}

/// The journal while it is read.
#[derive(Default)]
struct Reading {
    auditor: Auditor,
    terms: HashMap<OfferNumber, Terms>,
}

impl Reading {
    fn take(&mut self, entry: &JournalEntry) {
        self.auditor.take(entry);
        for event in &entry.record.events {
            if let Event::TermsSet(set) = event {
                self.terms.insert(entry.record.offer, *set);
            }
        }
    }

    fn finish(self) -> ReadLedger {
        let tallies = self.auditor.finish().offers;
        let known = self.terms.into_iter().map(|(offer, terms)| {
            let tally = tallies.get(&offer).cloned().unwrap_or_default();
            let (stock, seq) = (tally.stock, tally.seq);
            (offer, OfferSnapshot { terms, stock, frozen: false, seq, last_at: Time(0), adjustments: Vec::new() })
        });
        ReadLedger(known.collect())
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
