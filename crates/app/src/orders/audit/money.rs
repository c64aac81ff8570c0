//! Money against the journal: what is sold for money was announced as paid before, with the amount that the order costs.
//!
//! The payments role announces `payment.done` in the same commit as its own books, and only then tells the ledger. So
//! whoever reads the journal first and the announcements after it finds every payment of what the journal calls sold.
//! Only payments that began under this watch are judged; `firstcome audit` judges all. Money may have come long before it
//! was pinned (a deposit for an order that had expired), so nobody is accused before all announcements were read again. Where
//! announcements travel, they stay away as long as the payments' database does; they come in the order in which they were
//! made, so one that is younger than a sale says that the sale's would be here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferNumber, OrderId, PaymentId};
use firstcome_core::ledger::{Event, Record};
use firstcome_core::money::Money;
use firstcome_core::ports::{EventLog, LoggedEvent, PortError, StockLedger};
use firstcome_core::time::Time;

/// How long the announcement may be missing before it is looked for among all of them, and then missed for good.
const GRACE: Duration = Duration::from_secs(30);
/// How long it may be missing while there is no younger one.
const SILENCE: Duration = Duration::from_hours(1);
/// How far the clocks of two processes may be apart.
const SKEW: Duration = Duration::from_secs(1);
/// How long an announcement is remembered whose order was not sold yet.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Announcements read at a time: the latest, and all of them.
const PAGE: usize = 256;
const LONG_PAGE: usize = 2_048;

/// A sale whose announcement was not seen yet.
#[derive(Clone, Copy)]
struct Sale {
    attempt: PaymentId,
    offer: OfferNumber,
    since: Time,
}

/// An announcement whose sale was not seen yet.
struct Announced {
    attempt: PaymentId,
    amount: Money,
    since: Time,
}

/// What is known of payments under way.
pub(super) struct MoneyBook {
    events: Arc<dyn EventLog>,
    ledger: Arc<dyn StockLedger>,
    /// Up to where announcements were read.
    position: i64,
    /// When the youngest of them was made.
    youngest: Time,
    paying: HashMap<OrderId, PaymentId>,
    sales: HashMap<OrderId, Sale>,
    announced: HashMap<OrderId, Announced>,
}

impl MoneyBook {
    /// A watch that begins behind this announcement.
    pub(super) fn new(events: Arc<dyn EventLog>, ledger: Arc<dyn StockLedger>, begin: i64) -> Self {
        let (paying, sales, announced) = Default::default();
        Self { events, ledger, position: begin, youngest: Time(0), paying, sales, announced }
    }

    /// Takes the next record of the journal. An order is paid on its home offer.
    pub(super) fn take(&mut self, record: &Record, now: Time) {
        for event in &record.events {
            match event {
                Event::PaymentBegun { order, attempt } if order.home() == record.offer => {
                    self.paying.insert(*order, *attempt);
                }
                Event::PaymentEnded { order, .. } if order.home() == record.offer => {
                    self.paying.remove(order);
                }
                Event::Committed { order, attempt }
                    if order.home() == record.offer && self.paying.get(order) == Some(attempt) =>
                {
                    self.paying.remove(order);
                    self.sales.insert(*order, Sale { attempt: *attempt, offer: record.offer, since: now });
                }
                _ => {}
            }
        }
    }

