//! The full ids of offers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::{PortError, StockLedger};

/// Asks the ledger once for each offer of a file.
pub(crate) struct OfferIds {
    ledger: Arc<dyn StockLedger>,
    known: HashMap<OfferNumber, String>,
}

impl OfferIds {
    pub(crate) fn new(ledger: Arc<dyn StockLedger>) -> Self {
        Self { ledger, known: HashMap::new() }
    }

    /// The id of an offer; empty when there is no such offer, as of a charge for an order that nobody placed.
    pub(crate) async fn of(&mut self, number: OfferNumber) -> Result<String, PortError> {
        match self.known.entry(number) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(unknown) => match self.ledger.snapshot(number).await? {
                Some(state) => Ok(unknown.insert(state.offer.terms.offer.to_string()).clone()),
                None => Ok(String::new()),
            },
        }
    }
}
