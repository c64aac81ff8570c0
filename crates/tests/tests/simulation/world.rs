//! What survives the death of the shop: its databases and journal, the provider's books, the buyers' memories, the clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstcome_app::{orders, payments, vouchers};
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, OfferNumber, ProductId};
use firstcome_core::ledger::Terms;
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock as _, EventLog, PortError, Records};
use firstcome_core::product::{OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::records::{Table, Unit};
use firstcome_core::testkit::{MemoryLog, MemoryRecords, TestClock};
use firstcome_store::sqlite::{SqliteEventLog, SqliteRecords};
use firstcome_tests::Random;

use super::gates::at_once;

/// Where the roles' rows are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Storage {
    /// In memory that outlives the process: quick.
    Memory,
    /// In the SQLite files of the embedded product.
    Sqlite,
}

/// Every database of the shop, without gates.
#[derive(Clone)]
pub(super) struct Databases {
    pub(super) catalog: Arc<dyn Records>,
    pub(super) orders: Arc<dyn Records>,
    pub(super) payments: Arc<dyn Records>,
    pub(super) vouchers: Arc<dyn Records>,
    pub(super) log: Arc<dyn EventLog>,
}

const NAMES: [(&str, &[&Table]); 5] = [
    (topics::ACCOUNTS, &[]),
    (topics::CATALOG, &[]),
    (topics::ORDERS, orders::TABLES),
    (topics::PAYMENTS, payments::TABLES),
    (topics::VOUCHERS, vouchers::TABLES),
];

/// The disk, or what stands for it.
pub(super) enum Disk {
    Memory(Databases),
    Sqlite(PathBuf),
}

impl Disk {
    pub(super) fn new(storage: Storage, folder: PathBuf) -> Self {
        if storage == Storage::Sqlite {
            return Self::Sqlite(folder);
        }
        let all = NAMES.map(|(name, tables)| Arc::new(MemoryRecords::new(name, tables)));
        let log = Arc::new(MemoryLog(all.to_vec()));
        let [_, catalog, orders, payments, vouchers] = all;
        Self::Memory(Databases { catalog, orders, payments, vouchers, log })
    }

    /// The databases as a new process finds them.
    pub(super) fn open(&self) -> Result<Databases, PortError> {
        let folder = match self {
            Self::Memory(databases) => return Ok(databases.clone()),
            Self::Sqlite(folder) => folder,
        };
        let open = |(name, tables): (&str, _)| SqliteRecords::open(folder.join(format!("{name}.db")), tables);
        let [accounts, catalog, orders, payments, vouchers] =
            [open(NAMES[0])?, open(NAMES[1])?, open(NAMES[2])?, open(NAMES[3])?, open(NAMES[4])?];
        let all = [&accounts, &catalog, &orders, &payments, &vouchers];
        let log = SqliteEventLog::new(NAMES.iter().zip(all).map(|((name, _), records)| (*name, records.clone())));
        Ok(Databases { catalog, orders, payments, vouchers, log })
    }
}

/// One offer of the sale.
#[derive(Clone, Debug)]
pub(super) struct Sold {
    pub(super) terms: Terms,
    pub(super) kind: ProductKind,
}

impl Sold {
    pub(super) fn number(&self) -> OfferNumber {
        self.terms.offer.number()
    }
}

/// A few offers, too small for everyone: with and without a limit, some free, with little time to pay.
pub(super) fn offers(random: &mut Random, clock: &TestClock) -> Vec<Sold> {
    let now = clock.now();
    let offer = |number: u32, random: &mut Random| {
        let price = if random.chance(25) { 0 } else { 1_000 * i64::from(number) };
        let opens_after = *random.pick(&[0, 0, 0, 8]);
        Sold {
            terms: Terms {
                offer: OfferId::numbered(now, OfferNumber(number), [0; 6]),
                version: 1,
                initial_stock: 1 + random.below(5),
                price: Money::new(price, Currency::KRW),
                limit_per_person: *random.pick(&[None, Some(1), Some(2)]),
                max_per_order: 2,
                opens_at: now + Duration::from_secs(opens_after),
                closes_at: random.chance(20).then(|| now + Duration::from_secs(600)),
                hold_for_ms: 1_000 * (10 + random.below(110)) as u32,
                usable_until: None,
            },
            kind: *random.pick(&[ProductKind::GiftCard, ProductKind::Ticket]),
        }
    };
    (1..=2 + random.below(3) as u32).map(|number| offer(number, random)).collect()
}

/// The catalog's announcement of an offer.
pub(super) fn announce(catalog: &Arc<dyn Records>, sold: &Sold, clock: &TestClock) -> Result<(), PortError> {
    let terms = &sold.terms;
    let gift = sold.kind == ProductKind::GiftCard;
    let product = Product {
        product_id: ProductId::derived(&[&terms.offer.0]),
        sku: None,
        kind: sold.kind,
        name: "something".to_owned(),
        description: String::new(),
        image_url: None,
        tax_free: false,
        face_value: gift.then(|| Money::new(10_000, Currency::KRW)),
        valid_for_days: Some(365),
        visit_date: None,
        discount: None,
        minimum_amount: None,
        categories: Vec::new(),
    };
    let offer = Box::new(OfferInfo {
        offer_id: terms.offer,
        sku: None,
        product,
        price: terms.price,
        opens_at: terms.opens_at,
        closes_at: terms.closes_at,
        limit_per_person: terms.limit_per_person,
        max_per_order: terms.max_per_order,
        hold_for_seconds: terms.hold_for_ms / 1_000,
        time_zone: None,
        conditions: Vec::new(),
        refund_policy: RefundPolicy::FullUntilUsed,
        draft: false,
        version: terms.version,
    });
    at_once(catalog.commit(Unit::new().event(&RoleEvent::OfferSaved { offer }, clock.now()))).map(|_| ())
}
