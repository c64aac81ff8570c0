//! Delivery and taking back meet in the same rows, whoever comes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, TakenLine, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, ProductId, RefundId, UserId};
use firstcome_core::ledger::{CardPart, Command, Facts, Hold, HoldRequest, Line, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{
    Clock as _, Committed, EventLog as _, JournalEntry, LedgerState, PortError, Records as _, StockLedger,
};
use firstcome_core::product::{Discount, OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::testkit::{MemoryJournal, MemoryLedger, MemoryLog, MemoryRecords, TestClock, TestRandom};
use firstcome_core::time::Time;

use super::redeem::Redemption;
use super::{MoneyBack, Movement, Options, Ports, TABLES, Voucher, Workers};
use crate::consumer::{DeadLetter, Handler as _, Replay as _, Replayed};
use crate::voucher_account::{Purpose, Taken, VoucherAccount};

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
    catalog: Arc<MemoryRecords>,
    clock: TestClock,
    workers: Workers,
    ports: Ports,
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
        let options = Options { time_zone: jiff::tz::TimeZone::UTC, money_back: MoneyBack::default() };
        let workers = Workers::create(options, &ports).await.expect("the role");
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
    assert_eq!(products.of(OFFER).await.expect("an answer").expect("a product").name, "Newer");
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

impl Shop {
    /// Sells two gift cards and delivers them.
    async fn cards(&self) -> (OrderId, Vec<Voucher>) {
        let order = self.sell().await;
        self.workers.delivery.catch_up().await.expect("delivered");
        (order, self.vouchers().await)
    }

    /// An order over one unit of the offer that a card pays a part of: reserved, and paid if `paid`.
    async fn order_beside(&self, card: &Voucher, key: &str, amount: i64, paid: bool) -> OrderId {
        let (account, order) = (of(card), OrderId::of_request(BUYER, key, 0, OFFER));
        account.open(&*self.ledger).await.expect("opened");
        let prepared = self.ledger.decide(account.number(), Command::Prepare(account.request(amount, order, 0))).await;
        let Outcome::Held(line) = prepared.expect("an answer") else { panic!("nothing is left") };
        let by_card = Some(CardPart { card: card.id, account: account.number(), amount });
        let (quantity, unit_price) = (line.quantity, line.unit_price);
        let other_lines = vec![Line { offer: account.id(), quantity, unit_price, seq: Some(line.seq) }];
        let facts = Some(Box::new(Facts { by_card, other_lines, ..Facts::default() }));
        let request =
            HoldRequest { order, person: BUYER, quantity: 1, unit_price: None, digest: 0, discount: 0, facts };
        let Outcome::Held(hold) = self.ledger.decide(OFFER, Command::Hold(request)).await.expect("an answer") else {
            panic!("sold out")
        };
        let promote = Command::Promote { order, expires_at: hold.expires_at };
        self.ledger.decide(account.number(), promote).await.expect("promoted");
        let attempt = PaymentId([3; 16]);
        for offer in [account.number(), OFFER].into_iter().filter(|_| paid) {
            for command in [Command::BeginPayment { order, attempt }, Command::Commit { order, attempt }] {
                self.ledger.decide(offer, command).await.expect("a sale");
            }
        }
        order
    }

    async fn give_back(&self, card: &Voucher, order: OrderId, refund: RefundId, quantity: u32) {
        let back = Command::Return { order, return_id: refund, quantity, restock: true };
        let back = self.ledger.decide(of(card).number(), back).await.expect("an answer");
        assert!(matches!(back, Outcome::Returned { .. }), "{back:?}");
    }

    async fn stored(&self, card: &Voucher) -> Stored<Voucher> {
        self.books.load::<Voucher>(card.id).await.expect("readable").expect("a card")
    }

    /// What happened to a card, in whatever order.
    async fn moved(&self, card: &Voucher) -> Vec<(&'static str, i64)> {
        let query = Query::all(Movement::TABLE, 100).is("voucher", card.id);
        let rows = self.books.list::<Movement>(query).await.expect("movements");
        let mut moved: Vec<_> = rows.iter().map(|row| (row.record.kind.as_str(), row.record.amount)).collect();
        moved.sort_unstable();
        moved
    }

    async fn left(&self, card: &Voucher) -> i64 {
        of(card).left(&*self.ledger).await.expect("known")
    }

    async fn judged(&self, refund: u8, order: OrderId, forced: bool) {
        let (refund, lines) = (RefundId([refund; 16]), Vec::new());
        let event = RoleEvent::RefundRequested { refund, order, amount: PRICE, forced, lines };
        self.orders.commit(Unit::new().event(&event, self.clock.now())).await.expect("a request");
        self.workers.taking_back.catch_up().await.expect("judged");
    }

    fn announced(&self, kind: &str) -> usize {
        self.books.events().iter().filter(|event| event.kind == kind).count()
    }
}

fn of(card: &Voucher) -> VoucherAccount {
    VoucherAccount { offer: OFFER, voucher: card.id, face: card.face }
}

#[tokio::test]
async fn what_orders_pay_with_a_card_and_get_back_is_on_its_row() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let reserved = shop.order_beside(&cards[0], "reserved", 100, false).await;
    let paid = shop.order_beside(&cards[0], "paid", 700, true).await;
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!((shop.stored(&cards[0]).await.record.balance, shop.left(&cards[0]).await), (300, 200));
    shop.give_back(&cards[0], paid, RefundId([1; 16]), 300).await;
    shop.give_back(&cards[0], paid, RefundId([2; 16]), 400).await;
    let release = Command::Release { order: reserved, reason: firstcome_core::ledger::ReleaseReason::Canceled };
    shop.ledger.decide(of(&cards[0]).number(), release).await.expect("released");
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!((shop.stored(&cards[0]).await.record.balance, shop.left(&cards[0]).await), (1_000, 1_000));
    let moved = [("issued", 1_000), ("returned", 300), ("returned", 400), ("spent", 700)];
    assert_eq!(shop.moved(&cards[0]).await, moved);
    assert_eq!((shop.left(&cards[1]).await, shop.moved(&cards[1]).await.len()), (1_000, 1));
}

#[tokio::test]
async fn cards_go_back_together_and_not_while_an_order_has_reserved_some() {
    let shop = Shop::open().await;
    let (order, cards) = shop.cards().await;
    let reserved = shop.order_beside(&cards[1], "reserved", 1, false).await;
    shop.judged(2, order, false).await;
    assert_eq!((shop.announced("vouchers.in_use"), shop.voided().await), (1, vec![false, false]));
    assert_eq!((shop.left(&cards[0]).await, shop.left(&cards[1]).await), (1_000, 999), "the other one is as it was");
    let release = Command::Release { order: reserved, reason: firstcome_core::ledger::ReleaseReason::Canceled };
    shop.ledger.decide(of(&cards[1]).number(), release).await.expect("released");
    shop.judged(3, order, false).await;
    assert_eq!((shop.announced("vouchers.voided"), shop.voided().await), (1, vec![true, true]));
    assert_eq!((shop.left(&cards[0]).await, shop.left(&cards[1]).await), (0, 0), "no checkout has them any more");
    assert_eq!(shop.announced("gift_card.saved"), 4, "issued, and canceled");
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.moved(&cards[0]).await, [("issued", 1_000), ("voided", 1_000)]);
}

