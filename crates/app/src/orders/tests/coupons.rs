//! Coupons: reserved with the order, used once, given back, whatever step fails.

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::{RoleEvent, TakenLine, topics};
use firstcome_core::ids::{OfferNumber, PaymentId, RefundId, UserId, VoucherId};
use firstcome_core::ledger::{Command, Hold, Stock, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::OrderState;
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::product::Discount;
use firstcome_core::records::Unit;

use super::shop::{BUYER, HOME, SECOND, Shop};
use crate::harm::Harm;
use crate::http::Problem;
use crate::orders::refunds::consumer;
use crate::orders::view::OrderView;
use crate::stock::{Pinned, Stock as Lines};
use crate::voucher_account::{VoucherAccount, code_hash};

const CODE: &str = "0123-4567-89AB-CDEF";
/// The offer that sold the coupon.
const COUPONS: OfferNumber = OfferNumber(7);
const WANTED: [(OfferNumber, u32); 2] = [(HOME, 1), (SECOND, 2)];

/// A shop whose buyer has a coupon.
async fn shop(discount: Discount, minimum_amount: Option<i64>, user: UserId) -> Shop {
    let mut shop = Shop::open([1_000, 333, 50]).await;
    let issued = RoleEvent::CouponIssued {
        voucher: VoucherId([5; 16]),
        code: code_hash(CODE),
        user,
        offer: COUPONS,
        discount,
        minimum_amount,
        valid_until: shop.clock.now() + Duration::from_secs(86_400),
        voided: false,
    };
    shop.vouchers.commit(Unit::new().event(&issued, shop.clock.now())).await.expect("announced");
    shop.coupon = Some(CODE.to_ascii_lowercase());
    shop
}

async fn percent(percent: u8) -> Shop {
    shop(Discount::Percent { percent, max_amount: None }, None, BUYER).await
}

async fn order(shop: &mut Shop, key: &str) -> OrderView {
    shop.place(key, &WANTED).await.expect("alive").expect("placed")
}

async fn refusal(shop: &mut Shop, key: &str) -> Problem {
    shop.place(key, &WANTED).await.expect("alive").expect_err("refused")
}

fn reason(problem: &Problem) -> String {
    assert_eq!(problem.code(), ErrorCode::CouponNotApplicable, "{problem:?}");
    problem.summary()["reason"].as_str().unwrap_or_default().to_owned()
}

async fn hold(shop: &Shop, view: &OrderView) -> Hold {
    shop.ports.ledger.find(view.order_id).await.expect("readable").expect("an order")
}

async fn account(shop: &Shop) -> Stock {
    shop.stock(COUPONS.account()).await
}

#[tokio::test]
async fn the_coupon_is_reserved_with_the_lines_whatever_step_fails() {
    for harm in Harm::ALL {
        for step in 0.. {
            let mut shop = percent(10).await;
            shop.steps.strike(step, harm);
            let placed = shop.place("key", &WANTED).await;
            let Some(when) = shop.steps.struck() else { break };
            shop.steps.calm();
            shop.sweep().await;
            shop.check(&when).await;
            let placed = placed.is_some_and(|placed| placed.is_ok());
            let reserved = shop.ports.ledger.snapshot(COUPONS.account()).await.expect("readable");
            let reserved = reserved.map_or(0, |account| account.offer.stock.held);
            let held = shop.units().await;
            let all = held == [(1, 0), (2, 0), (0, 0)] && reserved == 1;
            assert!(all || !placed && held == [(0, 0); 3] && reserved == 0, "{when}: {held:?} {reserved}");
            let view = order(&mut shop, "key").await;
            assert_eq!((view.amount.amount, view.discount.map(|money| money.amount)), (1_500, Some(166)), "{when}");
            assert_eq!((shop.units().await, account(&shop).await.held), ([(1, 0), (2, 0), (0, 0)], 1), "{when}");
            // Another order does not get it, and holds nothing; when the first is canceled it does.
            assert_eq!(reason(&refusal(&mut shop, "other").await), "used", "{when}");
            let first = hold(&shop, &view).await;
            shop.orders.release(&first).await.expect("canceled");
            assert_eq!((shop.units().await, account(&shop).await.held), ([(0, 0); 3], 0), "{when}");
            order(&mut shop, "other").await;
            shop.check(&when).await;
        }
    }
}

#[tokio::test]
async fn lines_share_the_discount() {
    let mut shop = percent(10).await;
    let view = order(&mut shop, "key").await;
    let lines: Vec<_> = view.lines.iter().map(|line| line.discount.map_or(0, |money| money.amount)).collect();
    assert_eq!((lines.len(), lines.iter().sum::<i64>()), (2, 166), "the account of the coupon is no line: {lines:?}");
}

#[tokio::test]
async fn an_expired_order_gives_its_coupon_back() {
    let mut shop = percent(10).await;
    order(&mut shop, "key").await;
    shop.clock.advance(Duration::from_secs(600));
    for offer in [HOME, SECOND, COUPONS.account()] {
        shop.decide(offer, Command::Expire).await;
    }
    assert_eq!((shop.units().await, account(&shop).await.held), ([(0, 0); 3], 0));
    order(&mut shop, "other").await;
    assert_eq!(account(&shop).await.held, 1);
}

#[tokio::test]
async fn a_paid_order_has_used_its_coupon() {
    let mut shop = percent(10).await;
    let view = order(&mut shop, "key").await;
    let (first, attempt) = (hold(&shop, &view).await, PaymentId([1; 16]));
    let lines = Lines(shop.ports.ledger.clone());
    assert_eq!(lines.begin(&first, attempt).await.expect("pinned"), Pinned::Yes);
    assert!(lines.commit(first.order, Some(&first), attempt).await.expect("sold"));
    assert_eq!((account(&shop).await.held, account(&shop).await.sold), (0, 1));
    assert_eq!(reason(&refusal(&mut shop, "other").await), "used");
    assert_eq!(order(&mut shop, "key").await.order_id, view.order_id, "a repeat is the same order");
    shop.check("paid").await;
}

#[tokio::test]
async fn an_order_that_the_coupon_pays_is_completed_at_once() {
    let mut shop = percent(100).await;
    let view = order(&mut shop, "key").await;
    assert_eq!((view.state, view.amount.amount), (OrderState::Completed, 0));
    assert_eq!((shop.units().await, account(&shop).await.sold), ([(0, 1), (0, 2), (0, 0)], 1));
}

#[tokio::test]
async fn who_may_not_use_it_is_told_why() {
    let won = |amount| Money::new(amount, Currency::KRW);
    let mut small = shop(Discount::Amount(won(500)), Some(1_667), BUYER).await;
    assert_eq!(reason(&refusal(&mut small, "key").await), "below_minimum");
    let mut enough = shop(Discount::Amount(won(500)), Some(1_666), BUYER).await;
    assert_eq!(order(&mut enough, "key").await.amount, won(1_166));
    let mut foreign = shop(Discount::Amount(Money::new(5, "USD".parse().expect("valid"))), None, BUYER).await;
    assert_eq!(reason(&refusal(&mut foreign, "key").await), "currency");
    let mut anothers = shop(Discount::Amount(won(500)), None, UserId([8; 16])).await;
    assert_eq!(reason(&refusal(&mut anothers, "key").await), "unknown");
    let mut late = percent(10).await;
    late.clock.advance(Duration::from_secs(86_400));
    assert_eq!(reason(&refusal(&mut late, "key").await), "expired");
    late.coupon = Some("nonsense".to_owned());
    assert_eq!(reason(&refusal(&mut late, "key").await), "unknown");
    for shop in [small, foreign, anothers, late] {
        assert_eq!(shop.units().await, [(0, 0); 3]);
    }
}

/// The seller changes a price between the look at it and the grant: the discount is that of the price that counts.
#[tokio::test]
async fn the_discount_is_that_of_the_prices_that_were_granted() {
    for (changed, at, amount) in [(HOME, "Hold", 100), (HOME, "Prepare", 2_000), (SECOND, "Prepare", 1)] {
        let mut shop = percent(50).await;
        let ledger = shop.ports.ledger.clone();
        let terms = ledger.snapshot(changed).await.expect("readable").expect("an offer").offer.terms;
        shop.steps.meanwhile(at, async move {
            let terms = Terms { version: 2, price: Money::new(amount, Currency::KRW), ..terms };
            ledger.decide(changed, Command::SetTerms(terms)).await.expect("decided");
        });
        let view = order(&mut shop, "key").await;
        let total: i64 = view.lines.iter().map(|line| line.unit_price.amount * i64::from(line.quantity)).sum();
        assert!(view.lines.iter().any(|line| line.unit_price.amount == amount), "{changed} at {at}");
        assert_eq!(view.discount.map(|money| money.amount), Some(total / 2), "{changed} at {at}");
        assert_eq!(view.amount.amount, total - total / 2);
        shop.check("the price changed").await;
    }
}

#[tokio::test]
async fn the_account_of_coupons_is_no_offer() {
    let shop = percent(50).await;
    let account = VoucherAccount { offer: COUPONS, voucher: VoucherId([5; 16]), face: 1 };
    account.open(&*shop.ports.ledger).await.expect("opened");
    let account = account.id();
    assert!(shop.orders.facts.offer(account).await.expect("readable").is_none());
}

/// Pays an order whole.
async fn paid(shop: &mut Shop, key: &str) -> Hold {
    let view = order(shop, key).await;
    let (first, attempt) = (hold(shop, &view).await, PaymentId([1; 16]));
    let lines = Lines(shop.ports.ledger.clone());
    assert_eq!(lines.begin(&first, attempt).await.expect("pinned"), Pinned::Yes);
    assert!(lines.commit(first.order, Some(&first), attempt).await.expect("sold"));
    hold(shop, &view).await
}

/// Takes units of an order back, as far as the vouchers role allows. Returns what went back.
async fn take_back(shop: &Shop, hold: &Hold, refund: RefundId, lines: Vec<TakenLine>, allowed: bool) -> i64 {
    let terms = shop.orders.terms_of(hold).await.expect("terms");
    let decided = shop.orders.decide(hold, |books, now| {
        let reason = "too many".to_owned();
        shop.orders.by_policy(books, &terms, refund, lines.clone(), reason, now)
    });
    let amount = decided.await.expect("decided").amount;
    judge(shop, hold, refund, allowed).await;
    amount
}

async fn judge(shop: &Shop, hold: &Hold, refund: RefundId, allowed: bool) {
    let order = hold.order;
    let event =
        if allowed { RoleEvent::VouchersVoided { refund, order } } else { RoleEvent::VouchersInUse { refund, order } };
    shop.vouchers.commit(Unit::new().event(&event, shop.clock.now())).await.expect("announced");
    consumer(&shop.ports, topics::VOUCHERS).catch_up().await.expect("handled");
}

fn of(offer: OfferNumber, quantity: u32, of: u32) -> Vec<TakenLine> {
    vec![TakenLine { offer, quantity, of }]
}

async fn state(shop: &Shop, order: &Hold) -> OrderState {
    OrderState::of(&shop.ports.ledger.find(order.order).await.expect("readable").expect("an order"))
}

#[tokio::test]
async fn the_coupon_comes_back_with_the_last_unit_and_not_before() {
    let mut shop = percent(10).await;
    let first = paid(&mut shop, "key").await;
    assert_eq!(reason(&refusal(&mut shop, "other").await), "used");
    let mut back = take_back(&shop, &first, RefundId([1; 16]), of(SECOND, 1, 2), true).await;
    assert_eq!((state(&shop, &first).await, account(&shop).await.sold), (OrderState::PartiallyCanceled, 1));
    back += take_back(&shop, &first, RefundId([2; 16]), of(HOME, 1, 1), true).await;
    assert_eq!(
        (state(&shop, &first).await, account(&shop).await.sold),
        (OrderState::PartiallyCanceled, 1),
        "home is back"
    );
    back += take_back(&shop, &first, RefundId([3; 16]), of(SECOND, 1, 2), true).await;
    assert_eq!((state(&shop, &first).await, account(&shop).await.sold), (OrderState::Canceled, 0));
    assert_eq!(back, first.total().amount, "the parts add up to what it had cost with the discount");
    // It works for another order, once.
    let view = order(&mut shop, "other").await;
    assert_eq!(view.discount.map(|money| money.amount), Some(166));
    judge(&shop, &first, RefundId([3; 16]), true).await;
    assert_eq!(reason(&refusal(&mut shop, "third").await), "used", "a repeat gives nothing back again");
}

#[tokio::test]
async fn the_coupon_stays_spent_while_something_was_used() {
    let mut shop = percent(10).await;
    let first = paid(&mut shop, "key").await;
    let (part, rest) = (RefundId([1; 16]), RefundId([2; 16]));
    let terms = shop.orders.terms_of(&first).await.expect("terms");
    for (refund, lines) in [(part, of(SECOND, 2, 2)), (rest, of(HOME, 1, 1))] {
        let decided = shop.orders.decide(&first, |books, now| {
            shop.orders.by_policy(books, &terms, refund, lines.clone(), "too many".to_owned(), now)
        });
        decided.await.expect("decided");
    }
    judge(&shop, &first, rest, true).await;
    assert_eq!(
        (state(&shop, &first).await, account(&shop).await.sold),
        (OrderState::PartiallyCanceled, 1),
        "undecided"
    );
    judge(&shop, &first, part, false).await;
    assert_eq!((state(&shop, &first).await, account(&shop).await.sold), (OrderState::PartiallyCanceled, 1), "used");
    take_back(&shop, &first, RefundId([3; 16]), of(SECOND, 2, 2), true).await;
    assert_eq!((state(&shop, &first).await, account(&shop).await.sold), (OrderState::Canceled, 0));
}

#[tokio::test]
async fn a_coupon_that_was_canceled_helps_no_more() {
    let mut shop = percent(10).await;
    let voided = RoleEvent::CouponIssued {
        voucher: VoucherId([5; 16]),
        code: code_hash(CODE),
        user: BUYER,
        offer: COUPONS,
        discount: Discount::Percent { percent: 10, max_amount: None },
        minimum_amount: None,
        valid_until: shop.clock.now() + Duration::from_secs(86_400),
        voided: true,
    };
    order(&mut shop, "first").await;
    shop.vouchers.commit(Unit::new().event(&voided, shop.clock.now())).await.expect("announced");
    shop.orders.own_vouchers.catch_up().await;
    assert_eq!(reason(&refusal(&mut shop, "key").await), "voided");
}
