//! A gift card pays an order, or a part of it: reserved with the lines, spent once, given back, whatever step fails.

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OfferNumber, OrderId, PaymentId, UserId, VoucherId};
use firstcome_core::ledger::{Command, Hold, HoldState, Stock};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::OrderState;
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::product::OfferInfo;
use firstcome_core::records::Unit;

use super::shop::{BUYER, HOME, SECOND, Shop, offer, terms};
use crate::harm::Harm;
use crate::http::Problem;
use crate::orders::view::OrderView;
use crate::stock::{Pinned, Stock as Lines};
use crate::voucher_account::{Purpose, Taken, VoucherAccount, code_hash};

const CODE: &str = "0123-4567-89AB-CDEF";
/// The offer that sold the card.
const CARDS: OfferNumber = OfferNumber(7);
const CARD: VoucherId = VoucherId([5; 16]);
/// Costs 1,666.
const WANTED: [(OfferNumber, u32); 2] = [(HOME, 1), (SECOND, 2)];
const UNITS: [(u64, u64); 3] = [(1, 0), (2, 0), (0, 0)];
const SOLD: [(u64, u64); 3] = [(0, 1), (0, 2), (0, 0)];
const NONE: [(u64, u64); 3] = [(0, 0); 3];

fn won(amount: i64) -> Money {
    Money::new(amount, Currency::KRW)
}

/// A shop whose buyer has a card with so much on it.
async fn shop(face: i64) -> Shop {
    let mut shop = Shop::open([1_000, 333, 50]).await;
    announce(&shop, BUYER, won(face), false).await;
    shop.gift_card = Some(CODE.to_ascii_lowercase());
    shop
}

async fn announce(shop: &Shop, user: UserId, face: Money, voided: bool) {
    let valid_until = shop.clock.now() + Duration::from_secs(86_400);
    let saved = RoleEvent::GiftCardSaved {
        voucher: CARD,
        code: code_hash(CODE),
        user,
        offer: CARDS,
        face,
        valid_until,
        voided,
    };
    shop.vouchers.commit(Unit::new().event(&saved, shop.clock.now())).await.expect("announced");
}

async fn order(shop: &mut Shop, key: &str) -> OrderView {
    shop.place(key, &WANTED).await.expect("alive").expect("placed")
}

async fn refusal(shop: &mut Shop, key: &str) -> String {
    let problem: Problem = shop.place(key, &WANTED).await.expect("alive").expect_err("refused");
    assert_eq!(problem.code(), ErrorCode::GiftCardNotApplicable, "{problem:?}");
    problem.summary()["reason"].as_str().unwrap_or_default().to_owned()
}

async fn hold(shop: &Shop, view: &OrderView) -> Hold {
    shop.ports.ledger.find(view.order_id).await.expect("readable").expect("an order")
}

async fn card(shop: &Shop) -> Stock {
    let state = shop.ports.ledger.snapshot(CARDS.account()).await.expect("readable");
    state.map(|state| state.offer.stock).unwrap_or_default()
}

/// What the order costs, what the card pays, and what is left to pay.
fn amounts(view: &OrderView) -> (i64, i64, i64) {
    let amount = |money: Option<Money>| money.map_or(-1, |money| money.amount);
    (view.amount.amount, amount(view.gift_card), amount(view.to_pay))
}

async fn till(shop: &Shop, face: i64, amount: i64) -> Taken {
    let name = OrderId::of_request(BUYER, "till", 0, CARDS);
    let account = VoucherAccount { offer: CARDS, voucher: CARD, face };
    account.take(&*shop.ports.ledger, amount, name, Purpose::Use).await.expect("an answer")
}

