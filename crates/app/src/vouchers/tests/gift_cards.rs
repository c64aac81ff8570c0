//! Gift cards: what their accounts and their rows say, whoever takes from them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, RefundId, UserId, VoucherId};
use firstcome_core::ledger::{CardPart, Command, Facts, HoldRequest, Line, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock as _, Committed, EventLog as _, Records as _, StockLedger as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::voucher::VoucherState;

use super::{BUYER, OFFER, PRICE, Shop, VALID_AGAIN, offer, options, terms};
use crate::consumer::Handler as _;
use crate::voucher_account::{Purpose, Taken, VoucherAccount};
use crate::vouchers::redeem::Redemption;
use crate::vouchers::tills::Tills;
use crate::vouchers::{MoneyBack, Movement, Options, Voucher, Vouchers, take_back};

impl Shop {
    /// Sells two gift cards and delivers them.
    async fn cards(&self) -> (OrderId, Vec<Voucher>) {
        let order = self.sell().await;
        self.workers.delivery.catch_up().await.expect("delivered");
        (order, self.vouchers().await)
    }

    /// An order over one unit of the offer that a card pays a part of: reserved, and paid if `paid`.
    async fn order_beside(&self, card: &Voucher, key: &str, amount: i64, paid: bool) -> OrderId {
        let (order, lines) = self.order_with(&[(card, amount)], key).await;
        for offer in lines.into_iter().chain([OFFER]).filter(|_| paid) {
            self.pay(order, offer).await;
        }
        order
    }

    /// The same with a card, and perhaps a voucher that is used like a coupon. Returns their accounts too.
    async fn order_with(&self, uses: &[(&Voucher, i64)], key: &str) -> (OrderId, Vec<OfferNumber>) {
        let order = OrderId::of_request(BUYER, key, 0, OFFER);
        let mut other_lines = Vec::new();
        for (voucher, amount) in uses {
            let account = of(voucher);
            account.open(&*self.ledger).await.expect("opened");
            let prepare = Command::Prepare(account.request(*amount, order, 0));
            let Outcome::Held(line) = self.ledger.decide(account.number(), prepare).await.expect("an answer") else {
                panic!("nothing is left")
            };
            let (quantity, unit_price) = (line.quantity, line.unit_price);
            other_lines.push(Line { offer: account.id(), quantity, unit_price, seq: Some(line.seq) });
        }
        let (card, amount) = uses[0];
        let by_card = Some(CardPart { card: card.id, account: of(card).number(), amount });
        let coupon = uses.get(1).map(|(coupon, _)| coupon.id);
        let facts = Some(Box::new(Facts { by_card, coupon, other_lines, ..Facts::default() }));
        let request =
            HoldRequest { order, person: BUYER, quantity: 1, unit_price: None, digest: 0, discount: 0, facts };
        let Outcome::Held(hold) = self.ledger.decide(OFFER, Command::Hold(request)).await.expect("an answer") else {
            panic!("sold out")
        };
        let accounts: Vec<OfferNumber> = uses.iter().map(|(voucher, _)| of(voucher).number()).collect();
        for account in &accounts {
            let promote = Command::Promote { order, expires_at: hold.expires_at };
            self.ledger.decide(*account, promote).await.expect("promoted");
        }
        (order, accounts)
    }

    async fn pay(&self, order: OrderId, offer: OfferNumber) {
        let attempt = PaymentId([3; 16]);
        for command in [Command::BeginPayment { order, attempt }, Command::Commit { order, attempt }] {
            self.ledger.decide(offer, command).await.expect("a sale");
        }
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
        moved.push(("issued", card.face));
        moved.sort_unstable();
        moved
    }

    async fn left(&self, card: &Voucher) -> i64 {
        of(card).left(&*self.ledger).await.expect("known")
    }

    async fn requested(&self, refund: u8, order: OrderId, forced: bool) {
        let (refund, lines) = (RefundId([refund; 16]), Vec::new());
        let event = RoleEvent::RefundRequested { refund, order, amount: PRICE, forced, lines };
        self.orders.commit(Unit::new().event(&event, self.clock.now())).await.expect("a request");
    }

    async fn judged(&self, refund: u8, order: OrderId, forced: bool) {
        self.requested(refund, order, forced).await;
        self.workers.taking_back.catch_up().await.expect("judged");
    }

    fn announced(&self, kind: &str) -> usize {
        self.books.events().iter().filter(|event| event.kind == kind).count()
    }
}

fn of(card: &Voucher) -> VoucherAccount {
    VoucherAccount { offer: card.offer.unwrap_or(OFFER), voucher: card.id, face: card.face }
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
async fn an_order_may_use_two_vouchers() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let (id, code, offer) = (VoucherId([9; 16]), "of another offer".to_owned(), Some(OfferNumber(OFFER.0 + 1)));
    let other = Voucher { id, code, offer, ..cards[1].clone() };
    shop.books.commit(Unit::new().insert(&other)).await.expect("issued");
    let (order, accounts) = shop.order_with(&[(&cards[0], 700), (&other, 1)], "both").await;
    for account in accounts {
        shop.pay(order, account).await;
        shop.workers.delivery.catch_up().await.expect("read");
    }
    let balances = [shop.stored(&cards[0]).await.record.balance, shop.stored(&other).await.record.balance];
    assert_eq!(balances, [300, 999], "what is read of one says nothing of the other");
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
    let name = take_back::name(RefundId([2; 16]), &cards[0]);
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

/// What an owner gives up, or a till takes, in the same moment was not on the card when it was taken back, whichever of the
/// two is written first.
#[tokio::test]
async fn what_was_used_just_before_a_card_is_taken_back_is_not_counted_with_it() {
    #[derive(Clone, Copy, Debug)]
    enum First {
        Use,
        TakeBack,
        TakeBackOverPreparedUse,
    }
    for (purpose, use_is) in [(Purpose::MoneyBack(100), "refunded"), (Purpose::Use, "redeemed")] {
        for first in [First::Use, First::TakeBack, First::TakeBackOverPreparedUse] {
            let shop = Shop::open().await;
            let (order, cards) = shop.cards().await;
            shop.order_beside(&cards[0], "much", 800, true).await;
            shop.workers.delivery.catch_up().await.expect("read");
            let name = OrderId::of_request(BUYER, "use", 0, OFFER);
            let taken = of(&cards[0]).take(&*shop.ledger, 200, name, purpose).await.expect("an answer");
            assert_eq!(taken, Taken::Now);
            let entries = shop.ledger.ledger.entries(0, 100).await.expect("the journal");
            let prepared = shop.workers.delivery.handler.handle(&entries[entries.len() - 1..]).await.expect("a use");
            shop.ledger.behind.store(true, Ordering::Relaxed);
            if matches!(first, First::Use) {
                shop.requested(2, order, true).await;
                let events = shop.orders.read(topics::ORDERS, 0, 100).await.expect("events");
                let judged = shop.workers.taking_back.handler.handle(&events).await.expect("judged");
                shop.ledger.behind.store(false, Ordering::Relaxed);
                shop.workers.delivery.catch_up().await.expect("read");
                assert!(matches!(shop.books.commit(judged).await, Ok(Committed::Conflict(_))));
                shop.workers.taking_back.catch_up().await.expect("judged anew");
            } else {
                shop.judged(2, order, true).await;
                assert_eq!(shop.stored(&cards[0]).await.record.balance, 200, "nobody has read of the use yet");
                if matches!(first, First::TakeBackOverPreparedUse) {
                    assert!(matches!(shop.books.commit(prepared).await, Ok(Committed::Conflict(_))));
                }
                shop.ledger.behind.store(false, Ordering::Relaxed);
                shop.workers.delivery.catch_up().await.expect("read");
            }
            let row = shop.stored(&cards[0]).await.record;
            assert_eq!((row.voided, row.balance), (true, 0), "{purpose:?}, {first:?}");
            let mut moved = vec![("issued", 1_000), (use_is, 200), ("spent", 800), ("voided", 0)];
            moved.sort_unstable();
            assert_eq!(shop.moved(&cards[0]).await, moved, "{purpose:?}, {first:?}");
        }
    }
}

/// Its row says what is left, for ever: on an account it would be full again.
#[tokio::test]
async fn a_card_that_was_used_before_there_were_accounts_is_used_by_its_row() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let mut old = shop.stored(&cards[0]).await;
    (old.record.offer, old.record.balance) = (None, 300);
    assert_eq!(shop.books.commit(Unit::new().update(&old)).await.expect("an answer"), Committed::Done);
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
    let request = |key: &str| Redemption { merchant: UserId([4; 16]), key: key.to_owned(), digest: 1, taken: None };
    let too_much = vouchers.redeem(&mut request("one"), &shop.stored(&cards[0]).await, 301).await;
    assert_eq!(too_much.expect_err("300 are left").code(), ErrorCode::InsufficientBalance);
    for _ in 0..2 {
        let left = vouchers.redeem(&mut request("two"), &shop.stored(&cards[0]).await, 300).await;
        assert_eq!(left.expect("redeemed"), Some(0), "the same again is the same");
    }
    let again = vouchers.redeem(&mut request("three"), &shop.stored(&cards[0]).await, 1).await;
    assert_eq!(again.expect_err("it is used up").code(), ErrorCode::AlreadyUsed);
    assert_eq!(shop.left(&cards[0]).await, 1_000, "nobody has asked its account");
}

/// The till dies after the ledger has taken the money, and its client asks again.
#[tokio::test]
async fn a_redemption_that_only_the_ledger_knew_of_is_made_once() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
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
    assert_eq!(other.code(), ErrorCode::IdempotencyKeyReused);
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!(shop.moved(&cards[0]).await, [("issued", 1_000), ("redeemed", 300)]);
    assert_eq!((shop.left(&cards[0]).await, shop.left(&cards[1]).await), (700, 1_000));
}

