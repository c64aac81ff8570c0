//! Records as rows of a file.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::{PortError, StockLedger};
use firstcome_core::records::Record;

use super::download::Rows;
use super::offers::OfferIds;
use super::pages::Pages;

/// Each record is one row, and stands under one offer.
pub(crate) struct RecordRows<R, F> {
    pages: Pages<R>,
    offers: OfferIds,
    offer: fn(&R) -> OfferNumber,
    row: F,
}

impl<R, F: Fn(&R, String) -> Vec<String>> RecordRows<R, F> {
    /// `offer` tells which offer, and `row` makes the row with that offer's id.
    pub(crate) fn new(pages: Pages<R>, ledger: Arc<dyn StockLedger>, offer: fn(&R) -> OfferNumber, row: F) -> Self {
        Self { pages, offers: OfferIds::new(ledger), offer, row }
    }
}

#[async_trait]
impl<R: Record, F: Fn(&R, String) -> Vec<String> + Send + Sync + 'static> Rows for RecordRows<R, F> {
    async fn next(&mut self) -> Result<Vec<Vec<String>>, PortError> {
        let page = self.pages.next().await?;
        let mut rows = Vec::with_capacity(page.len());
        for record in page {
            let offer = self.offers.of((self.offer)(&record)).await?;
            rows.push((self.row)(&record, offer));
        }
        Ok(rows)
    }
}
