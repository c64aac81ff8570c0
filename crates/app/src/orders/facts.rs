//! What the role must know of others: the kind of what is sold, and where its buyers live (a reference, not the address).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{AddressId, OfferId, OfferNumber, ProductId, UserId};
use firstcome_core::ports::{LoggedEvent, PortError, Records, StockLedger};
use firstcome_core::product::{Condition, ProductKind, RefundPolicy};
use firstcome_core::record;
use firstcome_core::records::{Json, Query, Record as _, RecordsExt, Unit};
use firstcome_core::time::Time;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::forget::forget;
use super::terms::RefundTerms;
use super::{Ports, topic};
use crate::consumer::{Consumer, HandleError, Handler, Turn, parse};
use crate::letters::Letters;
use crate::role::Worker;

record! {
    /// What the role knows of an offer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct OfferFacts in "offer_facts" {
        /// The offer's number.
        pub number: OfferNumber,
        /// The offer.
        pub offer: OfferId,
        /// What is sold.
        pub kind: ProductKind,
        /// When money goes back.
        pub refund_policy: RefundPolicy,
        /// The day of the visit, for tickets that have one.
        pub visit_date: Option<String>,
        /// The product that is sold; missing in rows of old versions.
        pub product: Option<ProductId>,
        /// What a buyer must be or have.
        pub conditions: Option<Json<Vec<Condition>>>,
        /// The version of its terms that was heard of last; missing in rows of old versions.
        pub heard_version: Option<u32>,
        /// What it is called; missing in rows of old versions.
        pub name: Option<String>,
        /// Whether no VAT is due for it; missing in rows of old versions.
        pub tax_free: Option<bool>,
    }
    indexes []
}

record! {
    /// What the role knows of a buyer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct BuyerFacts in "buyer_facts" {
        /// Who.
        pub user: UserId,
        /// Where goods are sent unless the order says otherwise.
        pub address: Option<AddressId>,
    }
    indexes []
}

record! {
    /// A buyer of whom it is verified who they are.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct IdentifiedBuyer in "identified_buyers" {
        /// Who.
        pub user: UserId,
        /// Since when.
        pub at: Time,
    }
    indexes []
}

impl OfferFacts {
    /// What a buyer must be or have.
    pub(super) fn conditions(&self) -> &[Condition] {
        self.conditions.as_ref().map_or(&[], |conditions| &conditions.0)
    }
}

const CATALOG_CONSUMER: &str = "orders.catalog";
/// Rows read at a time.
const PAGE: u32 = 1_000;

/// The offers, each with the place of the event that told of it: an older event changes nothing.
type Offers = Arc<RwLock<HashMap<OfferNumber, (i64, OfferFacts)>>>;

/// The facts, and the consumers that follow them.
pub(super) struct Facts {
    offers: Offers,
    records: Arc<dyn Records>,
    ledger: Arc<dyn StockLedger>,
    catalog: Arc<Consumer<LoggedEvent, CatalogFacts>>,
    accounts: Arc<Consumer<LoggedEvent, AccountFacts>>,
}

impl Facts {
    pub(super) async fn create(ports: &Ports) -> Result<Self, PortError> {
        let offers = Offers::default();
        let position = ports.records.position(CATALOG_CONSUMER).await?;
        let rows = ports.records.every::<OfferFacts>(Query::all(OfferFacts::TABLE, PAGE)).await?;
        offers.write().extend(rows.into_iter().map(|row| (row.record.number, (row.version, row.record))));
        let catalog = consumer(ports, topics::CATALOG, CatalogFacts { offers: offers.clone() });
        Ok(Self {
            records: ports.records.clone(),
            ledger: ports.ledger.clone(),
            catalog: Arc::new(catalog.beginning_at(Turn::at(position))),
            accounts: Arc::new(consumer(ports, topics::ACCOUNTS, AccountFacts { records: ports.records.clone() })),
            offers,
        })
    }

