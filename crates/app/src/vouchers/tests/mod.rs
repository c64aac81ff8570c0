//! Delivery and taking back meet in the same rows, whoever comes first.

mod gift_cards;
mod qr;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, TakenLine, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, ProductId, RefundId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{
    Clock as _, Committed, EventLog as _, JournalEntry, LedgerState, PortError, Records as _, StockLedger,
};
use firstcome_core::product::{Discount, OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::testkit::{MemoryJournal, MemoryLedger, MemoryLog, MemoryRecords, TestClock, TestRandom};
use firstcome_core::time::Time;

use super::{MoneyBack, Options, Ports, TABLES, Voucher, Workers};
use crate::consumer::{DeadLetter, Handler as _, Replay as _, Replayed};
use crate::voucher_account::{Purpose, Taken, VoucherAccount};

const OFFER: OfferNumber = OfferNumber(1);
const BUYER: UserId = UserId([9; 16]);
/// For how long at least a card is valid when money has come back to it.
const VALID_AGAIN: Duration = Duration::from_hours(30 * 24);
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
    catalog: Arc<MemoryRecords>,
    clock: TestClock,
    workers: Workers,
    ports: Ports,
}

fn options() -> Options {
    Options { time_zone: jiff::tz::TimeZone::UTC, money_back: MoneyBack::default(), valid_again: VALID_AGAIN }
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
        ledger.decide(OFFER, Command::SetTerms(terms(&offer(clock.now())))).await.expect("terms");
        let ports = Ports {
            records: books.clone(),
            ledger: ledger.clone(),
            events: Arc::new(MemoryLog(vec![books.clone(), orders.clone(), catalog.clone()])),
            clock: Arc::new(clock.clone()),
            random: Arc::new(TestRandom::seeded(1)),
        };
        let workers = Workers::create(options(), &ports).await.expect("the role");
        let shop = Self { ledger, books, orders, catalog, clock, workers, ports };
        shop.announce("Card", None).await;
        shop
    }

    /// The catalogue announces the offer with what it sells now.
    async fn announce(&self, name: &str, visit_date: Option<&str>) {
        let mut offer = offer(self.clock.now());
        (offer.product.name, offer.product.visit_date) = (name.to_owned(), visit_date.map(str::to_owned));
        let saved = Unit::new().event(&RoleEvent::OfferSaved { offer: Box::new(offer) }, self.clock.now());
        assert_eq!(self.catalog.commit(saved).await.expect("the catalogue"), Committed::Done);
    }

    /// The catalogue announces that the offer sells coupons.
    async fn announce_coupons(&self) {
        let mut offer = offer(self.clock.now());
        (offer.product.kind, offer.product.face_value) = (ProductKind::Coupon, None);
        offer.product.discount = Some(Discount::Amount(PRICE));
        let saved = Unit::new().event(&RoleEvent::OfferSaved { offer: Box::new(offer) }, self.clock.now());
        assert_eq!(self.catalog.commit(saved).await.expect("the catalogue"), Committed::Done);
    }

    /// Sells two coupons and delivers them.
    async fn coupons(&self) -> (OrderId, Vec<Voucher>) {
        self.announce_coupons().await;
        let order = self.sell().await;
        self.workers.delivery.catch_up().await.expect("delivered");
        (order, self.vouchers().await)
    }

    async fn vouchers(&self) -> Vec<Voucher> {
        let vouchers = self.books.list::<Voucher>(Query::all(Voucher::TABLE, 100)).await.expect("vouchers");
        vouchers.into_iter().map(|stored| stored.record).collect()
    }

    async fn take(&self, coupon: &Voucher, name: OrderId, purpose: Purpose) -> bool {
        let account = VoucherAccount { offer: OFFER, voucher: coupon.id, face: coupon.face };
        account.take(&*self.ledger, 1, name, purpose).await.expect("an answer") == Taken::Now
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        let letters = self.books.list::<DeadLetter>(Query::all(DeadLetter::TABLE, 100)).await.expect("letters");
        letters.into_iter().map(|stored| stored.record).collect()
    }

    async fn letter(&self) -> DeadLetter {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1);
        letters.remove(0)
    }

    /// Sells two cards.
    async fn sell(&self) -> OrderId {
        self.sell_for("k").await
    }

    /// Under this key.
    async fn sell_for(&self, key: &str) -> OrderId {
        let order = OrderId::of_request(BUYER, key, 0, OFFER);
        let attempt = PaymentId([1; 16]);
        let request =
            HoldRequest { order, person: BUYER, quantity: 2, unit_price: None, digest: 0, discount: 0, facts: None };
        for command in
            [Command::Hold(request), Command::BeginPayment { order, attempt }, Command::Commit { order, attempt }]
        {
            self.ledger.decide(OFFER, command).await.expect("a sale");
        }
        order
    }

    async fn request_refund(&self, order: OrderId) {
        self.request_refund_of(order, Vec::new()).await;
    }

    /// Of some units only.
    async fn request_refund_of(&self, order: OrderId, lines: Vec<TakenLine>) {
        let event =
            RoleEvent::RefundRequested { refund: RefundId([2; 16]), order, amount: PRICE, forced: false, lines };
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
        categories: Vec::new(),
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
        time_zone: None,
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
        usable_until: offer.usable_until(),
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

#[tokio::test]
async fn a_ticket_is_valid_to_the_end_of_its_day_where_the_offer_is() {
    let shop = Shop::open().await;
    let mut offer = offer(shop.clock.now());
    offer.product.visit_date = Some("2030-02-28".to_owned());
    offer.time_zone = Some("Asia/Seoul".to_owned());
    let saved = Unit::new().event(&RoleEvent::OfferSaved { offer: Box::new(offer) }, shop.clock.now());
    assert_eq!(shop.catalog.commit(saved).await.expect("the catalogue"), Committed::Done);
    shop.workers.products.consumer().catch_up().await.expect("read");
    shop.sell().await;
    shop.workers.delivery.catch_up().await.expect("delivered");
    let end: Time = "2030-02-28T15:00:00Z".parse().expect("a time");
    assert!(shop.vouchers().await.iter().all(|voucher| voucher.valid_until == end), "midnight in Seoul");
}

/// A sale whose product has a day that no calendar knows cannot be delivered.
async fn buried() -> (Shop, OrderId, DeadLetter) {
    let shop = Shop::open().await;
    shop.announce("Card", Some("2030-02-31")).await;
    shop.workers.products.consumer().catch_up().await.expect("read");
    let order = shop.sell().await;
    shop.workers.delivery.catch_up().await.expect("read");
    let letter = shop.letter().await;
    assert_eq!((letter.topic.as_str(), letter.kind.as_str()), ("journal", "journal"));
    assert!(letter.reason.contains("2030-02-31"), "{letter:?}");
    (shop, order, letter)
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_could_not_be_made_is_made_when_its_cause_is_mended() {
    let (shop, _, letter) = buried().await;
    let replayed = async || shop.workers.delivery.replay(letter.id).await.expect("an answer").expect("a letter");
    assert_eq!(replayed().await, Replayed::Failed(letter.reason.clone()));
    assert_eq!((shop.letter().await, shop.voided().await), (letter.clone(), vec![]), "nothing has changed");
    shop.announce("Card", Some("2030-02-28")).await;
    shop.workers.products.consumer().catch_up().await.expect("read");
    for _ in 0..3 {
        assert!(matches!(replayed().await, Replayed::Done(_)));
        assert_eq!(shop.voided().await, [false, false]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_meanwhile_is_not_delivered_by_a_replay() {
    let (shop, order, letter) = buried().await;
    shop.announce("Card", Some("2030-02-28")).await;
    shop.workers.products.consumer().catch_up().await.expect("read");
    shop.request_refund(order).await;
    shop.workers.taking_back.catch_up().await.expect("taken back");
    assert_eq!(shop.voided().await, [true, true]);
    let replayed = shop.workers.delivery.replay(letter.id).await.expect("an answer");
    assert!(matches!(replayed, Some(Replayed::Done(_))));
    assert_eq!(shop.voided().await, [true, true]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_delivered_keeps_no_other_refund_waiting() {
    let (shop, order, delivery) = buried().await;
    shop.announce("Card", Some("2030-02-28")).await;
    shop.workers.products.consumer().catch_up().await.expect("read");
    let other = shop.sell_for("other").await;
    let one = vec![TakenLine { offer: OFFER, quantity: 1, of: 2 }];
    for order in [order, other] {
        shop.request_refund_of(order, one.clone()).await;
    }
    shop.workers.taking_back.catch_up().await.expect("judged");
    let voided = async || shop.voided().await.into_iter().filter(|voided| *voided).count();
    assert_eq!(voided().await, 1, "that of the other order");
    let letters = shop.letters().await;
    let refund = letters.iter().find(|letter| letter.topic == topics::ORDERS).expect("a letter");
    assert!(refund.reason.contains("could not be delivered"), "{refund:?}");
    let replay = async || shop.workers.taking_back.replay(refund.id).await.expect("an answer").expect("a letter");
    assert!(matches!(replay().await, Replayed::Failed(_)), "the delivery comes first");
    let delivered = shop.workers.delivery.replay(delivery.id).await.expect("an answer");
    assert!(matches!(delivered, Some(Replayed::Done(_))));
    assert!(matches!(replay().await, Replayed::Done(_)));
    assert_eq!(voided().await, 2);
}

#[tokio::test]
async fn an_older_event_changes_nothing_in_memory_either() {
    let shop = Shop::open().await;
    shop.announce("Newer", None).await;
    let products = &shop.workers.products;
    products.consumer().catch_up().await.expect("read");
    let older = shop.catalog.read(topics::CATALOG, 0, 1).await.expect("the first event");
    products.consumer().handler.handle(&older).await.expect("handled");
    assert_eq!(products.of(OFFER).await.expect("an answer").expect("a product").product.0.name, "Newer");
}

#[tokio::test]
async fn of_some_units_so_many_vouchers_are_taken_back() {
    let shop = Shop::open().await;
    let order = shop.sell().await;
    let one = vec![TakenLine { offer: OFFER, quantity: 1, of: 2 }];
    shop.request_refund_of(order, one.clone()).await;
    shop.workers.taking_back.catch_up().await.expect("taken back");
    assert_eq!(shop.voided().await.into_iter().filter(|voided| *voided).count(), 1);
    let mut events = shop.books.events();
    assert_eq!(events.pop().expect("an event").kind, "vouchers.voided");
    // The other one was used: it stays, and the refund is refused.
    let left = shop.books.list::<Voucher>(Query::all(Voucher::TABLE, 100)).await.expect("vouchers");
    let mut left = left.into_iter().find(|stored| !stored.record.voided).expect("one is left");
    left.record.balance = 0;
    assert_eq!(shop.books.commit(Unit::new().update(&left)).await.expect("used"), Committed::Done);
    shop.clock.advance(std::time::Duration::from_secs(1));
    shop.request_refund_of(order, one).await;
    shop.workers.taking_back.catch_up().await.expect("judged");
    assert_eq!(shop.books.events().pop().expect("an event").kind, "vouchers.in_use");
    assert_eq!(shop.voided().await.into_iter().filter(|voided| *voided).count(), 1);
}

/// The process dies, or another one reads on, between taking a coupon in the ledger and writing that it is void.
#[tokio::test]
async fn a_coupon_that_goes_back_is_not_marked_as_used() {
    let shop = Shop::open().await;
    let (order, issued) = shop.coupons().await;
    assert_eq!(shop.books.events().iter().filter(|event| event.kind == "coupon.issued").count(), 2);
    let name = super::take_back::name(RefundId([2; 16]), &issued[0]);
    assert!(shop.take(&issued[0], name, Purpose::TakeBack).await);
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.vouchers().await, issued, "nothing was used");
    shop.request_refund(order).await;
    shop.workers.taking_back.catch_up().await.expect("taken back");
    assert_eq!(shop.voided().await, [true, true]);
    for coupon in &issued {
        assert!(!shop.take(coupon, OrderId([7; 16]), Purpose::Use).await, "no checkout and no till has it any more");
    }
}

#[tokio::test]
async fn coupons_go_back_together_or_not_at_all() {
    let shop = Shop::open().await;
    let (order, issued) = shop.coupons().await;
    assert!(shop.take(&issued[1], OrderId([7; 16]), Purpose::Use).await);
    // The ledger knows before the row does.
    shop.ledger.behind.store(true, Ordering::Relaxed);
    shop.request_refund(order).await;
    shop.workers.taking_back.catch_up().await.expect("judged");
    assert!(shop.books.events().iter().any(|event| event.kind == "vouchers.in_use"));
    shop.ledger.behind.store(false, Ordering::Relaxed);
    shop.workers.delivery.catch_up().await.expect("read");
    let left: Vec<_> = shop.vouchers().await.iter().map(|voucher| (voucher.balance, voucher.voided)).collect();
    assert_eq!(left, [(1, false), (0, false)]);
    assert!(shop.take(&issued[0], OrderId([8; 16]), Purpose::Use).await, "the other is as it was");
}
