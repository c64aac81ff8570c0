//! A small shop around the role: one offer, orders, requests, crashes.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, RefundId, UserId, VoucherId};
use firstcome_core::ledger::{
    CardPart, Command, Facts, HoldRequest, HoldState, Line, Outcome, ReleaseReason, TaxFacts, Terms,
};
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{Clock as _, EventLog as _, PortError, Records as _};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::testkit::{MemoryLog, MemoryRecords, TestClock};
use firstcome_core::time::Time;
use http_body_util::BodyExt as _;
use prometheus_client::registry::Registry;

use super::ledger::TestLedger;
use super::provider::TestProvider;
use super::records::HarmedRecords;
use crate::consumer::Handler as _;
use crate::harm::Steps;
use crate::payments::confirm::{Confirmation, Request};
use crate::payments::notice::Notice;
use crate::payments::receipts::{CashReceipt, Told};
use crate::payments::refunds::Approved;
use crate::payments::rows::{Payment, Refund, payments_of, refunds_of};
use crate::payments::settle::Settle;
use crate::payments::transfer::request::Wanted;
use crate::payments::{Options, Payments, Ports, TABLES};
use crate::secrets::{Keys, SystemRandom};
use crate::voucher_account::{Purpose, Taken, VoucherAccount};

pub(super) const OFFER: OfferNumber = OfferNumber(1);
pub(super) const PRICE: Money = Money::new(1000, Currency::KRW);
pub(super) const BUYER: UserId = UserId([9; 16]);
pub(super) const HOLD_FOR: Duration = Duration::from_secs(900);
/// What a gift card pays beside [`PRICE`], and all that is on it.
pub(super) const BY_CARD: i64 = 400;
const CARD: VoucherAccount = VoucherAccount { offer: OfferNumber(2), voucher: VoucherId([7; 16]), face: BY_CARD };
/// How often the workers come by before everything must be at rest.
const ROUNDS: usize = 16;

pub(super) struct Shop {
    pub(super) ledger: Arc<TestLedger>,
    pub(super) provider: Arc<TestProvider>,
    pub(super) books: Arc<MemoryRecords>,
    pub(super) orders: Arc<MemoryRecords>,
    pub(super) clock: TestClock,
    pub(super) steps: Arc<Steps>,
    pub(super) payments: Arc<Payments>,
    /// Whether orders cost [`BY_CARD`] more, which a gift card pays.
    pub(super) beside_card: bool,
    ports: Ports,
}

impl Shop {
    /// A shop that sells so many units at [`PRICE`].
    pub(super) fn open(stock: u64) -> Self {
        Self::at_price(stock, PRICE)
    }

    /// The same; units cost more, and a gift card pays that.
    pub(super) async fn open_beside_card(stock: u64) -> Self {
        let shop = Self::at_price(stock, Money::new(PRICE.amount + BY_CARD, Currency::KRW));
        CARD.open(&*shop.ledger).await.expect("opened");
        Self { beside_card: true, ..shop }
    }

