//! The checker itself: a story made up to be right passes, and each way of being wrong is reported by its name. A checker
//! that has never caught anything proves nothing.

use crate::sale::books::{Books, Charge, Counters, OrderRow, VoucherRow};
use crate::sale::check::check;
use crate::sale::history::{History, Kind, Payment, Placed, Terms, Told, Use, Wish};

const OFFER: &str = "ofr_1";
const PRICE: i64 = 9_000;
const FACE: i64 = 10_000;

/// A small sale that went well: buyer 1 paid for two cards and spent on one, buyer 2 holds one, buyer 3 was refunded.
struct Story {
    history: History,
    offers: Vec<Terms>,
    books: Books,
}

fn story() -> Story {
    let offers = vec![Terms {
        offer: OFFER.into(),
        kind: Kind::GiftCard { face: FACE },
        price: PRICE,
        stock: 4,
        limit: Some(2),
        short_hold: false,
    }];
    let mut history = History { wishes: vec![wish(1, 2), wish(2, 1), wish(3, 1)], ..History::default() };
    history.wishes[0].payments.push(payment(1));
    history.wishes[0].uses.push(Use { code: "C1a".into(), key: "u".into(), amount: Some(1_000), told: Told::Ok(()) });
    history.wishes[2].payments.push(payment(3));
    history.wishes[2].cancel = Some(Told::Ok(()));
    let mut books = Books::default();
    books.orders.insert("ord_1".into(), row(1, 2, "COMPLETED", Some("DONE"), &[]));
    books.orders.insert("ord_2".into(), row(2, 1, "PENDING", None, &[]));
    books.orders.insert("ord_3".into(), row(3, 1, "CANCELED", Some("CANCELED"), &["DONE"]));
    books.charges = vec![charge(1, 2, "DONE", &[]), charge(3, 1, "CANCELED", &[PRICE])];
    books.vouchers =
        vec![voucher(1, "C1a", "USING", 9_000), voucher(1, "C1b", "ACTIVE", FACE), voucher(3, "C3", "CANCELED", 0)];
    books.counters.insert(OFFER.into(), Counters { stock: 4, available: 1, held: 1, sold: 2 });
    Story { history, offers, books }
}

fn wish(buyer: usize, quantity: u32) -> Wish {
    let id = format!("ord_{buyer}");
    let placed = Placed { id: id.clone(), amount: PRICE * i64::from(quantity), seq: buyer as u64 };
    let key = format!("key-{buyer}");
    Wish { buyer, offer: OFFER.into(), quantity, key, order: Told::Ok(placed), again: Told::Ok(id), ..Wish::default() }
}

fn payment(buyer: usize) -> Payment {
    let told = Told::Ok(format!("pay_{buyer}"));
    Payment { card: format!("toss_{buyer}"), key: format!("pay-{buyer}"), again: told.clone(), told }
}

fn row(buyer: usize, quantity: u32, state: &str, payment: Option<&str>, refunds: &[&str]) -> OrderRow {
    OrderRow {
        buyer,
        state: state.into(),
        offer: OFFER.into(),
        quantity,
        amount: PRICE * i64::from(quantity),
        seq: buyer as u64,
        overdue: false,
        payment: payment.map(str::to_owned),
        refunds: refunds.iter().map(|&state| state.to_owned()).collect(),
    }
}

fn charge(buyer: usize, quantity: i64, status: &str, cancels: &[i64]) -> Charge {
    let total = PRICE * quantity;
    let balance = total - cancels.iter().sum::<i64>();
    let (payment_key, order) = (format!("toss_{buyer}"), format!("ord_{buyer}"));
    Charge { payment_key, order, status: status.into(), total, balance, cancels: cancels.to_vec() }
}

fn voucher(buyer: usize, code: &str, state: &str, balance: i64) -> VoucherRow {
    VoucherRow { buyer, code: code.into(), order: format!("ord_{buyer}"), state: state.into(), balance: Some(balance) }
}

/// Spoils the story; the checker must name the rule.
#[track_caller]
fn caught(rule: &str, spoil: impl FnOnce(&mut Story)) {
    let mut story = story();
    spoil(&mut story);
    let findings = check(&story.history, &story.offers, &story.books);
    assert!(findings.iter().any(|finding| finding.rule == rule), "{rule} went unnoticed: {findings:#?}");
}

#[test]
fn a_right_story_passes() {
    let Story { history, offers, books } = story();
    assert_eq!(check(&history, &offers, &books), vec![]);
}

#[test]
fn what_is_in_doubt_may_have_happened_or_not() {
    let mut story = story();
    story.history.wishes[1].order = Told::Unknown;
    assert_eq!(check(&story.history, &story.offers, &story.books), vec![]);
    story.history.wishes[1].again = Told::No("sold_out".into());
    story.books.orders.remove("ord_2");
    story.books.counters.insert(OFFER.into(), Counters { stock: 4, available: 2, held: 0, sold: 2 });
    assert_eq!(check(&story.history, &story.offers, &story.books), vec![]);
}

