//! Creating many products and offers at once: one commit, so all of them or none, and quick.

use std::collections::HashSet;

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OfferId, OfferNumber, ProductId};
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::product::{OfferInfo, Product};
use firstcome_core::records::{RecordsExt as _, Unit};
use firstcome_core::time::Time;

use super::offer::NewOffer;
use super::product::NewProduct;
use super::store::{Catalog, ProductRow, busy, offer_row, product_row, saved, tell};
use crate::http::Outcome;

/// What is to be created.
pub struct Together<'a> {
    catalog: &'a Catalog,
    now: Time,
    next: OfferNumber,
    unit: Unit,
    /// Products that are in the unit already: new, or written as they are, so that a change at this moment is noticed.
    products: HashSet<ProductId>,
    offers: Vec<(OfferInfo, u64)>,
}

impl Catalog {
    /// Begins with nothing.
    pub async fn together(&self) -> Outcome<Together<'_>> {
        Ok(Together {
            catalog: self,
            now: self.ports.clock.now(),
            next: self.next_number().await?,
            unit: Unit::new(),
            products: HashSet::new(),
            offers: Vec::new(),
        })
    }
}

impl Together<'_> {
    /// Adds a product.
    pub fn product(&mut self, new: NewProduct) -> Outcome<Product> {
        let random = random_bytes(&*self.catalog.ports.random);
        let product = new.into_product(ProductId::at(self.now, random), self.catalog.ports.promises)?;
        self.catalog.is_to_come(&product, None)?;
        let unit = std::mem::take(&mut self.unit);
        self.unit = unit.insert(&product_row(&product, self.now)).event(&saved(&product), self.now);
        self.products.insert(product.product_id);
        Ok(product)
    }

    /// Adds an offer of a product, which is there or was added.
    pub async fn offer(&mut self, new: NewOffer, product: Product) -> Outcome<()> {
        let mut unit = std::mem::take(&mut self.unit);
        if self.products.insert(product.product_id) {
            let stored = self.catalog.ports.records.load::<ProductRow>(product.product_id).await?;
            unit = unit.update(&stored.filter(|stored| stored.record.product.0 == product).ok_or_else(busy)?);
        }
        self.catalog.is_to_come(&product, new.time_zone.as_deref())?;
        let initial_stock = new.stock;
        let random = random_bytes(&*self.catalog.ports.random);
        let id = OfferId::numbered(self.now, self.next, random);
        let info = new.into_info(id, product, self.now, &self.catalog.ports.time_zone)?;
        self.next = OfferNumber(self.next.0.saturating_add(1));
        let event = RoleEvent::OfferSaved { offer: Box::new(info.clone()) };
        self.unit = unit.insert(&offer_row(&info, initial_stock, self.now)).event(&event, self.now);
        self.offers.push((info, initial_stock));
        Ok(())
    }

    /// Creates all of it and puts it on sale. False, and nothing is done, when somebody else was faster.
    pub async fn commit(self) -> Outcome<bool> {
        if self.unit.is_empty() {
            return Ok(true);
        }
        if self.catalog.ports.records.commit(self.unit).await? != Committed::Done {
            return Ok(false);
        }
        for (info, initial_stock) in &self.offers {
            tell(&*self.catalog.ports.ledger, info, *initial_stock).await?;
        }
        Ok(true)
    }
}