    /// The offer of this id; none when there is no such offer. An offer that was only just created is found.
    pub(super) async fn offer(&self, offer: OfferId) -> Result<Option<OfferFacts>, PortError> {
        if offer.number().is_account() {
            // The ledger knows it, and nobody sells it.
            return Ok(None);
        }
        let known = || self.numbered(offer.number()).filter(|facts| facts.offer == offer);
        if let Some(facts) = known() {
            return Ok(Some(facts));
        }
        self.catalog.catch_up().await?;
        if let Some(facts) = known() {
            return Ok(Some(facts));
        }
        // The catalog announces an offer before it tells the ledger: what the ledger knows is on its way here.
        if self.ledger.snapshot(offer.number()).await?.is_none_or(|state| state.offer.terms.offer != offer) {
            return Ok(None);
        }
        let since = Instant::now();
        while known().is_none() && self.catalog.look_again(since).await? {}
        Ok(known())
    }

    /// Returns when what the catalogue said up to this version of an offer's terms is known. What the ledger sells under is
    /// announced, and so on its way here.
    pub(super) async fn heard(&self, offer: OfferNumber, version: u32) -> Result<(), PortError> {
        let heard_of = || self.read(offer, |facts| facts.heard_version);
        let is_heard = || heard_of().flatten().is_some_and(|heard| heard >= version);
        if is_heard() {
            return Ok(());
        }
        self.catalog.catch_up().await?;
        let is_old = heard_of() == Some(None);
        let since = Instant::now();
        while !is_old && !is_heard() {
            if !self.catalog.look_again(since).await? {
                return Err(PortError::Unavailable(format!("version {version} of offer {offer} is not heard of yet")));
            }
        }
        Ok(())
    }

    /// The offer of this number, if it is known.
    pub(super) fn numbered(&self, number: OfferNumber) -> Option<OfferFacts> {
        self.read(number, OfferFacts::clone)
    }

    /// What is wanted of the offer of this number, if it is known.
    pub(super) fn read<T>(&self, number: OfferNumber, wanted: impl FnOnce(&OfferFacts) -> T) -> Option<T> {
        self.offers.read().get(&number).map(|(_, facts)| wanted(facts))
    }

    /// Whether nothing of what the offer of this number sells is ever taxed.
    pub(super) fn is_untaxed(&self, number: OfferNumber) -> bool {
        self.read(number, |facts| facts.kind.is_untaxed()).unwrap_or(false)
    }

    /// Whether it is known that the offer of this number sells goods.
    pub(super) fn is_goods(&self, number: OfferNumber) -> bool {
        self.read(number, |facts| facts.kind == ProductKind::Goods).unwrap_or(false)
    }

    /// The offers that sell a product.
    pub(super) fn offers_of(&self, product: ProductId) -> HashSet<OfferNumber> {
        let offers = self.offers.read();
        offers
            .values()
            .map(|(_, facts)| facts)
            .filter(|facts| facts.product == Some(product))
            .map(|facts| facts.number)
            .collect()
    }

    /// Where goods for this buyer are sent; none when there is no address.
    pub(super) async fn address(&self, user: UserId) -> Result<Option<AddressId>, PortError> {
        Ok(self.buyer(user).await?.and_then(|buyer| buyer.address))
    }

    /// Whether it is announced that somebody has registered.
    pub(super) async fn is_registered(&self, user: UserId) -> Result<bool, PortError> {
        Ok(self.buyer(user).await?.is_some())
    }

    /// Whether it is announced that it is verified who somebody is.
    pub(super) async fn is_identified(&self, user: UserId) -> Result<bool, PortError> {
        if self.records.load::<IdentifiedBuyer>(user).await?.is_some() {
            return Ok(true);
        }
        self.accounts.catch_up().await?;
        Ok(self.records.load::<IdentifiedBuyer>(user).await?.is_some())
    }

    async fn buyer(&self, user: UserId) -> Result<Option<BuyerFacts>, PortError> {
        let mut known = self.records.load::<BuyerFacts>(user).await?;
        if known.is_none() {
            self.accounts.catch_up().await?;
            known = self.records.load::<BuyerFacts>(user).await?;
        }
        // Whoever is logged in has registered, so it is announced.
        let since = Instant::now();
        while known.is_none() && self.accounts.look_again(since).await? {
            known = self.records.load::<BuyerFacts>(user).await?;
        }
        Ok(known.map(|stored| stored.record))
    }

    pub(super) fn workers(&self, letters: &mut Letters) -> [Worker; 2] {
        [letters.follow(&self.catalog), letters.follow(&self.accounts)]
    }
}

fn consumer<H: Handler<LoggedEvent>>(ports: &Ports, name: &'static str, handler: H) -> Consumer<LoggedEvent, H> {
    Consumer::new(topic(ports, name), &ports.records, &ports.clock, handler)
}