#[test]
fn lost_and_invented_orders_are_caught() {
    caught("lost_order", |story| drop(story.books.orders.remove("ord_2")));
    caught("changed_order", |story| order(story, "ord_2").quantity = 2);
    caught("changed_order", |story| order(story, "ord_2").buyer = 1);
    caught("another_answer", |story| story.history.wishes[1].again = Told::Ok("ord_9".into()));
    caught("another_answer", |story| story.history.wishes[1].again = Told::No("sold_out".into()));
    caught("shared_order", |story| story.history.wishes[1].again = Told::Ok("ord_1".into()));
    caught("phantom_order", |story| drop(story.history.wishes.remove(1)));
    caught("phantom_order", |story| {
        story.history.wishes[1].order = Told::No("sold_out".into());
        story.history.wishes[1].again = Told::Unknown;
    });
    caught("surprise", |story| story.history.surprises.push("answered 500".into()));
}

#[test]
fn selling_too_much_is_caught() {
    caught("oversold", |story| {
        story.offers[0].stock = 2;
        story.books.counters.insert(OFFER.into(), Counters { stock: 2, available: -1, held: 1, sold: 2 });
    });
    caught("oversold", |story| {
        for buyer in 4..7 {
            story.books.orders.insert(format!("ord_{buyer}"), row(buyer, 1, "PENDING", None, &[]));
        }
    });
    caught("stock_changed", |story| counters(story).available = 2);
    caught("stock_changed", |story| story.history.restocked = [(OFFER.into(), 3)].into());
    caught("ledger_and_orders_differ", |story| (counters(story).held, counters(story).available) = (0, 2));
    caught("lost_offer", |story| story.books.counters.clear());
    caught("over_limit", |story| order(story, "ord_1").quantity = 3);
    caught("place_taken_twice", |story| order(story, "ord_2").seq = 1);
    caught("expired_early", |story| order(story, "ord_2").state = "EXPIRED".into());
}

#[test]
fn money_that_does_not_match_is_caught() {
    caught("charge_without_delivery", |story| order(story, "ord_1").state = "EXPIRED".into());
    caught("charge_without_order", |story| story.books.charges[0].order = "ord_9".into());
    caught("double_charge", |story| {
        story.books.charges.push(Charge { payment_key: "toss_1b".into(), ..charge(1, 2, "DONE", &[]) });
    });
    caught("delivery_without_charge", |story| drop(story.books.charges.remove(0)));
    caught("wrong_amount", |story| (story.books.charges[0].total, story.books.charges[0].balance) = (1, 1));
    caught("refunded_twice", |story| story.books.charges[1].cancels.push(PRICE));
    caught("lost_payment", |story| drop(story.books.charges.remove(0)));
    caught("lost_payment", |story| story.books.charges[0].status = "READY".into());
    caught("charged_after_refusal", |story| {
        story.history.wishes[0].payments[0].told = Told::No("payment_failed".into());
    });
    caught("another_answer", |story| story.history.wishes[0].payments[0].again = Told::Ok("pay_9".into()));
    caught("paid_and_not_delivered", |story| order(story, "ord_1").state = "FAILED".into());
    caught("cancel_lost", |story| order(story, "ord_3").state = "COMPLETED".into());
    caught("another_answer", |story| drop(story.books.refused_cancels.insert("ord_3".into(), "answered 409".into())));
    caught("canceled_by_nobody", |story| order(story, "ord_2").state = "CANCELED".into());
    caught("canceled_after_refusal", |story| story.history.wishes[2].cancel = Some(Told::No("wrong_state".into())));
}

#[test]
fn what_never_ends_is_caught() {
    caught("unfinished", |story| order(story, "ord_2").state = "PAYING".into());
    caught("unfinished", |story| order(story, "ord_2").overdue = true);
    caught("unfinished", |story| order(story, "ord_1").payment = Some("UNKNOWN".into()));
    caught("unfinished", |story| order(story, "ord_3").refunds = vec!["PENDING".into()]);
}

#[test]
fn wrong_deliveries_are_caught() {
    caught("not_delivered", |story| drop(story.books.vouchers.remove(1)));
    caught("double_delivery", |story| story.books.vouchers.push(voucher(1, "C1c", "ACTIVE", FACE)));
    caught("double_delivery", |story| story.books.vouchers[1].code = "C1a".into());
    caught("double_delivery", |story| story.books.vouchers[2].state = "ACTIVE".into());
    caught("given_to_another", |story| story.books.vouchers[0].buyer = 2);
    caught("voucher_without_order", |story| story.books.vouchers[0].order = "ord_9".into());
    caught("balance_differs", |story| story.books.vouchers[0].balance = Some(FACE));
    caught("lost_voucher", |story| drop(story.books.vouchers.remove(0)));
}

fn order<'a>(story: &'a mut Story, id: &str) -> &'a mut OrderRow {
    story.books.orders.get_mut(id).expect("an order of the story")
}

fn counters(story: &mut Story) -> &mut Counters {
    story.books.counters.get_mut(OFFER).expect("the offer of the story")
}
