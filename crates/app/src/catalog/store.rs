//! The rows of products and offers, and the way from a row to the ledger.

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{EventId, OfferId, OfferNumber, ProductId};
use firstcome_core::ledger::Command;
use firstcome_core::ports::{Committed, LedgerState, PortError, StockLedger, random_bytes};
use firstcome_core::product::{OfferInfo, Product, ProductKind};
use firstcome_core::record;
use firstcome_core::records::{Direction, Json, Query, Record as _, RecordsExt, Stored, Unit};
use firstcome_core::time::Time;

use super::Ports;
use super::offer::{NewOffer, terms};
use super::product::NewProduct;
use super::view::OfferView;
use crate::http::{Outcome, Problem};

record! {
    /// A product.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct ProductRow in "products" {
        /// Names it.
        pub(super) product_id: ProductId,
        /// The seller's own name for it.
        pub(super) sku: Option<String>,
        /// What it is.
        pub(super) kind: ProductKind,
        /// Its name, for searching.
        pub(super) name: String,
        /// When it was created.
        pub(super) created_at: Time,
        /// All of it.
        pub(super) product: Json<Product>,
    }
    indexes [unique "products_by_sku" ("sku"), index "products_by_time" ("created_at")]
}

record! {
    /// An offer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct OfferRow in "offers" {
        /// Names it.
        pub(super) offer_id: OfferId,
        /// The number inside it; never given twice.
        pub(super) number: OfferNumber,
        /// The seller's own name for it.
        pub(super) sku: Option<String>,
        /// What is sold.
        pub(super) product_id: ProductId,
        /// The kind of what is sold.
        pub(super) kind: ProductKind,
        /// When it opens.
        pub(super) opens_at: Time,
        /// When it closes.
        pub(super) closes_at: Option<Time>,
        /// Not shown, not sold.
        pub(super) draft: bool,
        /// Units at the beginning; afterwards the ledger knows.
        pub(super) initial_stock: u64,
        /// When it was created.
        pub(super) created_at: Time,
        /// All of it.
        pub(super) offer: Json<OfferInfo>,
    }
    indexes [
        unique "offers_by_number" ("number"),
        unique "offers_by_sku" ("sku"),
        index "offers_by_opening" ("opens_at"),
        index "offers_by_product" ("product_id"),
    ]
}

record! {
    /// A request to change the stock, so that its key means the same when it comes again.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct AdjustRequest in "adjust_requests" {
        /// Person and key.
        pub(super) key: EventId,
        /// Offer and body.
        pub(super) digest: Vec<u8>,
        /// When it came first.
        pub(super) at: Time,
    }
    indexes []
}

/// How often a commit is tried again when someone else was faster.
const TRIES: u32 = 16;

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

/// Products and offers.
pub struct Catalog {
    pub(super) ports: Ports,
}

/// Gives the ledger the terms of an offer; drafts are not its business.
pub(super) async fn tell(ledger: &dyn StockLedger, info: &OfferInfo, initial_stock: u64) -> Result<(), PortError> {
    if !info.draft {
        ledger.decide(info.offer_id.number(), Command::SetTerms(terms(info, initial_stock))).await?;
    }
    Ok(())
}

fn busy() -> Problem {
    Problem::new(ErrorCode::Unavailable).detail("Someone else is changing this at the moment; try again")
}

impl Catalog {
    /// The catalog over its ports.
    pub fn new(ports: Ports) -> Self {
        Self { ports }
    }

    pub(super) async fn product(&self, id: ProductId) -> Outcome<Stored<ProductRow>> {
        self.ports.records.load::<ProductRow>(id).await?.ok_or_else(Problem::not_found)
    }

    pub(super) async fn offer(&self, id: OfferId) -> Outcome<Stored<OfferRow>> {
        self.ports.records.load::<OfferRow>(id).await?.ok_or_else(Problem::not_found)
    }

    /// The offer with its units of now.
    pub(super) async fn view(&self, row: OfferRow) -> Outcome<OfferView> {
        let ledger = self.state(row.offer_id).await?;
        Ok(OfferView::new(row.offer.0, row.initial_stock, ledger.as_ref(), self.ports.clock.now()))
    }

    pub(super) async fn state(&self, offer: OfferId) -> Outcome<Option<LedgerState>> {
        Ok(self.ports.ledger.snapshot(offer.number()).await?)
    }

    /// Creates a product.
    pub async fn create_product(&self, new: NewProduct) -> Outcome<Product> {
        let now = self.ports.clock.now();
        let product = new.into_product(ProductId::at(now, random_bytes(&*self.ports.random)))?;
        let unit = Unit::new().insert(&product_row(&product, now)).event(&saved(&product), now);
        match self.ports.records.commit(unit).await? {
            Committed::Done => Ok(product),
            Committed::Conflict(_) => Err(Problem::field("sku", "another product has it")),
        }
    }

    pub(super) async fn save_product(&self, mut stored: Stored<ProductRow>) -> Outcome<Product> {
        let product = stored.record.product.0.clone();
        stored.record =
            ProductRow { created_at: stored.record.created_at, ..product_row(&product, stored.record.created_at) };
        let unit = Unit::new().update(&stored).event(&saved(&product), self.ports.clock.now());
        match self.ports.records.commit(unit).await? {
            Committed::Done => Ok(product),
            Committed::Conflict(_) => Err(busy()),
        }
    }