    /// Reads on in the announcements. Returns the offers of sales that nobody paid for, one for each.
    pub(super) async fn compare(&mut self, now: Time) -> Result<Vec<OfferNumber>, PortError> {
        loop {
            let page = self.events.read(topics::PAYMENTS, self.position, PAGE).await?;
            let Some(last) = page.last() else { break };
            self.position = last.position;
            self.youngest = self.youngest.max(last.at);
            for (order, attempt, amount) in page.iter().filter_map(paid) {
                self.announced.insert(order, Announced { attempt, amount, since: now });
            }
        }
        let mut unpaid = Vec::new();
        for (order, sale) in self.sales.clone() {
            let announced = self.announced.get(&order).filter(|announced| announced.attempt == sale.attempt);
            let amount = match announced {
                Some(announced) => Some(announced.amount),
                None if !self.is_overdue(sale, now) => continue,
                None => self.find(order, sale.attempt).await?,
            };
            let hold = self.ledger.find(order).await?;
            let costs = hold.map(|hold| hold.due());
            // What is free, or paid whole by a gift card, nobody pays for.
            let due = costs.filter(|costs| costs.amount > 0 || amount.is_some());
            if costs.is_none() || amount != due {
                tracing::error!(%order, attempt = %sale.attempt, ?amount, "sold, and not paid as it should be");
                unpaid.push(sale.offer);
            }
            self.sales.remove(&order);
            self.announced.remove(&order);
        }
        self.announced.retain(|_, announced| now.since(announced.since) < REMEMBERED);
        Ok(unpaid)
    }

    /// Whether the announcement of a sale must have come by now.
    fn is_overdue(&self, sale: Sale, now: Time) -> bool {
        let waited = now.since(sale.since);
        waited >= SILENCE || waited >= GRACE && self.youngest > sale.since + SKEW
    }

    /// The announcement of an attempt, among all that there are.
    async fn find(&self, order: OrderId, attempt: PaymentId) -> Result<Option<Money>, PortError> {
        let mut position = 0;
        loop {
            let page = self.events.read(topics::PAYMENTS, position, LONG_PAGE).await?;
            let Some(last) = page.last() else { return Ok(None) };
            position = last.position;
            let found = page.iter().filter_map(paid).find(|paid| (paid.0, paid.1) == (order, attempt));
            if let Some((_, _, amount)) = found {
                return Ok(Some(amount));
            }
        }
    }
}