#[tokio::test]
async fn a_part_is_reserved_with_the_lines_whatever_step_fails() {
    for harm in Harm::ALL {
        for step in 0.. {
            let mut shop = shop(1_000).await;
            shop.steps.strike(step, harm);
            let placed = shop.place("key", &WANTED).await;
            let Some(when) = shop.steps.struck() else { break };
            shop.steps.calm();
            shop.sweep().await;
            shop.check(&when).await;
            let placed = placed.is_some_and(|placed| placed.is_ok());
            let (held, reserved) = (shop.units().await, card(&shop).await.held);
            let all = held == UNITS && reserved == 1_000;
            assert!(all || !placed && held == NONE && reserved == 0, "{when}: {held:?} {reserved}");
            let view = order(&mut shop, "key").await;
            assert_eq!((view.state, amounts(&view)), (OrderState::Pending, (1_666, 1_000, 666)), "{when}");
            assert_eq!((shop.units().await, card(&shop).await.held), (UNITS, 1_000), "{when}: once");
            // Another order does not get it, and holds nothing; when the first is canceled it does.
            assert_eq!(refusal(&mut shop, "other").await, "empty", "{when}");
            let first = hold(&shop, &view).await;
            shop.orders.release(&first).await.expect("canceled");
            assert_eq!((shop.units().await, card(&shop).await.held), (NONE, 0), "{when}");
            order(&mut shop, "other").await;
            shop.check(&when).await;
        }
    }
}

#[tokio::test]
async fn an_order_that_the_card_pays_is_sold_whole_whatever_step_fails() {
    for harm in Harm::ALL {
        for step in 0.. {
            let mut shop = shop(2_000).await;
            shop.steps.strike(step, harm);
            let placed = shop.place("key", &WANTED).await;
            let Some(when) = shop.steps.struck() else { break };
            shop.steps.calm();
            shop.sweep().await;
            let placed = placed.is_some_and(|placed| placed.is_ok());
            let (units, spent) = (shop.units().await, card(&shop).await.sold);
            let all = units == SOLD && spent == 1_666;
            assert!(all || !placed && units == NONE && spent == 0, "{when}: {units:?} {spent}");
            let view = order(&mut shop, "key").await;
            assert_eq!((view.state, amounts(&view)), (OrderState::Completed, (1_666, 1_666, 0)), "{when}");
            let stock = card(&shop).await;
            assert_eq!((shop.units().await, stock.held, stock.sold), (SOLD, 0, 1_666), "{when}: once");
        }
    }
}

#[tokio::test]
async fn one_line_is_enough() {
    let mut shop = shop(2_000).await;
    let view = shop.place("key", &[(HOME, 1)]).await.expect("alive").expect("placed");
    assert_eq!((view.state, amounts(&view), view.lines.len()), (OrderState::Completed, (1_000, 1_000, 0), 1));
    let view = shop.place("other", &[(HOME, 2)]).await.expect("alive").expect("placed");
    assert_eq!((view.state, amounts(&view)), (OrderState::Pending, (2_000, 1_000, 1_000)));
}

#[tokio::test]
async fn paid_with_the_rest_it_is_spent() {
    let mut shop = shop(1_000).await;
    let view = order(&mut shop, "key").await;
    let (first, attempt) = (hold(&shop, &view).await, PaymentId([1; 16]));
    assert_eq!(first.due(), won(666));
    let lines = Lines(shop.ports.ledger.clone());
    assert_eq!(lines.begin(&first, attempt).await.expect("pinned"), Pinned::Yes);
    // Declined: the card keeps its part for the order, and pays with the next try.
    lines.end(first.order, Some(&first), attempt).await.expect("unpinned");
    assert_eq!((card(&shop).await.held, card(&shop).await.paying), (1_000, 0));
    let attempt = PaymentId([2; 16]);
    assert_eq!(lines.begin(&first, attempt).await.expect("pinned"), Pinned::Yes);
    assert!(lines.commit(first.order, Some(&first), attempt).await.expect("sold"));
    assert_eq!((card(&shop).await.held, card(&shop).await.sold), (0, 1_000));
    assert_eq!(order(&mut shop, "key").await.order_id, view.order_id, "a repeat is the same order");
    shop.check("paid").await;
}

