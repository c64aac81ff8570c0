//! The authority on stock. All that the rest of the program may know of the ledger.

use async_trait::async_trait;

use super::PortError;
use crate::ids::{OfferNumber, OrderId};
use crate::ledger::{Command, Hold, HoldRequest, Offer, OfferSnapshot, Outcome, Persons, Record, Refusal};
use crate::time::Time;

/// One record of the journal with its place among those of all offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalEntry {
    /// Strictly increasing; not gap-free.
    pub position: i64,
    /// The record.
    pub record: std::sync::Arc<Record>,
    /// The hash of its encoded bytes, which the offer's next record carries.
    pub hash: crate::ledger::Digest,
}

/// Refusals since the process started, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct RefusedCounts {
    /// See [`crate::ledger::Refusal::SoldOut`].
    pub sold_out: u64,
    /// See [`crate::ledger::Refusal::OverLimit`].
    pub over_limit: u64,
    /// See [`crate::ledger::Refusal::TooMany`].
    pub too_many: u64,
    /// See [`crate::ledger::Refusal::NotOpenYet`].
    pub not_open_yet: u64,
    /// See [`crate::ledger::Refusal::Closed`].
    pub closed: u64,
    /// See [`crate::ledger::Refusal::Frozen`].
    pub frozen: u64,
}

/// Counters of a running sale.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LiveCounters {
    /// Refusals by reason.
    pub refused: RefusedCounts,
    /// Units granted since the process started.
    pub granted: u64,
}

/// An offer as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerState {
    /// Terms, units and sequence number: durable, never ahead of the journal.
    pub offer: OfferSnapshot,
    /// Counters since the process started.
    pub live: LiveCounters,
}

/// Decides who gets a unit. The contract is `Offer::decide` for every command, and:
///
/// - an outcome is durable before it is answered; only the refusal of a new hold may be answered at once;
/// - commands of one offer are decided one after the other, in the order in which they were accepted;
/// - `Err(PortError::Overloaded)` means that nothing was decided; after any other error the command may or may not have
///   been, and asking again tells;
/// - holds past their deadline are released by the ledger itself, late but never early.
#[async_trait]
pub trait StockLedger: Send + Sync + 'static {
    /// Decides one command.
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError>;
    /// The hold of an order on its home offer, durable as of now, from memory or from the archive; none when it was never
    /// granted anything.
    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError>;
    /// The same as far as this process has read: durable, and not older than any entry that it has given. Where several
    /// processes decide, another may have changed it since; to know that none has costs more.
    async fn known(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.find(order).await
    }
    /// The offer now; none when there is no such offer.
    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError>;
    /// Why a new hold would be refused at `now`, as far as this process has read: nothing is recorded, and nothing is
    /// promised about the next try. By default from the offer's counters, which do not tell what a person owns.
    async fn would_refuse(
        &self,
        offer: OfferNumber,
        request: &HoldRequest,
        now: Time,
    ) -> Result<Option<Refusal>, PortError> {
        let state = self.snapshot(offer).await?;
        Ok(state.map_or(Some(Refusal::UnknownOffer), |state| {
            Offer::restore(state.offer, [], Persons::new()).would_refuse(request, now)
        }))
    }
    /// Records of one offer from the one that contains `from_seq` on, at most `limit`.
    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError>;
    /// Durable records of all offers after `position`, in order, at most `limit`. Positions begin at 1.
    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError>;
    /// Returns when there is an entry after `position`.
    async fn wait(&self, after: i64) -> Result<(), PortError>;
    /// Tells the ledger that its archive contains every entry up to `position`, so that settled holds may leave memory.
    fn archived(&self, position: i64);
}