/// The first time a card was taken in the ledger, and then another one of the order turned out to be used.
#[tokio::test]
async fn what_was_taken_for_nothing_is_given_back() {
    let shop = Shop::open().await;
    let (order, cards) = shop.cards().await;
    let name = super::take_back::name(RefundId([2; 16]), &cards[0]);
    let taken = of(&cards[0]).take(&*shop.ledger, 1_000, name, Purpose::TakeBack).await.expect("an answer");
    assert_eq!((taken, shop.left(&cards[0]).await), (Taken::Now, 0));
    shop.order_beside(&cards[1], "paid", 1, true).await;
    shop.judged(2, order, false).await;
    assert_eq!((shop.announced("vouchers.in_use"), shop.left(&cards[0]).await), (1, 1_000));
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.moved(&cards[0]).await, [("issued", 1_000)], "nobody has spent it");
}

/// A till has taken what it must not keep, because its key was used for another card at the same moment.
#[tokio::test]
async fn what_a_till_gives_back_at_once_is_on_its_row_again() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let (name, ledger) = (OrderId::of_request(BUYER, "redeem one", 0, OFFER), &*shop.ledger);
    for reader_first in [true, false] {
        let refund = RefundId([u8::from(reader_first); 16]);
        let name = if reader_first { name } else { OrderId::of_request(BUYER, "redeem two", 0, OFFER) };
        let taken = of(&cards[0]).take(ledger, 300, name, Purpose::Use).await.expect("an answer");
        assert_eq!(taken, Taken::Now);
        if reader_first {
            shop.workers.delivery.catch_up().await.expect("read");
            assert_eq!(shop.stored(&cards[0]).await.record.balance, 700);
        }
        of(&cards[0]).give_back(ledger, 300, name, refund).await.expect("given back");
        shop.workers.delivery.catch_up().await.expect("read");
        assert_eq!(shop.stored(&cards[0]).await.record.balance, 1_000);
    }
    let moved = [("issued", 1_000), ("redeemed", 300), ("redeemed", 300), ("returned", 300), ("returned", 300)];
    assert_eq!((shop.moved(&cards[0]).await, shop.left(&cards[0]).await), (moved.to_vec(), 1_000));
}

