//! Refunds of one order that are decided at once, by the events of other roles and by people.

use std::sync::Arc;

use firstcome_core::events::{RoleEvent, TakenLine, topics};
use firstcome_core::ids::RefundId;
use firstcome_core::ledger::Hold;
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{Clock as _, Committed, EventLog as _, Records as _};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::tax::Tax;
use firstcome_core::testkit::MemoryRecords;

use super::shop::{HOME, Shop};
use crate::consumer::{DeadLetter, Handler as _};
use crate::orders::books::Books;
use crate::orders::decide::Decision;
use crate::orders::parts::PartBack;
use crate::orders::refund::{Refund, Taken};
use crate::orders::refunds::consumer;

/// Begins a refund of so many units.
async fn decide(shop: &Shop, hold: &Hold, refund: RefundId, quantity: u32) -> Refund {
    let terms = shop.orders.terms_of(hold).await.expect("terms");
    let lines = vec![TakenLine { offer: HOME, quantity, of: hold.quantity }];
    let decided = shop.orders.decide(hold, |books, now| {
        shop.orders.by_policy(books, &terms, refund, lines.clone(), "too many".to_owned(), now)
    });
    decided.await.expect("decided")
}

async fn announce(role: &Arc<MemoryRecords>, shop: &Shop, events: &[RoleEvent]) {
    let unit = events.iter().fold(Unit::new(), |unit, event| unit.event(event, shop.clock.now()));
    assert_eq!(role.commit(unit).await.expect("announced"), Committed::Done);
}

async fn hear(shop: &Shop, topic: &'static str) {
    consumer(&shop.ports, topic).catch_up().await.expect("handled");
}

async fn refund(shop: &Shop, id: RefundId) -> Refund {
    shop.ports.records.load::<Refund>(id).await.expect("readable").expect("decided").record
}

fn back(hold: &Hold, refund: RefundId, amount: i64, whole: bool) -> RoleEvent {
    let amount = Money::new(amount, Currency::KRW);
    RoleEvent::CanceledByProvider { refund, order: hold.order, amount, whole, attempt: None }
}

#[tokio::test]
async fn refunds_that_become_less_at_once_leave_nothing_behind() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let hold = shop.sold("key", HOME, 2).await;
    let (one, two, elsewhere) = (RefundId([1; 16]), RefundId([2; 16]), RefundId([3; 16]));
    decide(&shop, &hold, one, 1).await;
    decide(&shop, &hold, two, 1).await;
    announce(&shop.payments, &shop, &[back(&hold, elsewhere, 300, false)]).await;
    hear(&shop, topics::PAYMENTS).await;
    let voided = [one, two].map(|refund| RoleEvent::VouchersVoided { refund, order: hold.order });
    announce(&shop.vouchers, &shop, &voided).await;
    hear(&shop, topics::VOUCHERS).await;
    assert_eq!(refund(&shop, one).await.amount, 700);
    assert_eq!(refund(&shop, two).await.amount, 1_000, "the second sees what the first has become");
}

#[tokio::test]
async fn what_was_refused_does_not_begin_again_beside_another_refund() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let hold = shop.sold("key", HOME, 2).await;
    let (all, part, elsewhere) = (RefundId([1; 16]), RefundId([2; 16]), RefundId([3; 16]));
    decide(&shop, &hold, all, 2).await;
    announce(&shop.vouchers, &shop, &[RoleEvent::VouchersInUse { refund: all, order: hold.order }]).await;
    hear(&shop, topics::VOUCHERS).await;
    assert_eq!(refund(&shop, all).await.state, RefundState::Refused);
    // The provider has sent everything back; what comes of that is decided when another refund is.
    announce(&shop.payments, &shop, &[back(&hold, elsewhere, 2_000, true)]).await;
    let payments = consumer(&shop.ports, topics::PAYMENTS);
    let events = shop.payments.read(topics::PAYMENTS, 0, 1).await.expect("readable");
    let before = payments.handler.handle(&events).await.expect("decided");
    decide(&shop, &hold, part, 1).await;
    let committed = shop.ports.records.commit(before).await.expect("an answer");
    assert!(matches!(committed, Committed::Conflict(_)), "the units of the other would come back twice");
    payments.catch_up().await.expect("decided anew");
    let again = refund(&shop, all).await;
    let lines = again.taken.clone().expect("a part of the order").0.lines;
    assert_eq!((again.state, again.by_provider, lines[0].quantity), (RefundState::Pending, true, 1));
}