#[tokio::test]
async fn the_rest_of_a_card_that_is_spent_for_the_most_part_is_paid_back_once() {
    let shop = Shop::open().await;
    let (bought, cards) = shop.cards().await;
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
    let give_up = async |key: &str| vouchers.give_up(&shop.stored(&cards[0]).await.record, key).await;
    // It is a small card: four fifths must be spent.
    let much = shop.order_beside(&cards[0], "much", 799, true).await;
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
    // What was given up is not spent: with an order that goes back nobody turns the whole card into money.
    shop.give_back(&cards[0], much, RefundId([2; 16]), 799).await;
    shop.workers.delivery.catch_up().await.expect("read");
    let refused = give_up("two").await.expect_err("next to nothing is spent").summary();
    assert_eq!(refused["spent_percent"], 0, "{refused}");
}

#[tokio::test]
async fn of_a_card_that_expired_unused_a_share_is_paid_back() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
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

/// Nothing was paid for the card itself, whatever else its order was paid for: nothing could go back.
#[tokio::test]
async fn a_free_card_beside_something_paid_is_not_taken() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
    let free = Terms { version: 2, price: Money::new(0, Currency::KRW), ..terms(&offer(shop.clock.now())) };
    shop.ledger.decide(OFFER, Command::SetTerms(free)).await.expect("terms");
    let order = OrderId::of_request(BUYER, "free", 0, OFFER);
    let other = OfferId::numbered(shop.clock.now(), OfferNumber(2), [0; 6]);
    let other_lines = vec![Line { offer: other, quantity: 1, unit_price: PRICE, seq: Some(1) }];
    let facts = Some(Box::new(Facts { other_lines, ..Facts::default() }));
    let request = HoldRequest { order, person: BUYER, quantity: 1, unit_price: None, digest: 0, discount: 0, facts };
    let held = shop.ledger.decide(OFFER, Command::Hold(request)).await.expect("an answer");
    assert!(matches!(&held, Outcome::Held(hold) if hold.total() == PRICE), "{held:?}");
    let card = Voucher { order, ..shop.stored(&cards[0]).await.record };
    shop.clock.advance(std::time::Duration::from_secs(86_400) * 1_825);
    let refused = vouchers.give_up(&card, "free").await.expect_err("it was free");
    assert_eq!((refused.code(), shop.left(&cards[0]).await), (ErrorCode::WrongState, 1_000));
}