#[tokio::test]
async fn what_must_be_taken_back_is_though_some_was_spent() {
    let shop = Shop::open().await;
    let (order, cards) = shop.cards().await;
    let paid = shop.order_beside(&cards[0], "paid", 400, true).await;
    let reserved = shop.order_beside(&cards[0], "reserved", 100, false).await;
    shop.judged(2, order, true).await;
    let voided = [shop.stored(&cards[0]).await.record.voided, shop.stored(&cards[1]).await.record.voided];
    assert_eq!((shop.announced("vouchers.voided"), voided), (1, [true, true]));
    assert_eq!((shop.left(&cards[0]).await, shop.left(&cards[1]).await), (0, 0));
    // An order that was placed before may still be paid, and one that is undone gives back to a card that is void.
    let attempt = PaymentId([4; 16]);
    for command in [Command::BeginPayment { order: reserved, attempt }, Command::Commit { order: reserved, attempt }] {
        shop.ledger.decide(of(&cards[0]).number(), command).await.expect("paid");
    }
    shop.give_back(&cards[0], paid, RefundId([7; 16]), 400).await;
    shop.workers.delivery.catch_up().await.expect("read");
    let row = shop.stored(&cards[0]).await.record;
    assert_eq!((row.voided, row.balance), (true, 900));
    let moved = [("issued", 1_000), ("returned", 400), ("spent", 100), ("spent", 400), ("voided", 600)];
    assert_eq!(shop.moved(&cards[0]).await, moved);
}

/// Its row says what is left, for ever: on an account it would be full again.
#[tokio::test]
async fn a_card_that_was_used_before_there_were_accounts_is_used_by_its_row() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let mut old = shop.stored(&cards[0]).await;
    (old.record.offer, old.record.balance) = (None, 300);
    assert_eq!(shop.books.commit(Unit::new().update(&old)).await.expect("an answer"), Committed::Done);
    let vouchers = super::Vouchers { ports: shop.ports.clone(), money_back: MoneyBack::default() };
    let request = |key: &str| Redemption { merchant: UserId([4; 16]), key: key.to_owned(), digest: 1, taken: None };
    let too_much = vouchers.redeem(&mut request("one"), &shop.stored(&cards[0]).await, 301).await;
    assert_eq!(too_much.expect_err("300 are left").code(), firstcome_core::codes::ErrorCode::InsufficientBalance);
    for _ in 0..2 {
        let left = vouchers.redeem(&mut request("two"), &shop.stored(&cards[0]).await, 300).await;
        assert_eq!(left.expect("redeemed"), Some(0), "the same again is the same");
    }
    let again = vouchers.redeem(&mut request("three"), &shop.stored(&cards[0]).await, 1).await;
    assert_eq!(again.expect_err("it is used up").code(), firstcome_core::codes::ErrorCode::AlreadyUsed);
    assert_eq!(shop.left(&cards[0]).await, 1_000, "nobody has asked its account");
}