/// Whether what went back by the books of an order is all that it cost, and of the same tax.
async fn is_all_back(shop: &Shop, hold: &Hold) -> bool {
    let books = Books::read(&*shop.ports.records, hold).await.expect("readable");
    let parts = shop.ports.records.list::<PartBack>(Query::all(PartBack::TABLE, 10)).await.expect("readable");
    let amounts = books.standing().map(|refund| refund.amount).chain(parts.iter().map(|part| part.record.amount));
    let tax: Tax = books.went_back().into_iter().map(|back| back.tax).sum();
    amounts.sum::<i64>() == hold.total().amount && tax == books.tax
}

/// The shop keeps 300 of 2,000, and somebody sends all of it back in the provider's console: a part, and then the rest;
/// before the shop's own refund goes out, after it was let go, and when it is done.
#[tokio::test]
async fn a_refund_that_the_provider_joins_is_about_what_went_back() {
    for done_before in 0..3 {
        let mut shop = Shop::open([1_000, 300, 50]).await;
        let hold = shop.sold("key", HOME, 2).await;
        let [own, part, rest] = [1, 2, 3].map(|byte| RefundId([byte; 16]));
        let decided = shop.orders.decide(&hold, |books, now| {
            let taken = Taken { lines: books.lines_left(), restock: true, cost: 2_000, ..Taken::default() };
            let policy = RefundPolicy::FullUntilUsed;
            Ok(Decision::New(books.refund(own, taken, 1_700, policy, "kept some".to_owned(), now)))
        });
        decided.await.expect("decided");
        let voided = [RoleEvent::VouchersVoided { refund: own, order: hold.order }];
        if done_before > 0 {
            announce(&shop.vouchers, &shop, &voided).await;
            hear(&shop, topics::VOUCHERS).await;
        }
        let mut events = if done_before == 2 {
            let amount = Money::new(1_700, Currency::KRW);
            vec![RoleEvent::RefundDone { refund: own, order: hold.order, amount, to_card: None }]
        } else {
            vec![back(&hold, part, 1_700, false)]
        };
        events.push(back(&hold, rest, 300, true));
        announce(&shop.payments, &shop, &events).await;
        hear(&shop, topics::PAYMENTS).await;
        announce(&shop.vouchers, &shop, &voided).await;
        hear(&shop, topics::VOUCHERS).await;
        assert!(is_all_back(&shop, &hold).await, "{done_before}");
        let own = refund(&shop, own).await;
        assert_eq!((own.state, own.by_provider), (RefundState::Done, done_before < 2));
    }
}

/// Of two cards for 1,900 together one is given up with a fifth of its value left, and then the other one, expired.
#[tokio::test]
async fn what_was_left_of_a_gift_card_goes_back_as_money() {
    let mut shop = Shop::open([950, 300, 50]).await;
    let hold = shop.sold("key", HOME, 2).await;
    let given_up = |refund, units, percent| RoleEvent::GiftCardGivenUp {
        refund,
        order: hold.order,
        offer: HOME,
        units,
        face: 1_000,
        percent,
    };
    let (one, two) = (RefundId([1; 16]), RefundId([2; 16]));
    announce(&shop.vouchers, &shop, &[given_up(one, 200, 100), given_up(two, 999, 90), given_up(one, 200, 100)]).await;
    hear(&shop, topics::VOUCHERS).await;
    let amounts = [refund(&shop, one).await, refund(&shop, two).await].map(|refund| refund.amount);
    assert_eq!(amounts, [190, 854], "a share of what one card had cost, rounded down");
    assert!(refund(&shop, one).await.leaves_delivery());
}

