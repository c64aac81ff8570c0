//! Delivery and taking back meet in the same rows, whoever comes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, ProductId, RefundId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock as _, Committed, JournalEntry, LedgerState, PortError, Records as _, StockLedger};
use firstcome_core::product::{OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::testkit::{MemoryJournal, MemoryLedger, MemoryLog, MemoryRecords, TestClock, TestRandom};
use firstcome_core::time::Time;

use super::{Options, Ports, TABLES, Voucher, Workers};
use crate::consumer::Handler as _;

const OFFER: OfferNumber = OfferNumber(1);
const BUYER: UserId = UserId([9; 16]);
const PRICE: Money = Money::new(1000, Currency::KRW);

/// A ledger whose journal is behind what it says of an order, as another process' may be.
struct Behind {
    ledger: MemoryLedger,
    behind: AtomicBool,
}

#[async_trait]
impl StockLedger for Behind {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        self.ledger.decide(offer, command).await
    }
    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.ledger.find(order).await
    }
    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        self.ledger.snapshot(offer).await
    }
    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.ledger.journal(offer, from_seq, limit).await
    }
    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        if self.behind.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        self.ledger.entries(after, limit).await
    }
    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.ledger.wait(after).await
    }
    fn archived(&self, position: i64) {
        self.ledger.archived(position);
    }
}

struct Shop {
    ledger: Arc<Behind>,
    books: Arc<MemoryRecords>,
    orders: Arc<MemoryRecords>,
    clock: TestClock,
    workers: Workers,
}

impl Shop {
    /// One offer of gift cards.
    async fn open() -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        let ledger = MemoryLedger::open(MemoryJournal::default(), clock.clone());
        let ledger = Arc::new(Behind { ledger, behind: AtomicBool::new(false) });
        let books = Arc::new(MemoryRecords::new(topics::VOUCHERS, TABLES));
        let orders = Arc::new(MemoryRecords::new(topics::ORDERS, &[]));
        let catalog = Arc::new(MemoryRecords::new(topics::CATALOG, &[]));
        let offer = offer(clock.now());
        ledger.decide(OFFER, Command::SetTerms(terms(&offer))).await.expect("terms");
        let saved = Unit::new().event(&RoleEvent::OfferSaved { offer: Box::new(offer) }, clock.now());
        assert_eq!(catalog.commit(saved).await.expect("the catalogue"), Committed::Done);
        let ports = Ports {
            records: books.clone(),
            ledger: ledger.clone(),
            events: Arc::new(MemoryLog(vec![books.clone(), orders.clone(), catalog])),
            clock: Arc::new(clock.clone()),
            random: Arc::new(TestRandom::seeded(1)),
        };
        let options = Options { time_zone: jiff::tz::TimeZone::UTC };
        let workers = Workers::create(options, &ports).await.expect("the role");
        Self { ledger, books, orders, clock, workers }
    }

    /// Sells two cards.
    async fn sell(&self) -> OrderId {
        let order = OrderId::of_request(BUYER, "k", 0, OFFER);
        let attempt = PaymentId([1; 16]);
        let request = HoldRequest { order, person: BUYER, quantity: 2, digest: 0, discount: 0, facts: None };
        for command in
            [Command::Hold(request), Command::BeginPayment { order, attempt }, Command::Commit { order, attempt }]
        {
            self.ledger.decide(OFFER, command).await.expect("a sale");
        }
        order
    }

    async fn request_refund(&self, order: OrderId) {
        let event = RoleEvent::RefundRequested { refund: RefundId([2; 16]), order, amount: PRICE, forced: false };
        let unit = Unit::new().event(&event, self.clock.now());
        assert_eq!(self.orders.commit(unit).await.expect("a request"), Committed::Done);
    }

    /// Whether each voucher of the shop is void.
    async fn voided(&self) -> Vec<bool> {
        let vouchers = self.books.list::<Voucher>(Query::all(Voucher::TABLE, 100)).await.expect("vouchers");
        vouchers.into_iter().map(|stored| stored.record.voided).collect()
    }
}

fn offer(now: Time) -> OfferInfo {
    let product = Product {
        product_id: ProductId([3; 16]),
        sku: None,
        kind: ProductKind::GiftCard,
        name: "Card".to_owned(),
        description: String::new(),
        image_url: None,
        tax_free: true,
        face_value: Some(PRICE),
        valid_for_days: None,
        visit_date: None,
        discount: None,
        minimum_amount: None,
    };
    OfferInfo {
        offer_id: OfferId::numbered(now, OFFER, [0; 6]),
        sku: None,
        product,
        price: PRICE,
        opens_at: Time(0),
        closes_at: None,
        limit_per_person: None,
        max_per_order: 10,
        hold_for_seconds: 600,
        refund_policy: RefundPolicy::FullUntilUsed,
        conditions: Vec::new(),
        draft: false,
        version: 1,
    }
}

fn terms(offer: &OfferInfo) -> Terms {
    Terms {
        offer: offer.offer_id,
        version: offer.version,
        initial_stock: 10,
        price: offer.price,
        limit_per_person: offer.limit_per_person,
        max_per_order: offer.max_per_order,
        opens_at: offer.opens_at,
        closes_at: offer.closes_at,
        hold_for_ms: offer.hold_for_seconds * 1000,
    }
}

#[tokio::test]
async fn what_was_delivered_is_taken_back() {
    let shop = Shop::open().await;
    let order = shop.sell().await;
    shop.workers.delivery.catch_up().await.expect("delivered");
    assert_eq!(shop.voided().await, [false, false]);
    shop.request_refund(order).await;
    shop.workers.taking_back.catch_up().await.expect("taken back");
    assert_eq!(shop.voided().await, [true, true]);
}

#[tokio::test]
async fn what_was_taken_back_is_never_delivered_late() {
    let shop = Shop::open().await;
    let order = shop.sell().await;
    shop.ledger.behind.store(true, Ordering::Relaxed);
    shop.request_refund(order).await;
    shop.workers.taking_back.catch_up().await.expect("taken back");
    shop.ledger.behind.store(false, Ordering::Relaxed);
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.voided().await, [true, true]);
}

#[tokio::test]
async fn a_delivery_that_was_prepared_before_meets_what_was_taken_back() {
    let shop = Shop::open().await;
    let order = shop.sell().await;
    let entries = shop.ledger.ledger.entries(0, 100).await.expect("the journal");
    let prepared = shop.workers.delivery.handler.handle(&entries).await.expect("a delivery");
    shop.ledger.behind.store(true, Ordering::Relaxed);
    shop.request_refund(order).await;
    shop.workers.taking_back.catch_up().await.expect("taken back");
    assert!(matches!(shop.books.commit(prepared).await, Ok(Committed::Conflict(_))));
    shop.ledger.behind.store(false, Ordering::Relaxed);
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.voided().await, [true, true]);
}
