//! The rows of products and offers, and the way from a row to the ledger.

use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{ImageId, OfferId, OfferNumber, ProductId};
use firstcome_core::ledger::{Command, Terms};
use firstcome_core::ports::{Committed, LedgerState, PortError, StockLedger, random_bytes};
use firstcome_core::product::{Condition, OfferInfo, Product, ProductKind, zone_or};
use firstcome_core::record;
use firstcome_core::records::{Direction, Json, Query, Record as _, RecordsExt, Stored, Unit};
use firstcome_core::time::Time;
use parking_lot::RwLock;
use tokio::sync::{Mutex, Semaphore};

use super::Ports;
use super::categories::Tree;
use super::images;
use super::offer::{NewOffer, terms};
use super::product::NewProduct;
use super::search;
use super::view::{OfferView, ProductView};
use super::visit;
use crate::actions::about;
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
        /// What it is found by; empty only in rows from before there was this column, and the next.
        pub(super) search: Option<String>,
        /// What decides the place of its name.
        pub(super) sort_name: Option<String>,
        /// The picture of this shop that it shows.
        pub(super) image: Option<ImageId>,
    }
    indexes [
        unique "products_by_sku" ("sku"),
        index "products_by_time" ("created_at"),
        index "products_by_name" ("sort_name"),
        index "products_by_image" ("image"),
    ]
}

record! {
    /// An offer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct OfferRow in "offers" {
        /// Names it.
        pub offer_id: OfferId,
        /// The number inside it; never given twice.
        pub number: OfferNumber,
        /// The seller's own name for it.
        pub sku: Option<String>,
        /// What is sold.
        pub product_id: ProductId,
        /// The kind of what is sold.
        pub kind: ProductKind,
        /// When it opens.
        pub opens_at: Time,
        /// When it closes.
        pub closes_at: Option<Time>,
        /// Not shown, not sold.
        pub draft: bool,
        /// Units at the beginning; afterwards the ledger knows.
        pub initial_stock: u64,
        /// When it was created.
        pub created_at: Time,
        /// All of it.
        pub offer: Json<OfferInfo>,
        /// What it is found by; empty only in rows from before there was this column, and those behind it.
        pub search: Option<String>,
        /// What decides the place of its name.
        pub sort_name: Option<String>,
        /// What a unit costs, in minor units.
        pub price: Option<i64>,
    }
    indexes [
        unique "offers_by_number" ("number"),
        unique "offers_by_sku" ("sku"),
        index "offers_by_opening" ("opens_at"),
        index "offers_by_product" ("product_id"),
        index "offers_by_time" ("created_at"),
        index "offers_by_name" ("sort_name"),
        index "offers_by_price" ("price"),
    ]
}

impl OfferRow {
    /// The terms that the ledger sells it under; none for a draft.
    pub fn terms(&self) -> Option<Terms> {
        (!self.draft).then(|| terms(&self.offer.0, self.initial_stock))
    }

    /// Whether its columns say what the offer in it says.
    pub fn agrees_with_itself(&self) -> bool {
        // What it is found by follows from the program as well: one of another version may have written it, or none.
        let Self { search, sort_name, price, .. } = self.clone();
        *self == Self { search, sort_name, price, ..offer_row(&self.offer.0, self.initial_stock, self.created_at) }
    }
}

/// How often a commit is tried again when someone else was faster.
pub(super) const TRIES: u32 = 16;
/// Pictures that may arrive at the same time.
const UPLOADS: usize = 16;

/// Products and offers.
pub struct Catalog {
    pub(super) ports: Ports,
    /// One search at a time: those who look for what is not there go through everything, and must not take the processor
    /// from those who buy.
    pub(super) searches: Arc<Semaphore>,
    /// Pictures that arrive at the same time: so many are in the memory.
    pub(super) uploads: Arc<Semaphore>,
    /// One picture is read at a time.
    pub(super) pictures: Arc<Semaphore>,
    /// Who changes the categories, which are one row.
    pub(super) tree_changes: Mutex<()>,
    /// The categories as they were read last, with the version of their row.
    pub(super) tree: RwLock<Option<(i64, Arc<Tree>)>>,
}

/// Gives the ledger the terms of an offer; drafts are not its business.
pub(super) async fn tell(ledger: &dyn StockLedger, info: &OfferInfo, initial_stock: u64) -> Result<(), PortError> {
    if !info.draft {
        ledger.decide(info.offer_id.number(), Command::SetTerms(terms(info, initial_stock))).await?;
    }
    Ok(())
}

pub(super) fn busy() -> Problem {
    Problem::new(ErrorCode::Unavailable).detail("Someone else is changing this at the moment; try again")
}

impl Catalog {
    /// The catalog over its ports.
    pub fn new(ports: Ports) -> Self {
        let [searches, uploads, pictures] = [1, UPLOADS, 1].map(|places| Arc::new(Semaphore::new(places)));
        Self { ports, searches, uploads, pictures, tree_changes: Mutex::new(()), tree: RwLock::default() }
    }

    pub(super) async fn product(&self, id: ProductId) -> Outcome<Stored<ProductRow>> {
        self.ports.records.load::<ProductRow>(id).await?.ok_or_else(Problem::not_found)
    }

    pub(super) async fn offer(&self, id: OfferId) -> Outcome<Stored<OfferRow>> {
        self.ports.records.load::<OfferRow>(id).await?.ok_or_else(Problem::not_found)
    }