/// The till dies after the ledger has taken the money, and its client asks again.
#[tokio::test]
async fn a_redemption_that_only_the_ledger_knew_of_is_made_once() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let vouchers = super::Vouchers { ports: shop.ports.clone(), money_back: MoneyBack::default() };
    let request = |digest| Redemption { merchant: UserId([4; 16]), key: "key".to_owned(), digest, taken: None };
    let name = request(1).name(&cards[0]).expect("a card has an account");
    assert_eq!(of(&cards[0]).take(&*shop.ledger, 300, name, Purpose::Use).await.expect("taken"), Taken::Now);
    for reader_first in [true, false] {
        if reader_first {
            shop.workers.delivery.catch_up().await.expect("read");
            assert_eq!(shop.stored(&cards[0]).await.record.balance, 700);
        }
        let stored = shop.stored(&cards[0]).await;
        let left = vouchers.redeem(&mut request(1), &stored, 300).await.expect("redeemed");
        assert_eq!((left, shop.stored(&cards[0]).await.record.balance), (Some(700), 700));
    }
    let other = vouchers.redeem(&mut request(2), &shop.stored(&cards[1]).await, 5).await.expect_err("another body");
    assert_eq!(other.code(), firstcome_core::codes::ErrorCode::IdempotencyKeyReused);
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.moved(&cards[0]).await, [("issued", 1_000), ("redeemed", 300)]);
    assert_eq!((shop.left(&cards[0]).await, shop.left(&cards[1]).await), (700, 1_000));
}

#[tokio::test]
async fn the_rest_of_a_card_that_is_spent_for_the_most_part_is_paid_back_once() {
    let shop = Shop::open().await;
    let (bought, cards) = shop.cards().await;
    let vouchers = super::Vouchers { ports: shop.ports.clone(), money_back: MoneyBack::default() };
    let give_up = async |key: &str| vouchers.give_up(&shop.stored(&cards[0]).await.record, key).await;
    // It is a small card: four fifths must be spent.
    shop.order_beside(&cards[0], "much", 799, true).await;
    shop.workers.delivery.catch_up().await.expect("read");
    let refused = give_up("one").await.expect_err("too little is spent").summary();
    assert_eq!((&refused["spent_percent"], &refused["needed_percent"]), (&79.into(), &80.into()), "{refused}");
    shop.order_beside(&cards[0], "more", 1, true).await;
    let reserved = shop.order_beside(&cards[0], "reserved", 1, false).await;
    shop.workers.delivery.catch_up().await.expect("read");
    give_up("one").await.expect_err("some is reserved");
    let release = Command::Release { order: reserved, reason: firstcome_core::ledger::ReleaseReason::Canceled };
    shop.ledger.decide(of(&cards[0]).number(), release).await.expect("released");
    let given_up = give_up("one").await.expect("given up");
    assert_eq!(shop.left(&cards[0]).await, 0, "no checkout and no till has it any more");
    for key in ["one", "one"] {
        assert_eq!(give_up(key).await.expect("the same again"), given_up);
        shop.workers.delivery.catch_up().await.expect("read");
    }
    give_up("two").await.expect_err("nothing is left");
    let moved = [("issued", 1_000), ("refunded", 200), ("spent", 1), ("spent", 799)];
    assert_eq!((shop.stored(&cards[0]).await.record.balance, shop.moved(&cards[0]).await), (0, moved.to_vec()));
    let told = shop.books.events().into_iter().filter(|event| event.kind == "gift_card.given_up");
    let told: Vec<_> = told.filter_map(|event| RoleEvent::parse(&event.kind, &event.data).ok()).collect();
    let [RoleEvent::GiftCardGivenUp { order, units, face, percent, .. }] = told[..] else { panic!("{told:?}") };
    assert_eq!((order, units, face, percent), (bought, 200, 1_000, 100));
}

#[tokio::test]
async fn of_a_card_that_expired_unused_a_share_is_paid_back() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let vouchers = super::Vouchers { ports: shop.ports.clone(), money_back: MoneyBack::default() };
    shop.order_beside(&cards[1], "some", 10, true).await;
    shop.workers.delivery.catch_up().await.expect("read");
    let card = shop.stored(&cards[0]).await.record;
    vouchers.give_up(&card, "early").await.expect_err("it can still be spent");
    shop.clock.advance(std::time::Duration::from_secs(86_400) * 1_825);
    let used = shop.stored(&cards[1]).await.record;
    vouchers.give_up(&used, "used").await.expect_err("it expired, and some of it was spent");
    let given_up = vouchers.give_up(&card, "late").await.expect("given up");
    assert_eq!(given_up, vouchers.give_up(&card, "late").await.expect("the same again"));
    shop.workers.delivery.catch_up().await.expect("read");
    let told = shop.books.events().into_iter().find(|event| event.kind == "gift_card.given_up").expect("told");
    let RoleEvent::GiftCardGivenUp { units, percent, .. } = RoleEvent::parse(&told.kind, &told.data).expect("read")
    else {
        panic!("another event")
    };
    assert_eq!((units, percent), (1_000, 90));
}