    /// Creates an offer and puts it on sale: when this returns, the ledger sells it.
    pub async fn create_offer(&self, new: NewOffer) -> Outcome<OfferInfo> {
        let product = self.ports.records.load::<ProductRow>(new.product_id).await?;
        let product = product.ok_or_else(|| Problem::field("product_id", "there is no such product"))?.record.product.0;
        let now = self.ports.clock.now();
        let initial_stock = new.stock;
        let mut info = new.into_info(OfferId::NIL, product, now)?;
        for _ in 0..TRIES {
            let number = self.next_number().await?;
            info.offer_id = OfferId::numbered(now, number, random_bytes(&*self.ports.random));
            let row = offer_row(&info, initial_stock, now);
            let unit = Unit::new().insert(&row).event(&RoleEvent::OfferSaved { offer: Box::new(info.clone()) }, now);
            if self.ports.records.commit(unit).await? == Committed::Done {
                tell(&*self.ports.ledger, &info, initial_stock).await?;
                return Ok(info);
            }
            if let Some(sku) = &info.sku
                && self.offer_by_sku(sku).await?.is_some()
            {
                return Err(Problem::field("sku", "another offer has it"));
            }
        }
        Err(busy())
    }

    async fn next_number(&self) -> Outcome<OfferNumber> {
        let last = Query::all(OfferRow::TABLE, 1).order_by("number", Direction::Descending);
        let last = self.ports.records.list::<OfferRow>(last).await?;
        Ok(OfferNumber(last.first().map_or(1, |row| row.record.number.0.saturating_add(1))))
    }

    /// Saves a changed offer under the next version and gives the ledger its terms.
    pub(super) async fn save_offer(&self, mut stored: Stored<OfferRow>) -> Outcome<OfferRow> {
        let info = &mut stored.record.offer.0;
        info.version += 1;
        let info = info.clone();
        stored.record = offer_row(&info, stored.record.initial_stock, stored.record.created_at);
        let event = RoleEvent::OfferSaved { offer: Box::new(info.clone()) };
        let unit = Unit::new().update(&stored).event(&event, self.ports.clock.now());
        match self.ports.records.commit(unit).await? {
            Committed::Done => {
                tell(&*self.ports.ledger, &info, stored.record.initial_stock).await?;
                Ok(stored.record)
            }
            Committed::Conflict(_) => Err(busy()),
        }
    }

    async fn offer_by_sku(&self, sku: &str) -> Outcome<Option<Stored<OfferRow>>> {
        Ok(self.ports.records.list::<OfferRow>(Query::all(OfferRow::TABLE, 1).is("sku", sku)).await?.pop())
    }

    /// Creates the product with this `sku`, or makes the one that is there as this says.
    pub async fn import_product(&self, new: NewProduct) -> Outcome<(Product, Imported)> {
        let Some(sku) = new.sku.clone() else {
            return Err(Problem::field("sku", "an import needs one, so that twice is once"));
        };
        let query = Query::all(ProductRow::TABLE, 1).is("sku", sku.as_str());
        let Some(mut present) = self.ports.records.list::<ProductRow>(query).await?.pop() else {
            return Ok((self.create_product(new).await?, Imported::Created));
        };
        let product = new.into_product(present.record.product_id)?;
        if product == present.record.product.0 {
            return Ok((product, Imported::Unchanged));
        }
        if product.kind != present.record.kind {
            return Err(Problem::new(ErrorCode::PromiseBroken).detail("kind: what a product is never changes"));
        }
        present.record.product.0 = product;
        Ok((self.save_product(present).await?, Imported::Updated))
    }

    /// Creates the offer with this `sku`; one that is there is left as it is, since people may have bought by it.
    pub async fn import_offer(&self, new: NewOffer) -> Outcome<(OfferInfo, Imported)> {
        let Some(sku) = new.sku.clone() else {
            return Err(Problem::field("sku", "an import needs one, so that twice is once"));
        };
        match self.offer_by_sku(&sku).await? {
            Some(present) => Ok((present.record.offer.0, Imported::Unchanged)),
            None => Ok((self.create_offer(new).await?, Imported::Created)),
        }
    }
}

fn saved(product: &Product) -> RoleEvent {
    RoleEvent::ProductSaved { product: product.clone() }
}

fn product_row(product: &Product, created_at: Time) -> ProductRow {
    ProductRow {
        product_id: product.product_id,
        sku: product.sku.clone(),
        kind: product.kind,
        name: product.name.clone(),
        created_at,
        product: Json(product.clone()),
    }
}

fn offer_row(info: &OfferInfo, initial_stock: u64, created_at: Time) -> OfferRow {
    OfferRow {
        offer_id: info.offer_id,
        number: info.offer_id.number(),
        sku: info.sku.clone(),
        product_id: info.product.product_id,
        kind: info.product.kind,
        opens_at: info.opens_at,
        closes_at: info.closes_at,
        draft: info.draft,
        initial_stock,
        created_at,
        offer: Json(info.clone()),
    }
}