/// What is left of a card after a till has used it, however often its row must be looked at.
async fn used(shop: &Shop, vouchers: &Vouchers, card: &Voucher, key: String, amount: i64) -> i64 {
    let mut request = Redemption { merchant: UserId([4; 16]), key, digest: 1, taken: None };
    loop {
        let stored = shop.stored(card).await;
        if let Some(left) = vouchers.redeem(&mut request, &stored, amount).await.expect("there is enough") {
            return left;
        }
    }
}

#[tokio::test]
async fn many_tills_of_two_processes_use_one_card_at_once() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let other_process = Tills::new(shop.ports.records.clone());
    let processes =
        [&shop.workers.tills, &other_process].map(|tills| Vouchers::new(shop.ports.clone(), options(), tills));
    // Every key comes twice, to both.
    let requests = (0..100).flat_map(|number| processes.iter().map(move |process| (number / 2, process)));
    let uses = requests.map(|(key, process)| used(&shop, process, &cards[0], format!("key {key}"), 9));
    let left = futures_util::future::join_all(uses).await;
    let distinct: std::collections::BTreeSet<i64> = left.iter().copied().collect();
    assert_eq!(distinct, (1..=50).map(|uses| 1_000 - 9 * uses).collect(), "one after the other, each once");
    let row = shop.stored(&cards[0]).await.record;
    assert_eq!((row.balance, shop.left(&cards[0]).await, shop.moved(&cards[0]).await.len()), (550, 550, 51));
    shop.workers.delivery.catch_up().await.expect("read");
    assert_eq!((shop.stored(&cards[0]).await.record, shop.moved(&cards[0]).await.len()), (row, 51), "all was written");
}

