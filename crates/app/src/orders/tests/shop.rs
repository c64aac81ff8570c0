//! A small shop around the role: three offers, a buyer, a ledger that can be harmed at every step.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, ProductId, UserId, body_digest};
use firstcome_core::ledger::{Command, Hold, HoldState, Outcome as LedgerOutcome, Stock, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::ShippingState;
use firstcome_core::ports::{Clock as _, JournalEntry, LedgerState, PortError, Records as _, StockLedger};
use firstcome_core::product::{OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::records::Unit;
use firstcome_core::step::Unwritten;
use firstcome_core::testkit::{MemoryArchive, MemoryJournal, MemoryLedger, MemoryLog, MemoryRecords, TestClock};
use firstcome_core::time::Time;

use crate::harm::Steps;
use crate::http::Outcome;
use crate::orders::basket::Basket;
use crate::orders::books::Books;
use crate::orders::sweep::{LEFT_BEHIND, Sweeper};
use crate::orders::view::OrderView;
use crate::orders::{Orders, Ports, ShopTerms, TABLES};
use crate::secrets::{Keys, SystemRandom};

pub(super) const BUYER: UserId = UserId([9; 16]);
pub(super) const HOME: OfferNumber = OfferNumber(1);
pub(super) const SECOND: OfferNumber = OfferNumber(2);
pub(super) const THIRD: OfferNumber = OfferNumber(3);
/// Units of each offer at the beginning.
pub(super) const STOCK: u64 = 5;

/// A ledger of which every command is a step.
struct Harmed {
    inner: MemoryLedger,
    steps: Arc<Steps>,
}

#[async_trait]
impl StockLedger for Harmed {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<LedgerOutcome, PortError> {
        let name = format!("{command:?}");
        let name = name.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
        let failed = || Err(PortError::Unavailable("harmed".to_owned()));
        self.steps.pass(&name, async || self.inner.decide(offer, command.clone()).await, failed).await
    }
    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.inner.find(order).await
    }
    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        self.inner.snapshot(offer).await
    }
    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.inner.journal(offer, from_seq, limit).await
    }
    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        self.inner.entries(after, limit).await
    }
    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.inner.wait(after).await
    }
    fn archived(&self, position: i64) {
        self.inner.archived(position);
    }
}

pub(super) struct Shop {
    pub(super) ports: Ports,
    pub(super) steps: Arc<Steps>,
    pub(super) clock: TestClock,
    pub(super) orders: Arc<Orders>,
    pub(super) catalog: Arc<MemoryRecords>,
    pub(super) accounts: Arc<MemoryRecords>,
    pub(super) vouchers: Arc<MemoryRecords>,
    pub(super) payments: Arc<MemoryRecords>,
    /// The code of the coupon that orders ask for.
    pub(super) coupon: Option<String>,
    /// The code of the gift card that pays.
    pub(super) gift_card: Option<String>,
}