    /// The product as people see it.
    pub(super) async fn shown_product(&self, id: ProductId) -> Outcome<ProductView> {
        let mut product = self.product(id).await?.record.product.0;
        self.drop_gone(std::iter::once(&mut product)).await?;
        Ok(product.into())
    }

    /// The offer with its units of now.
    pub(super) async fn view(&self, mut row: OfferRow) -> Outcome<OfferView> {
        self.drop_gone(std::iter::once(&mut row.offer.0.product)).await?;
        let ledger = self.state(row.offer_id).await?;
        let Ports { promises, clock, .. } = &self.ports;
        Ok(OfferView::new(row.offer.0, row.initial_stock, ledger.as_ref(), *promises, clock.now()))
    }

    pub(super) async fn state(&self, offer: OfferId) -> Outcome<Option<LedgerState>> {
        Ok(self.ports.ledger.snapshot(offer.number()).await?)
    }

    /// Refuses a product whose day is over in this time zone, or where the shop is.
    pub(super) fn is_to_come(&self, product: &Product, time_zone: Option<&str>) -> Outcome<()> {
        let zone = zone_or(time_zone, &self.ports.time_zone);
        visit::is_to_come(product, &zone, self.ports.clock.now())
    }

    /// Creates a product.
    pub async fn create_product(&self, new: NewProduct) -> Outcome<Product> {
        let now = self.ports.clock.now();
        let product = new.into_product(ProductId::at(now, random_bytes(&*self.ports.random)), self.ports.promises)?;
        self.is_to_come(&product, None)?;
        self.check_categories(&product).await?;
        self.check_image(product.image_url.as_deref()).await?;
        let unit = Unit::new().insert(&product_row(&product, now)).event(&saved(&product), now);
        about(product.product_id);
        match self.ports.records.commit(unit).await? {
            Committed::Done => Ok(product),
            Committed::Conflict(_) => Err(Problem::field("sku", "another product has it")),
        }
    }

    /// Creates an offer and puts it on sale: when this returns, the ledger sells it.
    pub async fn create_offer(&self, new: NewOffer) -> Outcome<OfferInfo> {
        let now = self.ports.clock.now();
        let initial_stock = new.stock;
        for _ in 0..TRIES {
            let product = self.ports.records.load::<ProductRow>(new.product_id).await?;
            let product = product.ok_or_else(|| Problem::field("product_id", "there is no such product"))?;
            self.check_owned(&new.conditions).await?;
            self.is_to_come(&product.record.product.0, new.time_zone.as_deref())?;
            let sold = product.record.product.0.clone();
            let mut info = new.clone().into_info(OfferId::NIL, sold, now, &self.ports.time_zone)?;
            let number = self.next_number().await?;
            info.offer_id = OfferId::numbered(now, number, random_bytes(&*self.ports.random));
            let event = RoleEvent::OfferSaved { offer: Box::new(info.clone()) };
            // The product is written too, as it is: one that changes at this moment would miss its new offer.
            let unit = Unit::new().update(&product).insert(&offer_row(&info, initial_stock, now)).event(&event, now);
            about(info.offer_id);
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

    /// What buyers must own exists.
    pub(super) async fn check_owned(&self, conditions: &[Condition]) -> Outcome<()> {
        for condition in conditions {
            if let Condition::OwnsProduct(product) = condition
                && self.ports.records.load::<ProductRow>(*product).await?.is_none()
            {
                return Err(Problem::field("conditions", format!("there is no product {product}")));
            }
        }
        Ok(())
    }

    pub(super) async fn next_number(&self) -> Outcome<OfferNumber> {
        let last = Query::all(OfferRow::TABLE, 1).order_by("number", Direction::Descending);
        let last = self.ports.records.list::<OfferRow>(last).await?;
        Ok(OfferNumber(last.first().map_or(1, |row| row.record.number.0.saturating_add(1))))
    }

    /// Saves a changed offer under the next version and gives the ledger its terms.
    pub(super) async fn save_offer(&self, mut stored: Stored<OfferRow>) -> Outcome<OfferRow> {
        self.check_owned(&stored.record.offer.0.conditions).await?;
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

    pub(super) async fn offer_by_sku(&self, sku: &str) -> Outcome<Option<Stored<OfferRow>>> {
        Ok(self.ports.records.list::<OfferRow>(Query::all(OfferRow::TABLE, 1).is("sku", sku)).await?.pop())
    }
}

pub(super) fn saved(product: &Product) -> RoleEvent {
    RoleEvent::ProductSaved { product: product.clone() }
}

pub(super) fn product_row(product: &Product, created_at: Time) -> ProductRow {
    ProductRow {
        product_id: product.product_id,
        sku: product.sku.clone(),
        kind: product.kind,
        name: product.name.clone(),
        created_at,
        product: Json(product.clone()),
        search: Some(search::of_product(product)),
        sort_name: Some(search::sorted_by(&product.name)),
        image: images::own(product.image_url.as_deref()),
    }
}

pub(super) fn offer_row(info: &OfferInfo, initial_stock: u64, created_at: Time) -> OfferRow {
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
        search: Some(search::of_offer(info)),
        sort_name: Some(search::sorted_by(&info.product.name)),
        price: Some(info.price.amount),
    }
}