/// What `payment.done` tells.
fn paid(event: &LoggedEvent) -> Option<(OrderId, PaymentId, Money)> {
    match RoleEvent::parse(&event.kind, &event.data) {
        Ok(RoleEvent::PaymentDone { order, attempt, amount }) => Some((order, attempt, amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::UserId;
    use firstcome_core::ledger::{Command, HoldRequest, Outcome, Terms};
    use firstcome_core::money::Currency;
    use firstcome_core::ports::Records as _;
    use firstcome_core::records::Unit;
    use firstcome_core::testkit::{MemoryJournal, MemoryLedger, MemoryLog, MemoryRecords, TestClock};

    use super::*;

    const OFFER: OfferNumber = OfferNumber(1);
    const PRICE: Money = Money::new(1_000, Currency::KRW);

    struct Shop {
        ledger: Arc<MemoryLedger>,
        payments: Arc<MemoryRecords>,
        clock: TestClock,
        book: MoneyBook,
        position: i64,
    }

    impl Shop {
        async fn new() -> Self {
            let clock = TestClock::default();
            let ledger = Arc::new(MemoryLedger::open(MemoryJournal::default(), clock.clone()));
            let payments = Arc::new(MemoryRecords::new(topics::PAYMENTS, &[]));
            let log = Arc::new(MemoryLog(vec![payments.clone()]));
            let terms = Terms {
                offer: firstcome_core::ids::OfferId::numbered(Time(0), OFFER, [0; 6]),
                version: 1,
                initial_stock: 10,
                price: PRICE,
                limit_per_person: None,
                max_per_order: 1,
                opens_at: Time(0),
                closes_at: None,
                hold_for_ms: 60_000,
                usable_until: None,
            };
            ledger.decide(OFFER, Command::SetTerms(terms)).await.unwrap();
            Self { book: MoneyBook::new(log, ledger.clone(), 0), ledger, payments, clock, position: 0 }
        }

        /// An order that is held, pinned and sold; the amount is announced where the payments role would.
        async fn sell(&self, number: u64, amount: Option<Money>) {
            let person = UserId::derived(&[&number.to_be_bytes()]);
            let order = OrderId::of_request(person, "key", number << 34, OFFER);
            let attempt = PaymentId::derived(&[&number.to_be_bytes()]);
            let request = HoldRequest {
                order,
                person,
                quantity: 1,
                unit_price: None,
                digest: number << 34,
                discount: 0,
                facts: None,
            };
            self.ledger.decide(OFFER, Command::Hold(request)).await.unwrap();
            self.ledger.decide(OFFER, Command::BeginPayment { order, attempt }).await.unwrap();
            if let Some(amount) = amount {
                let done = RoleEvent::PaymentDone { order, attempt, amount };
                let now = firstcome_core::ports::Clock::now(&self.clock);
                self.payments.commit(Unit::new().event(&done, now)).await.unwrap();
            }
            let sold = self.ledger.decide(OFFER, Command::Commit { order, attempt }).await.unwrap();
            assert!(matches!(sold, Outcome::Committed { .. }), "{sold:?}");
        }

        async fn look(&mut self) -> usize {
            use firstcome_core::ports::Clock as _;
            for entry in self.ledger.entries(self.position, 1_000).await.unwrap() {
                self.position = entry.position;
                self.book.take(&entry.record, self.clock.now());
            }
            self.book.compare(self.clock.now()).await.unwrap().len()
        }
    }

    #[tokio::test]
    async fn what_was_sold_and_not_paid_is_noticed() {
        let mut shop = Shop::new().await;
        shop.sell(1, Some(PRICE)).await;
        assert_eq!(shop.look().await, 0);
        shop.sell(2, None).await;
        assert_eq!(shop.look().await, 0);
        shop.clock.advance(GRACE);
        assert_eq!(shop.look().await, 0, "it may be on its way");
        shop.sell(4, Some(PRICE)).await;
        assert_eq!(shop.look().await, 1, "one that was made later is here");
        assert_eq!(shop.look().await, 0);
        shop.sell(5, None).await;
        assert_eq!(shop.look().await, 0);
        shop.clock.advance(SILENCE);
        assert_eq!(shop.look().await, 1, "nothing takes so long");
        shop.sell(3, Some(Money::new(999, Currency::KRW))).await;
        assert_eq!(shop.look().await, 1);
        assert!(shop.book.sales.is_empty() && shop.book.paying.is_empty());
    }

    #[tokio::test]
    async fn an_announcement_that_was_forgotten_is_found_again() {
        let mut shop = Shop::new().await;
        let (person, attempt) = (UserId::derived(&[b"late"]), PaymentId::derived(&[b"late"]));
        let order = OrderId::of_request(person, "key", 0, OFFER);
        let request = HoldRequest { order, person, quantity: 1, unit_price: None, digest: 0, discount: 0, facts: None };
        shop.ledger.decide(OFFER, Command::Hold(request)).await.unwrap();
        shop.ledger.decide(OFFER, Command::BeginPayment { order, attempt }).await.unwrap();
        let done = RoleEvent::PaymentDone { order, attempt, amount: PRICE };
        shop.payments.commit(Unit::new().event(&done, Time(0))).await.unwrap();
        assert_eq!(shop.look().await, 0);
        // The ledger hears of it much later, under a watch that began in between.
        shop.book = MoneyBook::new(shop.book.events.clone(), shop.ledger.clone(), 1);
        shop.position = 0;
        shop.clock.advance(REMEMBERED + GRACE);
        assert_eq!(shop.look().await, 0);
        assert!(shop.book.announced.is_empty());
        shop.ledger.decide(OFFER, Command::Commit { order, attempt }).await.unwrap();
        assert_eq!(shop.look().await, 0);
        shop.clock.advance(SILENCE);
        assert_eq!(shop.look().await, 0);
        assert!(shop.book.sales.is_empty());
    }
}