impl Shop {
    /// Three offers at these prices.
    pub(super) async fn open(prices: [i64; 3]) -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        let steps = Arc::new(Steps::default());
        let inner = MemoryLedger::open(MemoryJournal::default(), clock.clone());
        let ledger = Arc::new(Harmed { inner, steps: steps.clone() });
        let records = Arc::new(MemoryRecords::new(topics::ORDERS, TABLES));
        let others = [topics::CATALOG, topics::ACCOUNTS, topics::VOUCHERS, topics::PAYMENTS]
            .map(|topic| Arc::new(MemoryRecords::new(topic, &[])));
        let [catalog, accounts, vouchers, payments] = others.clone();
        let ports = Ports {
            records: records.clone(),
            ledger,
            archive: Arc::new(MemoryArchive::default()),
            events: Arc::new(MemoryLog(others.into_iter().chain([records]).collect())),
            clock: Arc::new(clock.clone()),
            time_zone: jiff::tz::TimeZone::UTC,
            unwritten: Unwritten::default(),
            shop: ShopTerms::default(),
            keys: Arc::new(Keys::in_memory(&SystemRandom)),
        };
        let orders = opened(&ports).await;
        let shop =
            Self { ports, steps, clock, orders, catalog, accounts, vouchers, payments, coupon: None, gift_card: None };
        for (number, price) in [HOME, SECOND, THIRD].into_iter().zip(prices) {
            shop.sell(&offer(number, Money::new(price, Currency::KRW))).await;
        }
        shop
    }

    /// Announces an offer and tells the ledger.
    pub(super) async fn sell(&self, offer: &OfferInfo) {
        let saved = RoleEvent::OfferSaved { offer: Box::new(offer.clone()) };
        self.catalog.commit(Unit::new().event(&saved, self.clock.now())).await.expect("announced");
        self.set_terms(offer).await;
    }

    /// Tells the ledger alone.
    pub(super) async fn set_terms(&self, offer: &OfferInfo) {
        self.decide(offer.offer_id.number(), Command::SetTerms(terms(offer))).await;
    }

    /// Sells the first offer as goods from now on.
    pub(super) async fn sell_goods(&self) {
        let ticket = offer(HOME, Money::new(1_000, Currency::KRW));
        let product = Product { kind: ProductKind::Goods, ..ticket.product.clone() };
        self.sell(&OfferInfo { product, version: 2, ..ticket }).await;
        self.orders.facts.heard(HOME, 2).await.expect("heard");
    }

    /// The goods of an order reach its buyer.
    pub(super) async fn deliver(&self, hold: &Hold) {
        for (from, to) in
            [(ShippingState::Preparing, ShippingState::Shipping), (ShippingState::Shipping, ShippingState::Delivered)]
        {
            let step = |books: &mut Books, now| {
                books.after.parcel.0.delivered_at = (to == ShippingState::Delivered).then_some(now);
                books.moves(from, to)
            };
            self.orders.change(hold, step).await.expect("on its way");
        }
    }

    pub(super) async fn decide(&self, offer: OfferNumber, command: Command) -> LedgerOutcome {
        self.ports.ledger.decide(offer, command).await.expect("a decision")
    }

    /// A request for so many units of these offers.
    pub(super) async fn basket(&self, key: &str, wanted: &[(OfferNumber, u32)]) -> Basket {
        let mut lines = Vec::new();
        for (number, quantity) in wanted {
            let facts = self.orders.facts.offer(offer_id(*number)).await.expect("known").expect("an offer");
            lines.push((facts, *quantity));
        }
        let digest = body_digest(format!("{wanted:?} {:?} {:?}", self.coupon, self.gift_card).as_bytes());
        let has_goods = lines.iter().any(|(offer, _)| offer.kind == ProductKind::Goods);
        let ship_to = has_goods.then(|| serde_json::from_value(ship_to()).expect("an address"));
        let (coupon, gift_card) = (self.coupon.clone(), self.gift_card.clone());
        Basket { coupon, gift_card, ship_to, ..Basket::new(BUYER, key.to_owned(), digest, lines) }
    }

    /// Places an order; none when the process stopped in it. Then it is started again.
    pub(super) async fn place(&mut self, key: &str, wanted: &[(OfferNumber, u32)]) -> Option<Outcome<OrderView>> {
        let basket = self.basket(key, wanted).await;
        let orders = self.orders.clone();
        let placed = tokio::select! {
            placed = orders.place_named(&basket) => Some(placed),
            () = self.steps.crash() => None,
        };
        if placed.is_none() {
            self.restart().await;
        }
        placed
    }

    /// Places an order for units of one offer and pays it.
    pub(super) async fn sold(&mut self, key: &str, offer: OfferNumber, quantity: u32) -> Hold {
        let view = self.place(key, &[(offer, quantity)]).await.expect("alive").expect("placed");
        let (order, attempt) = (view.order_id, PaymentId::derived(&[key.as_bytes()]));
        for command in [Command::BeginPayment { order, attempt }, Command::Commit { order, attempt }] {
            self.decide(offer, command).await;
        }
        self.ports.ledger.find(order).await.expect("readable").expect("sold")
    }

    /// A new process over the same databases.
    pub(super) async fn restart(&mut self) {
        self.orders = opened(&self.ports).await;
    }

    /// What was left behind is looked after, by a process that has just started.
    pub(super) async fn sweep(&mut self) {
        self.clock.advance(LEFT_BEHIND);
        self.restart().await;
        let mut sweeper = Sweeper::create(&self.ports, self.orders.lines.clone()).await.expect("a sweeper");
        for _ in 0..3 {
            let swept = tokio::select! {
                swept = sweeper.step() => Some(swept),
                () = self.steps.crash() => None,
            };
            if swept.is_none() {
                self.restart().await;
                sweeper = Sweeper::create(&self.ports, self.orders.lines.clone()).await.expect("a sweeper");
            }
        }
    }

    pub(super) async fn stock(&self, offer: OfferNumber) -> Stock {
        self.ports.ledger.snapshot(offer).await.expect("readable").expect("an offer").offer.stock
    }

    /// Units that are set aside and sold, of every offer.
    pub(super) async fn units(&self) -> [(u64, u64); 3] {
        let mut units = [(0, 0); 3];
        for (place, number) in [HOME, SECOND, THIRD].into_iter().enumerate() {
            let stock = self.stock(number).await;
            units[place] = (stock.held, stock.sold);
        }
        units
    }

    /// Every hold of every offer, as the journal tells.
    pub(super) async fn holds(&self) -> Vec<(OfferNumber, Hold)> {
        let mut holds: Vec<(OfferNumber, Hold)> = Vec::new();
        for entry in self.ports.ledger.entries(0, 10_000).await.expect("the journal") {
            for (seq, event) in entry.record.numbered() {
                let offer = entry.record.offer;
                holds.extend(Hold::created_by(event, seq, entry.record.at).map(|hold| (offer, hold)));
                let order = event.order();
                let of_event = |(on, hold): &&mut (OfferNumber, Hold)| *on == offer && Some(hold.order) == order;
                if let Some((_, hold)) = holds.iter_mut().find(of_event) {
                    hold.evolve(event, seq);
                }
            }
        }
        holds
    }

    /// Nothing is half done: every line that is open or sold belongs to an order that says so too, with its deadline.
    pub(super) async fn check(&self, when: &str) {
        let holds = self.holds().await;
        for (offer, line) in &holds {
            assert_ne!(line.state, HoldState::Prepared, "{when}: left prepared on {offer}");
            let home = self.ports.ledger.find(line.order).await.expect("readable").expect("its home knows the order");
            if line.state == HoldState::Released {
                assert!(home.state == HoldState::Released, "{when}: {offer} is released, its home {:?}", home.state);
            } else {
                assert_eq!((line.state, line.expires_at), (home.state, home.expires_at), "{when}: {offer}");
                for other in home.other_lines() {
                    let same =
                        |(on, hold): &&(OfferNumber, Hold)| *on == other.offer.number() && hold.order == line.order;
                    let (_, hold) = holds.iter().find(same).expect("the other line");
                    assert_eq!((hold.state, hold.quantity), (home.state, other.quantity), "{when}: {}", other.offer);
                }
            }
        }
    }
}