#[tokio::test]
async fn a_card_that_expired_while_an_order_had_its_money_is_valid_again() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let paid = shop.order_beside(&cards[0], "paid", 1_000, true).await;
    shop.workers.delivery.catch_up().await.expect("read");
    let before = shop.stored(&cards[0]).await.record.valid_until;
    shop.clock.advance(before.since(shop.clock.now()) + Duration::from_hours(1));
    shop.give_back(&cards[0], paid, RefundId([1; 16]), 400).await;
    shop.workers.delivery.catch_up().await.expect("read");
    let card = shop.stored(&cards[0]).await.record;
    let now = shop.clock.now();
    assert_eq!((card.balance, card.account().state(now)), (400, VoucherState::Using));
    assert_eq!(card.valid_until, now + VALID_AGAIN);
    let saved = shop.books.events().into_iter().rfind(|event| event.kind == "gift_card.saved").expect("announced");
    let saved = RoleEvent::parse(&saved.kind, &saved.data).expect("readable");
    assert!(matches!(saved, RoleEvent::GiftCardSaved { valid_until, .. } if valid_until == card.valid_until));
    // One that is valid for longer anyway stays as it was.
    let other = shop.stored(&cards[1]).await.record;
    assert_eq!(other.valid_until, before);
}

#[tokio::test]
async fn a_card_that_is_used_up_says_so_also_when_it_has_expired() {
    let shop = Shop::open().await;
    let (_, cards) = shop.cards().await;
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
    let redeem = async |key: &str, amount| {
        let mut redemption = Redemption { merchant: BUYER, key: key.to_owned(), digest: 1, taken: None };
        vouchers.redeem(&mut redemption, &shop.stored(&cards[0]).await, amount).await
    };
    redeem("all", 1_000).await.expect("redeemed");
    shop.clock.advance(Duration::from_hours(24 * 10_000));
    assert_eq!(redeem("more", 1).await.expect_err("refused").code(), ErrorCode::AlreadyUsed);
    let mut redemption = Redemption { merchant: BUYER, key: "other".to_owned(), digest: 1, taken: None };
    let other = vouchers.redeem(&mut redemption, &shop.stored(&cards[1]).await, 1).await;
    assert_eq!(other.expect_err("refused").code(), ErrorCode::Expired);
}

#[tokio::test]
async fn of_a_large_card_that_expired_unused_more_is_paid_back() {
    for (large_value, percent) in [(999, 95), (1_000, 90)] {
        let shop = Shop::open().await;
        let (_, cards) = shop.cards().await;
        let money_back = MoneyBack { large_value, ..MoneyBack::default() };
        let vouchers = Vouchers::new(shop.ports.clone(), Options { money_back, ..options() }, &shop.workers.tills);
        let card = shop.stored(&cards[0]).await.record;
        shop.clock.advance(std::time::Duration::from_secs(86_400) * 1_825);
        let given_up = vouchers.give_up(&card, "late").await.expect("given up");
        assert_eq!(serde_json::to_value(&given_up).expect("JSON")["percent"], percent, "above {large_value}");
    }
}
