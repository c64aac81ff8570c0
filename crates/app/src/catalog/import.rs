//! Taking products and offers from a file: what is new is created, what is there becomes as the file says, and what would
//! break a promise is refused. `check_*` say the same without doing it, so that a file is taken whole or not at all.

use std::collections::BTreeSet;

use firstcome_core::ids::{OfferId, ProductId};
use firstcome_core::product::{OfferInfo, Product};
use firstcome_core::records::{Query, Record as _, RecordsExt, Stored};

use super::offer::{NewOffer, OfferEdit, broken};
use super::product::{NewProduct, Promises};
use super::store::{Catalog, OfferRow, ProductRow, TRIES};
use crate::http::{Outcome, Problem};

/// What an import did with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Imported {
    /// It is new.
    Created,
    /// It was there and is as the row says now.
    Updated,
    /// It was there already, just so.
    Unchanged,
}

/// An offer as a file gives it.
#[derive(Debug, Clone)]
pub struct GivenOffer {
    /// The offer, with defaults where the file says nothing.
    pub offer: NewOffer,
    /// The `sku` of what it sells.
    pub product_sku: String,
    /// The fields that the file speaks of. The others stay as they are when the offer is there already, and so do times
    /// that the file gives relative to the import.
    pub given: BTreeSet<String>,
}

impl Catalog {
    /// Whether the shop has a product with this `sku`.
    pub async fn has_product(&self, sku: &str) -> Outcome<bool> {
        Ok(self.product_by_sku(sku).await?.is_some())
    }

    /// Whether the shop has an offer with this `sku`.
    pub async fn has_offer(&self, sku: &str) -> Outcome<bool> {
        Ok(self.offer_to_import(sku).await?.is_some())
    }

    /// Whether [`Catalog::import_product`] would take it.
    pub async fn check_product(&self, new: &NewProduct) -> Outcome<()> {
        if let Some(present) = self.product_by_sku(sku(new.sku.as_ref())?).await? {
            let product = named_as(&present, new.clone())?;
            return self.check_change(&present.record, &product).await;
        }
        self.is_to_come(&new.clone().into_product(ProductId::NIL, self.ports.promises)?, None)
    }

    /// Creates the product with this `sku`, or makes the one that is there as this says.
    pub async fn import_product(&self, new: NewProduct) -> Outcome<(Product, Imported)> {
        let sku = sku(new.sku.as_ref())?;
        insist(async || self.product_by_sku(sku).await, async |present| self.take_product(present, new.clone()).await)
            .await
    }

    async fn take_product(&self, present: Option<Stored<ProductRow>>, new: NewProduct) -> Outcome<(Product, Imported)> {
        let Some(present) = present else {
            return Ok((self.create_product(new).await?, Imported::Created));
        };
        let product = named_as(&present, new)?;
        let imported = if product == present.record.product.0 { Imported::Unchanged } else { Imported::Updated };
        Ok((self.change_product(present, product).await?, imported))
    }

    /// Whether [`Catalog::import_offer`] would take it.
    pub async fn check_offer(&self, given: &GivenOffer) -> Outcome<()> {
        if let Some(present) = self.offer_to_import(sku(given.offer.sku.as_ref())?).await? {
            return self.as_given(present, given).await.map(drop);
        }
        match self.product_by_sku(&given.product_sku).await? {
            Some(product) => self.is_to_come(&product.record.product.0, given.offer.time_zone.as_deref()),
            None => Ok(()),
        }
    }

    /// Creates the offer with this `sku`, or makes the one that is there as the file says.
    pub async fn import_offer(&self, given: GivenOffer, product_id: ProductId) -> Outcome<(OfferInfo, Imported)> {
        let sku = sku(given.offer.sku.as_ref())?;
        let take = async |present| self.take_offer(present, &given, product_id).await;
        insist(async || self.offer_to_import(sku).await, take).await
    }

    async fn take_offer(
        &self,
        present: Option<Stored<OfferRow>>,
        given: &GivenOffer,
        product_id: ProductId,
    ) -> Outcome<(OfferInfo, Imported)> {
        let Some(present) = present else {
            let new = NewOffer { product_id, ..given.offer.clone() };
            return Ok((self.create_offer(new).await?, Imported::Created));
        };
        let changed = self.as_given(present.clone(), given).await?;
        if changed == present {
            return Ok((present.record.offer.0, Imported::Unchanged));
        }
        Ok((self.save_offer(changed).await?.offer.0, Imported::Updated))
    }