struct CatalogFacts {
    offers: Offers,
}

#[async_trait]
impl Handler<LoggedEvent> for CatalogFacts {
    fn name(&self) -> &'static str {
        CATALOG_CONSUMER
    }

    fn keeps_memory(&self) -> bool {
        true
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::OfferSaved { offer } = parse(event)? {
                let facts = OfferFacts {
                    number: offer.offer_id.number(),
                    offer: offer.offer_id,
                    kind: offer.product.kind,
                    refund_policy: offer.refund_policy,
                    visit_date: offer.product.visit_date.clone(),
                    product: Some(offer.product.product_id),
                    conditions: (!offer.conditions.is_empty()).then(|| Json(offer.conditions.clone())),
                    heard_version: Some(offer.version),
                    name: Some(offer.product.name.clone()),
                    tax_free: Some(offer.product.tax_free),
                };
                unit = unit.advance(&facts, event.position);
                unit = unit.advance(&RefundTerms::of(&offer, event.at), event.position);
                let mut offers = self.offers.write();
                if offers.get(&facts.number).is_none_or(|(known, _)| *known < event.position) {
                    offers.insert(facts.number, (event.position, facts));
                }
            }
        }
        Ok(unit)
    }
}

struct AccountFacts {
    records: Arc<dyn Records>,
}

#[async_trait]
impl Handler<LoggedEvent> for AccountFacts {
    fn name(&self) -> &'static str {
        "orders.accounts"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            match parse(event)? {
                RoleEvent::UserRegistered { user, address } | RoleEvent::UserChanged { user, address } => {
                    unit = unit.advance(&BuyerFacts { user, address }, event.position);
                }
                RoleEvent::UserIdentified { user } => {
                    unit = unit.advance(&IdentifiedBuyer { user, at: event.at }, event.position);
                }
                RoleEvent::UserErased { user } => {
                    unit = unit.advance(&BuyerFacts { user, address: None }, event.position);
                    unit = unit.delete(&IdentifiedBuyer { user, at: event.at });
                    unit.append(forget(&*self.records, user).await?);
                }
                _ => {}
            }
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::ProductId;
    use firstcome_core::money::{Currency, Money};
    use firstcome_core::product::{OfferInfo, Product};
    use firstcome_core::records::NewEvent;
    use firstcome_core::testkit::MemoryRecords;
    use firstcome_core::time::Time;

    use super::*;

    fn saved(position: i64, refund_policy: RefundPolicy) -> LoggedEvent {
        let product = Product {
            product_id: ProductId([3; 16]),
            sku: None,
            kind: ProductKind::Ticket,
            name: "Gate".to_owned(),
            description: String::new(),
            image_url: None,
            tax_free: false,
            face_value: None,
            valid_for_days: None,
            visit_date: None,
            discount: None,
            minimum_amount: None,
            categories: Vec::new(),
        };
        let offer = Box::new(OfferInfo {
            offer_id: OfferId::numbered(Time(1), OfferNumber(1), [0; 6]),
            sku: None,
            product,
            price: Money::new(1_000, Currency::KRW),
            opens_at: Time(0),
            closes_at: None,
            limit_per_person: None,
            max_per_order: 10,
            hold_for_seconds: 600,
            refund_policy,
            time_zone: None,
            conditions: Vec::new(),
            draft: false,
            version: 1,
        });
        let NewEvent { id, kind, subject, at, data } = RoleEvent::OfferSaved { offer }.to_new(Time(1));
        LoggedEvent { position, id, kind, subject, at, data }
    }

    #[tokio::test]
    async fn an_older_event_changes_nothing_in_memory_either() {
        let (facts, records) = (
            CatalogFacts { offers: Offers::default() },
            MemoryRecords::new("orders", &[OfferFacts::TABLE, RefundTerms::TABLE]),
        );
        for (position, policy) in [(2, RefundPolicy::None), (1, RefundPolicy::FullUntilUsed)] {
            let unit = facts.handle(&[saved(position, policy)]).await.expect("handled");
            records.commit(unit).await.expect("committed");
        }
        let row = records.load::<OfferFacts>(OfferNumber(1)).await.expect("read").expect("a row").record;
        assert_eq!(row.refund_policy, RefundPolicy::None);
        assert_eq!(facts.offers.read().get(&OfferNumber(1)), Some(&(2, row)));
    }
}