/// The cancel would take the card back, which it cannot any more; until that is known nothing seems to be left of the money.
#[tokio::test]
async fn money_for_a_gift_card_waits_for_a_refund_that_may_still_be_refused() {
    let mut shop = Shop::open([950, 300, 50]).await;
    let hold = shop.sold("key", HOME, 1).await;
    let (cancel, card, order) = (RefundId([1; 16]), RefundId([2; 16]), hold.order);
    decide(&shop, &hold, cancel, 1).await;
    let given_up =
        RoleEvent::GiftCardGivenUp { refund: card, order, offer: HOME, units: 200, face: 1_000, percent: 100 };
    announce(&shop.vouchers, &shop, &[given_up.clone(), RoleEvent::VouchersInUse { refund: cancel, order }]).await;
    let events = shop.vouchers.read(topics::VOUCHERS, 0, 2).await.expect("readable");
    let vouchers = consumer(&shop.ports, topics::VOUCHERS);
    let sent = async || {
        let events = shop.ports.events.read(topics::ORDERS, 0, 100).await.expect("readable");
        let approved = events.iter().filter(|event| event.kind == "refund.approved");
        approved.filter(|event| event.data.contains(&card.to_string())).count()
    };
    for event in [&events[..1], &events[..1]] {
        let unit = vouchers.handler.handle(event).await.expect("it waits");
        shop.ports.records.commit(unit).await.expect("an answer");
        assert_eq!((refund(&shop, card).await.amount, sent().await), (0, 0), "it would be gone for nothing");
    }
    vouchers.catch_up().await.expect("handled");
    assert_eq!(refund(&shop, cancel).await.state, RefundState::Refused);
    let decided = refund(&shop, card).await;
    assert_eq!((decided.amount, decided.tax().map(Tax::total), sent().await), (190, Some(190), 1));
    announce(&shop.vouchers, &shop, &[given_up]).await;
    vouchers.catch_up().await.expect("handled");
    assert_eq!((refund(&shop, card).await, sent().await), (decided, 1), "once");
}

/// In one batch; and the cancel goes through after all, so that nothing is left for the card.
#[tokio::test]
async fn what_waits_for_a_refund_that_goes_through_gets_what_it_leaves() {
    for (in_use, left) in [(true, Some(190)), (false, None)] {
        let mut shop = Shop::open([950, 300, 50]).await;
        let hold = shop.sold("key", HOME, 1).await;
        let (cancel, card, order) = (RefundId([1; 16]), RefundId([2; 16]), hold.order);
        decide(&shop, &hold, cancel, 1).await;
        let given_up =
            RoleEvent::GiftCardGivenUp { refund: card, order, offer: HOME, units: 200, face: 1_000, percent: 100 };
        let voided = RoleEvent::VouchersVoided { refund: cancel, order };
        let then = if in_use { RoleEvent::VouchersInUse { refund: cancel, order } } else { voided };
        announce(&shop.vouchers, &shop, &[given_up, then]).await;
        hear(&shop, topics::VOUCHERS).await;
        let letters = shop.ports.records.list::<DeadLetter>(Query::all(DeadLetter::TABLE, 10)).await.expect("readable");
        assert!(letters.is_empty(), "{letters:?}");
        let decided = shop.ports.records.load::<Refund>(card).await.expect("readable");
        assert_eq!(decided.map(|stored| stored.record.amount), left);
    }
}

/// Units of which one is refused in between, a part that the provider sends back by itself, and the rest.
#[tokio::test]
async fn the_tax_of_what_goes_back_adds_up_whatever_is_refused() {
    for price in [1_003, 7, 5] {
        let mut shop = Shop::open([price, 300, 50]).await;
        let hold = shop.sold("key", HOME, 4).await;
        let order = hold.order;
        let [one, two, three, rest, elsewhere] = [1, 2, 3, 4, 5].map(|byte| RefundId([byte; 16]));
        for part in [one, two, three] {
            decide(&shop, &hold, part, 1).await;
        }
        let voided = |refund| RoleEvent::VouchersVoided { refund, order };
        let told = [voided(one), RoleEvent::VouchersInUse { refund: two, order }, voided(three)];
        announce(&shop.vouchers, &shop, &told).await;
        hear(&shop, topics::VOUCHERS).await;
        announce(&shop.payments, &shop, &[back(&hold, elsewhere, 3, false)]).await;
        hear(&shop, topics::PAYMENTS).await;
        assert_eq!(refund(&shop, two).await.tax(), None, "it was refused before it counted");
        decide(&shop, &hold, rest, 2).await;
        announce(&shop.vouchers, &shop, &[voided(rest)]).await;
        hear(&shop, topics::VOUCHERS).await;
        let part = shop.ports.records.load::<PartBack>(elsewhere).await.expect("readable").expect("a part");
        let mut sum = part.record.tax().expect("counted");
        for part in [one, three, rest] {
            sum = sum + refund(&shop, part).await.tax().expect("counted");
        }
        assert_eq!(sum, firstcome_core::tax::of_order(&hold, |_| false), "at {price}");
    }
}