#[tokio::test]
async fn paid_too_late_it_is_taken_again_or_nothing_is() {
    let mut shop = shop(1_000).await;
    let lines = Lines(shop.ports.ledger.clone());
    for (number, spent) in [(1, 0), (2, 400)] {
        let view = order(&mut shop, &number.to_string()).await;
        let late = hold(&shop, &view).await;
        shop.clock.advance(Duration::from_secs(600));
        for offer in [HOME, SECOND, CARDS.account()] {
            shop.decide(offer, Command::Expire).await;
        }
        assert_eq!((shop.units().await, card(&shop).await.held), (NONE, 0), "an expired order gives the balance back");
        if spent > 0 {
            assert_eq!(till(&shop, 1_000, spent).await, Taken::Now);
        }
        let attempt = PaymentId([number; 16]);
        let pinned = lines.begin(&late, attempt).await.expect("an answer");
        assert_eq!(pinned == Pinned::Yes, spent == 0, "{pinned:?}");
        lines.end(late.order, Some(&late), attempt).await.expect("unpinned");
        assert_eq!(card(&shop).await.paying, 0);
        let late = hold(&shop, &view).await;
        assert_eq!(late.state, HoldState::Held);
        shop.orders.release(&late).await.expect("canceled");
    }
    assert_eq!((shop.units().await, card(&shop).await.held, card(&shop).await.sold), (NONE, 0, 400));
}

#[tokio::test]
async fn what_a_till_has_taken_no_order_gets() {
    let mut shop = shop(2_000).await;
    assert_eq!(till(&shop, 2_000, 1_500).await, Taken::Now);
    let view = order(&mut shop, "key").await;
    assert_eq!(amounts(&view), (1_666, 500, 1_166));
    assert_eq!(till(&shop, 2_000, 1_500).await, Taken::Before(1_500));
    let account = VoucherAccount { offer: CARDS, voucher: CARD, face: 2_000 };
    assert_eq!(account.left(&*shop.ports.ledger).await.expect("known"), 0);
}

/// The price falls between the moment that the card is asked and the moment that the order is held.
#[tokio::test]
async fn a_card_never_pays_more_than_the_order_costs() {
    let mut shop = shop(2_000).await;
    let cheaper = OfferInfo { version: 2, ..offer(HOME, won(100)) };
    let (ledger, terms) = (shop.ports.ledger.clone(), terms(&cheaper));
    shop.steps.meanwhile("Hold", async move {
        ledger.decide(HOME, Command::SetTerms(terms)).await.expect("cheaper");
    });
    let view = order(&mut shop, "key").await;
    assert_eq!((view.state, amounts(&view)), (OrderState::Completed, (766, 766, 0)));
    assert_eq!((shop.units().await, card(&shop).await.sold, card(&shop).await.held), (SOLD, 766, 0));
}

#[tokio::test]
async fn who_may_not_use_it_is_told_why() {
    let mut anothers = shop(500).await;
    announce(&anothers, UserId([8; 16]), won(500), false).await;
    assert_eq!(refusal(&mut anothers, "key").await, "unknown");
    let mut voided = shop(500).await;
    announce(&voided, BUYER, won(500), true).await;
    assert_eq!(refusal(&mut voided, "key").await, "voided");
    let mut foreign = shop(500).await;
    announce(&foreign, BUYER, Money::new(500, "USD".parse().expect("valid")), false).await;
    assert_eq!(refusal(&mut foreign, "key").await, "currency");
    let mut late = shop(500).await;
    late.clock.advance(Duration::from_secs(86_400));
    assert_eq!(refusal(&mut late, "key").await, "expired");
    late.gift_card = Some("nonsense".to_owned());
    assert_eq!(refusal(&mut late, "key").await, "unknown");
    let mut cards = shop(500).await;
    let mut gift_cards = OfferInfo { version: 2, ..offer(HOME, won(1_000)) };
    gift_cards.product.kind = firstcome_core::product::ProductKind::GiftCard;
    cards.sell(&gift_cards).await;
    cards.orders.facts.heard(HOME, 2).await.expect("heard");
    assert_eq!(refusal(&mut cards, "key").await, "gift_card");
    for shop in [anothers, voided, foreign, late, cards] {
        assert_eq!((shop.units().await, card(&shop).await.held), (NONE, 0));
    }
}