    /// The product with this `sku`; what has none is called by its id, as an export does.
    async fn product_by_sku(&self, sku: &str) -> Outcome<Option<Stored<ProductRow>>> {
        let found = self.ports.records.list::<ProductRow>(Query::all(ProductRow::TABLE, 1).is("sku", sku)).await?.pop();
        match sku.parse::<ProductId>() {
            Ok(id) if found.is_none() => {
                let named = self.ports.records.load::<ProductRow>(id).await?;
                Ok(named.filter(|stored| stored.record.sku.is_none()))
            }
            _ => Ok(found),
        }
    }

    /// The offer with this `sku`; what has none is called by its id, as an export does.
    async fn offer_to_import(&self, sku: &str) -> Outcome<Option<Stored<OfferRow>>> {
        let found = self.offer_by_sku(sku).await?;
        match sku.parse::<OfferId>() {
            Ok(id) if found.is_none() => {
                let named = self.ports.records.load::<OfferRow>(id).await?;
                Ok(named.filter(|stored| stored.record.sku.is_none()))
            }
            _ => Ok(found),
        }
    }

    /// The offer that is there with what the file says of it.
    async fn as_given(&self, mut stored: Stored<OfferRow>, given: &GivenOffer) -> Outcome<Stored<OfferRow>> {
        let OfferRow { offer_id, initial_stock, offer, .. } = &mut stored.record;
        let info = &mut offer.0;
        let Product { sku, product_id, .. } = &info.product;
        if sku.clone().unwrap_or_else(|| product_id.to_string()) != given.product_sku {
            return Err(broken(
                "product_sku",
                "the offer that is there sells another product; give this one another sku",
            ));
        }
        if given.given.contains("draft") && info.draft != given.offer.draft {
            let why = if info.draft { "it is a draft; open it in the shop" } else { "it is no longer a draft" };
            return Err(broken("draft", why));
        }
        let state = self.state(*offer_id).await?;
        let stock = state.as_ref().map_or(*initial_stock, |state| state.offer.stock.stock);
        if given.given.contains("stock") && given.offer.stock != stock {
            if !info.draft {
                let wanted = given.offer.stock;
                let path = format!("POST /api/v1/admin/offers/{offer_id}/adjust");
                return Err(broken(
                    "stock",
                    &format!("it is {stock} in the shop, not {wanted}; change it with {path}"),
                ));
            }
            *initial_stock = given.offer.stock;
        }
        let units = state.map(|state| state.offer.stock).unwrap_or_default();
        OfferEdit::given(&given.offer, &given.given).apply(
            info,
            units,
            self.ports.clock.now(),
            &self.ports.time_zone,
        )?;
        Ok(stored)
    }
}

/// What the file says of a product that is there: one that was found by its id goes on without a `sku`, and
/// one of which the file does not say where it is found stays there, and a gift card keeps its days, whatever the shop
/// promises of new ones.
fn named_as(present: &Stored<ProductRow>, new: NewProduct) -> Outcome<Product> {
    let Product { sku, categories, valid_for_days, .. } = &present.record.product.0;
    let categories = new.categories.or_else(|| Some(categories.clone()));
    let usual = Promises::default();
    let promises = Promises { gift_card_days: valid_for_days.unwrap_or(usual.gift_card_days), ..usual };
    NewProduct { sku: sku.clone(), categories, ..new }.into_product(present.record.product_id, promises)
}

/// Takes a row as it is now, and again when it turns out that somebody else was faster: then it is there, or another.
async fn insist<R, T>(
    present: impl AsyncFn() -> Outcome<Option<Stored<R>>>,
    take: impl AsyncFn(Option<Stored<R>>) -> Outcome<T>,
) -> Outcome<T> {
    let mut tries = 1..TRIES;
    loop {
        let row = present().await?;
        let before = row.as_ref().map(|row| row.version);
        let problem = match take(row).await {
            Err(problem) => problem,
            taken => return taken,
        };
        let now = present().await?.map(|row| row.version);
        if now == before || tries.next().is_none() {
            return Err(problem);
        }
    }
}

fn sku(sku: Option<&String>) -> Outcome<&str> {
    sku.map(String::as_str).ok_or_else(|| Problem::field("sku", "an import needs one, so that twice is once"))
}