async fn opened(ports: &Ports) -> Arc<Orders> {
    let keys = Arc::new(crate::orders::keys::Keys::new(ports.archive.clone()));
    Orders::open(ports, keys).await.expect("a role")
}

/// Where goods are sent.
pub(super) fn ship_to() -> serde_json::Value {
    serde_json::json!({ "name": "Kim Minsu", "phone": "010-1234-5678", "address": "1 Sejong-daero, Seoul" })
}

pub(super) fn offer_id(number: OfferNumber) -> OfferId {
    OfferId::numbered(Time::from_millis(1_800_000_000_000), number, [0; 6])
}

pub(super) fn terms(offer: &OfferInfo) -> Terms {
    Terms {
        offer: offer.offer_id,
        version: offer.version,
        initial_stock: STOCK,
        price: offer.price,
        limit_per_person: offer.limit_per_person,
        max_per_order: offer.max_per_order,
        opens_at: offer.opens_at,
        closes_at: offer.closes_at,
        hold_for_ms: offer.hold_for_seconds * 1_000,
        usable_until: offer.usable_until(),
    }
}

pub(super) fn offer(number: OfferNumber, price: Money) -> OfferInfo {
    let product = Product {
        product_id: ProductId([number.0 as u8; 16]),
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
    OfferInfo {
        offer_id: offer_id(number),
        sku: None,
        product,
        price,
        opens_at: Time(0),
        closes_at: None,
        limit_per_person: None,
        max_per_order: 4,
        hold_for_seconds: 600,
        refund_policy: RefundPolicy::FullUntilUsed,
        time_zone: None,
        conditions: Vec::new(),
        draft: false,
        version: 1,
    }
}