    fn at_price(stock: u64, price: Money) -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        let steps = Arc::new(Steps::default());
        let ledger = Arc::new(TestLedger::new(clock.clone(), Arc::clone(&steps)));
        let provider = Arc::new(TestProvider::new(clock.clone(), Arc::clone(&steps)));
        let books = Arc::new(MemoryRecords::new(topics::PAYMENTS, TABLES));
        let orders = Arc::new(MemoryRecords::new(topics::ORDERS, &[]));
        let ports = Ports {
            records: Arc::new(HarmedRecords { inner: Arc::clone(&books), steps: Arc::clone(&steps) }),
            ledger: ledger.clone(),
            events: Arc::new(MemoryLog(vec![Arc::clone(&books), Arc::clone(&orders)])),
            provider: provider.clone(),
            clock: Arc::new(clock.clone()),
            keys: Arc::new(Keys::in_memory(&SystemRandom)),
        };
        let terms = Terms {
            offer: OfferId::numbered(clock.now(), OFFER, [0; 6]),
            version: 1,
            initial_stock: stock,
            price,
            limit_per_person: None,
            max_per_order: 10,
            opens_at: Time(0),
            closes_at: None,
            hold_for_ms: HOLD_FOR.as_millis() as u32,
            usable_until: None,
        };
        ledger.now(OFFER, &Command::SetTerms(terms));
        let payments = Payments::new(Options::default(), ports.clone(), &mut Registry::default());
        Self { ledger, provider, books, orders, clock, steps, payments, beside_card: false, ports }
    }

    /// The buyer's order under this key, for one unit.
    pub(super) fn order(&self, key: &str) -> OrderId {
        let order = self.order_of(key);
        let facts = self.beside_card.then(|| Box::new(self.reserve(order)));
        self.place(order, facts)
    }

    /// The same, for what is free of VAT.
    pub(super) fn order_free_of_vat(&self, key: &str) -> OrderId {
        let tax = Some(TaxFacts { percent: 10, free: vec![OFFER] });
        self.place(self.order_of(key), Some(Box::new(Facts { tax, ..Facts::default() })))
    }

    fn place(&self, order: OrderId, facts: Option<Box<Facts>>) -> OrderId {
        let request =
            HoldRequest { order, person: BUYER, quantity: 1, unit_price: None, digest: 0, discount: 0, facts };
        let outcome = self.ledger.now(OFFER, &Command::Hold(request));
        let Outcome::Held(hold) = outcome else { panic!("{outcome:?}") };
        assert_eq!(hold.due(), PRICE);
        if self.beside_card {
            self.ledger.now(CARD.number(), &Command::Promote { order, expires_at: hold.expires_at });
        }
        order
    }

    /// The gift card reserves its part.
    fn reserve(&self, order: OrderId) -> Facts {
        let outcome = self.ledger.now(CARD.number(), &Command::Prepare(CARD.request(BY_CARD, order, 0)));
        let Outcome::Held(hold) = outcome else { panic!("{outcome:?}") };
        let line = Line { offer: CARD.id(), quantity: hold.quantity, unit_price: hold.unit_price, seq: Some(hold.seq) };
        let by_card = CardPart { card: CARD.voucher, account: CARD.number(), amount: BY_CARD };
        Facts { other_lines: vec![line], by_card: Some(by_card), ..Facts::default() }
    }

    /// A till takes what is on the gift card.
    pub(super) async fn spend_card(&self) {
        let taken = CARD.take(&*self.ledger, BY_CARD, self.order_of("till"), Purpose::Use).await;
        assert_eq!(taken.expect("an answer"), Taken::Now);
    }

    /// The name of the buyer's order under this key.
    pub(super) fn order_of(&self, key: &str) -> OrderId {
        OrderId::of_request(BUYER, key, 0, OFFER)
    }

    /// The order's time runs out, and the ledger's clock comes by.
    pub(super) fn expire(&self, order: OrderId) {
        self.clock.advance(HOLD_FOR);
        self.ledger.now(OFFER, &Command::Expire);
        self.ledger.now(CARD.number(), &Command::Expire);
        assert_eq!(self.ledger.hold(order).map(|hold| hold.state), Some(HoldState::Released));
    }

    /// What the buyer asks for when they confirm.
    pub(super) fn confirmation(&self, key: &str, order: OrderId, payment_key: &str) -> Confirmation {
        let request = Request { order_id: order, payment_key: payment_key.to_owned(), amount: PRICE };
        Self::confirmation_by(BUYER, key, request)
    }

    fn confirmation_by(person: UserId, key: &str, request: Request) -> Confirmation {
        let digest = firstcome_core::ids::body_digest(format!("{request:?}").as_bytes());
        let id = PaymentId::derived(&[&person.0, key.as_bytes()]);
        Confirmation { id, person, digest, request }
    }

    /// Another process over the same databases, beside the one that runs.
    pub(super) fn another_process(&self) -> Arc<Payments> {
        Payments::new(Options::default(), self.ports.clone(), &mut Registry::default())
    }

    /// Somebody else gets so many units.
    pub(super) fn sell_to_another(&self, quantity: u32) {
        let order = self.order_of("another");
        let request =
            HoldRequest { order, person: BUYER, quantity, unit_price: None, digest: 0, discount: 0, facts: None };
        let outcome = self.ledger.now(OFFER, &Command::Hold(request));
        assert!(matches!(outcome, Outcome::Held(_)), "{outcome:?}");
    }

    /// The units of an order are given back.
    pub(super) fn release(&self, order: OrderId) {
        let outcome = self.ledger.now(OFFER, &Command::Release { order, reason: ReleaseReason::Canceled });
        assert!(matches!(outcome, Outcome::Released { .. }), "{outcome:?}");
        if self.beside_card {
            self.ledger.now(CARD.number(), &Command::Release { order, reason: ReleaseReason::Canceled });
        }
    }

    /// A confirmation; none when the process stopped in it. Then it is started again.
    pub(super) async fn confirm_as(&mut self, person: UserId, key: &str, request: Request) -> Option<Response> {
        let confirmation = Self::confirmation_by(person, key, request);
        let payments = Arc::clone(&self.payments);
        let answered = tokio::select! {
            outcome = payments.confirm(confirmation) => Some(outcome.into_response()),
            () = self.steps.crash() => None,
        };
        if answered.is_none() {
            self.restart();
        }
        answered
    }

    pub(super) async fn confirm(&mut self, key: &str, order: OrderId, payment_key: &str) -> Option<u16> {
        let request = Request { order_id: order, payment_key: payment_key.to_owned(), amount: PRICE };
        self.confirm_as(BUYER, key, request).await.map(|response| response.status().as_u16())
    }

    /// The buyer asks for an account, with a cash receipt; none when the process stopped in it. Then it is started again.
    pub(super) async fn transfer(&mut self, key: &str, order: OrderId) -> Option<(u16, serde_json::Value)> {
        let request = serde_json::json!({
            "order_id": order, "bank": "88", "depositor_name": "Zebulon",
            "refund_account": {"bank": "20", "account_number": "1002-123-456789", "holder_name": "Zebulon"},
            "cash_receipt": {"type": "deduction", "number": "010-9182-7364"},
        });
        let wanted = Wanted {
            id: PaymentId::derived(&[&BUYER.0, key.as_bytes()]),
            person: BUYER,
            digest: 7,
            request: serde_json::from_value(request).expect("a request"),
        };
        let payments = Arc::clone(&self.payments);
        let answered = tokio::select! {
            outcome = payments.transfer(wanted) => Some(outcome.into_response()),
            () = self.steps.crash() => None,
        };
        let Some(response) = answered else {
            self.restart();
            return None;
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        Some((status, serde_json::from_slice(&body).expect("JSON")))
    }

    /// A new process over the same databases.
    pub(super) fn restart(&mut self) {
        self.payments = Payments::new(Options::default(), self.ports.clone(), &mut Registry::default());
    }

    /// Lets the workers come by until everything is at rest.
    pub(super) async fn rest(&mut self) {
        for _ in 0..ROUNDS {
            self.clock.advance(Duration::from_secs(10));
            let payments = Arc::clone(&self.payments);
            let events = self.events();
            let worked = tokio::select! {
                worked = work(&payments) => Some(worked),
                () = self.steps.crash() => None,
            };
            match worked {
                None => self.restart(),
                Some(Ok(())) if self.events() == events && self.is_at_rest().await => return,
                // Errors are what workers live with: they come by again.
                Some(_) => {}
            }
        }
    }

    /// Events that were announced.
    fn events(&self) -> (usize, usize) {
        (self.books.events().len(), self.orders.events().len())
    }

    /// Whether the workers, who have come to the end of the events, have nothing to do before time goes on.
    async fn is_at_rest(&self) -> bool {
        let attempts = self.books.list::<Payment>(Query::all(Payment::TABLE, 100)).await.expect("in memory");
        let refunds = self.books.list::<Refund>(Query::all(Refund::TABLE, 100)).await.expect("in memory");
        let receipts = self.books.list::<CashReceipt>(Query::all(CashReceipt::TABLE, 100)).await.expect("in memory");
        // An account that waits is nothing to do: who deposits decides when.
        let waits = |attempt: &Payment| attempt.state == PaymentState::Ready && !attempt.is_unnamed();
        let moves = |attempt: &Payment| attempt.state.is_undecided() && !waits(attempt);
        !attempts.iter().any(|attempt| moves(&attempt.record))
            && !receipts.iter().any(|receipt| receipt.record.due_at.is_some())
            && !refunds.iter().any(|refund| refund.record.state == RefundState::Pending)
    }

    /// The provider's notice about a payment arrives.
    pub(super) async fn notice(&mut self, payment_key: &str) {
        let payments = Arc::clone(&self.payments);
        let crashed = tokio::select! {
            _ = payments.verify(payment_key) => false,
            () = self.steps.crash() => true,
        };
        if crashed {
            self.restart();
        }
    }

    /// The provider's notice about a deposit arrives.
    pub(super) async fn notice_of_deposit(&mut self, order: OrderId) {
        let notice = serde_json::json!({"createdAt": "2027-01-15T17:00:00.000000", "secret": "ps_1", "status": "DONE",
            "transactionKey": "t", "orderId": order});
        let notice: Notice = serde_json::from_value(notice).expect("a notice");
        let payments = Arc::clone(&self.payments);
        let crashed = tokio::select! {
            _ = payments.heard(notice) => false,
            () = self.steps.crash() => true,
        };
        if crashed {
            self.restart();
        }
    }

    /// Every event is delivered once more, to a process that remembers nothing.
    pub(super) async fn deliver_again(&mut self) {
        self.restart();
        let events = self.books.read(topics::PAYMENTS, 0, 1000).await.expect("in memory");
        let unit = Settle(Arc::clone(&self.payments)).handle(&events).await.expect("handled");
        self.books.commit(unit).await.expect("in memory");
        let events = self.orders.read(topics::ORDERS, 0, 1000).await.expect("in memory");
        let told = self.books.read(topics::PAYMENTS, 0, 1000).await.expect("in memory");
        let receipts = Told(Arc::clone(&self.payments)).handle(&told).await.expect("handled");
        self.books.commit(receipts).await.expect("in memory");
        let unit = Approved(Arc::clone(&self.payments)).handle(&events).await.expect("handled");
        self.books.commit(unit).await.expect("in memory");
    }

    /// The orders role approves a refund.
    pub(super) async fn approve(&self, refund: RefundId, order: OrderId, amount: i64) {
        self.approve_with_card(refund, order, amount, 0).await;
    }

    /// The same, with something for the gift card that paid the rest.
    pub(super) async fn approve_with_card(&self, refund: RefundId, order: OrderId, amount: i64, to_card: i64) {
        let amount = Money::new(amount, Currency::KRW);
        let event = RoleEvent::RefundApproved {
            refund,
            order,
            amount,
            to_card,
            reason: "changed my mind".to_owned(),
            policy: Some(RefundPolicy::ByVisitDate),
            tax_free: 0,
        };
        self.orders.commit(Unit::new().event(&event, self.clock.now())).await.expect("in memory");
    }

    pub(super) async fn attempts(&self, order: OrderId) -> Vec<Payment> {
        let rows = payments_of(&*self.books, order).await.expect("in memory");
        rows.into_iter().map(|stored| stored.record).collect()
    }

    pub(super) async fn refunds(&self, order: OrderId) -> Vec<Refund> {
        let rows = refunds_of(&*self.books, order).await.expect("in memory");
        rows.into_iter().map(|stored| stored.record).collect()
    }

    pub(super) fn state(&self, order: OrderId) -> Option<HoldState> {
        self.ledger.hold(order).map(|hold| hold.state)
    }

    /// How often an event of this kind was announced.
    pub(super) fn announced(&self, kind: &str) -> usize {
        self.books.events().iter().filter(|event| event.kind == kind).count()
    }

    /// What must hold once everything is at rest: nothing is pinned or undecided, and the provider keeps money for
    /// exactly what is sold.
    pub(super) async fn check(&self, order: OrderId, when: &str) {
        let hold = self.ledger.hold(order).expect("the order was placed");
        let sold = hold.state == HoldState::Sold;
        assert_ne!(hold.state, HoldState::Paying, "{when}: still pinned");
        if self.beside_card {
            let paid = self.ledger.line(CARD.number(), order).expect("the card was asked");
            let is_sold = |state| matches!(state, HoldState::Sold | HoldState::Returned);
            assert_eq!(is_sold(paid.state), is_sold(hold.state), "{when}: {:?}, the card {:?}", hold.state, paid.state);
            assert!(paid.state == hold.state || paid.state == HoldState::Released, "{when}: the card {:?}", paid.state);
        }
        let kept = self.provider.kept(order);
        assert_eq!(kept, if sold { PRICE.amount } else { 0 }, "{when}: kept for {:?}", hold.state);
        let attempts = self.attempts(order).await;
        for attempt in &attempts {
            assert!(!attempt.state.is_undecided(), "{when}: {attempt:?}");
        }
        let booked: i64 =
            attempts.iter().filter(|row| row.state.is_charged()).map(|row| row.amount - row.refunded).sum();
        assert_eq!(booked, kept, "{when}: the books are not the provider's");
        for refund in self.refunds(order).await {
            assert_eq!(refund.state, RefundState::Done, "{when}: {refund:?}");
        }
        let stock = self.ledger.stock(OFFER);
        assert!(stock.held + stock.sold <= stock.stock, "{when}: oversold");
    }
}

async fn work(payments: &Arc<Payments>) -> Result<(), PortError> {
    let started = payments.now();
    let recovered = payments.recover(started).await;
    let resolved = payments.resolve_due().await;
    let settled = payments.consumer(topics::PAYMENTS, Settle(Arc::clone(payments))).catch_up().await;
    let approved = payments.consumer(topics::ORDERS, Approved(Arc::clone(payments))).catch_up().await;
    let told = payments.consumer(topics::PAYMENTS, Told(Arc::clone(payments))).catch_up().await;
    let refunded = payments.refund_due().await;
    let looked = payments.look_again().await;
    let receipts = payments.receipts_due().await;
    recovered?;
    resolved?;
    settled?;
    approved?;
    refunded?;
    looked?;
    told?;
    receipts?;
    Ok(())
}
