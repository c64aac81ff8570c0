//! What is refused, and what costs nothing.

use super::Check;
use super::shop::{HOLD_FOR, OFFER, Shop, attempt, count, ensure, held, request, request_at, same};
use crate::ids::{OfferNumber, PaymentId, RefundId};
use crate::ledger::{Command, Event, Hold, HoldRequest, HoldState, Outcome, Refusal, Terms};
use crate::money::{Currency, Money};
use crate::ports::RefusedCounts;
use crate::testkit::harness::LedgerHarness;

/// Of several reasons to refuse, the first in the contract's order is given; none of them meets an order that exists.
pub(super) async fn refusal_precedence(harness: &mut dyn LedgerHarness) -> Check {
    let shop = Shop::open(harness, |terms| {
        terms.initial_stock = 5;
        terms.limit_per_person = Some(3);
        terms.max_per_order = 4;
    })
    .await?;
    let (opens_at, closes_at) = (shop.now() + HOLD_FOR, shop.now());
    let unknown = OfferNumber(8);
    let request_there = Command::Hold(request_at(unknown, 1, "there", 1));
    same("an unknown offer", shop.decide_on(unknown, request_there).await?, Outcome::Refused(Refusal::UnknownOffer))?;
    let mine = request(1, "mine", 2);
    let hold = held(shop.hold(&mine).await?)?;
    held(shop.hold(&request(2, "others", 3)).await?)?;
    let sold_out = Refusal::SoldOut { held: 5, next_release_at: Some(shop.now() + HOLD_FOR) };
    let over = Refusal::OverLimit { limit: 3, owned: 2 };
    let too_many = Refusal::TooMany { max_per_order: 4 };

    // Everything is wrong with this one; take one reason away after the other.
    let (greedy, large, small) = (request(1, "greedy", 5), request(1, "large", 4), request(1, "small", 1));
    let first = shop.offer().await?.terms;
    let second = Terms { version: 2, opens_at, closes_at: Some(closes_at), ..first };
    shop.decide(Command::SetTerms(second)).await?;
    shop.decide(Command::Freeze).await?;
    shop.refused(&greedy, Refusal::Frozen).await?;
    same("an order that exists", shop.hold(&mine).await?, Outcome::AlreadyHeld(hold.clone()))?;
    let reused = HoldRequest { digest: mine.digest ^ 1, ..mine.clone() };
    same("its id with another body", shop.hold(&reused).await?, Outcome::KeyReused)?;
    shop.decide(Command::Unfreeze).await?;
    shop.refused(&greedy, Refusal::Closed).await?;
    shop.decide(Command::SetTerms(Terms { version: 3, closes_at: None, ..second })).await?;
    shop.refused(&greedy, Refusal::NotOpenYet { opens_at }).await?;
    shop.decide(Command::SetTerms(Terms { version: 4, ..first })).await?;
    shop.refused(&greedy, too_many).await?;
    shop.refused(&request(3, "none", 0), too_many).await?;
    shop.refused(&large, over).await?;
    shop.refused(&small, sold_out).await?;
    same("an order that exists", shop.hold(&mine).await?, Outcome::AlreadyHeld(hold))?;

    let live = shop.state(OFFER).await?.live;
    let refused = RefusedCounts { frozen: 1, closed: 1, not_open_yet: 1, too_many: 2, over_limit: 1, sold_out: 1 };
    same("refusals counted", live.refused, refused)?;
    same("units granted", live.granted, 5)?;
    // A refusal promises nothing about the next try.
    shop.release(request(2, "others", 3).order).await?;
    held(shop.hold(&small).await?)?;
    same("nothing was recorded of refusals", shop.offer().await?.seq, 3 + 5 + 2)
}

/// A free order is held and sold in one event.
pub(super) async fn free_in_one_step(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |terms| terms.price = Money::new(0, Currency::KRW)).await?;
    let free = request(1, "free", 2);
    let granted = shop.hold(&free).await?;
    let Outcome::Granted(hold) = granted else { return Err(format!("expected Granted, found {granted:?}")) };
    same("a free order", (hold.state, hold.expires_at, hold.seq), (HoldState::Sold, shop.now(), 2))?;
    same("units", shop.units().await?, (10, 0, 2))?;
    let journal = shop.journal(OFFER, 2).await?;
    let sold = |event: &Event| matches!(event, Event::Sold(granted) if granted.order == free.order);
    ensure(journal.len() == 1 && journal[0].record.events.iter().all(sold), "one event tells of it")?;
    shop.restart().await?;
    same("again", shop.hold(&free).await?, Outcome::AlreadyHeld(hold))?;
    let pay = Command::BeginPayment { order: free.order, attempt: attempt(1) };
    same("its payment", shop.decide(pay).await?, Outcome::AlreadySold { attempt: PaymentId::NIL })?;
    shop.advance(HOLD_FOR * 2);
    shop.expire(OFFER).await?;
    let give_back = Command::Return { order: free.order, return_id: RefundId([1; 16]), quantity: 1, restock: true };
    shop.expect(give_back, "Returned", |found| matches!(found, Outcome::Returned { .. })).await?;
    same("units after a return", shop.units().await?, (10, 0, 1))?;
    let crowd = (0..40).map(|number| (OFFER, Command::Hold(request(number, "crowd", 1)))).collect();
    let outcomes = shop.race(crowd).await?;
    same("winners of 9 units", count(&outcomes, |found| matches!(found, Outcome::Granted(_))), 9)?;
    same("units when all is gone", shop.units().await?, (10, 0, 10))?;

    // What a discount makes free is free; what it does not is not.
    let priced = Terms { version: 2, price: Money::new(1_000, Currency::KRW), ..shop.offer().await?.terms };
    shop.decide(Command::SetTerms(priced)).await?;
    shop.decide(Command::Adjust { id: crate::ids::EventId([1; 16]), delta: 10 }).await?;
    let whole = HoldRequest { discount: 2_000, ..request(50, "whole", 2) };
    ensure(matches!(shop.hold(&whole).await?, Outcome::Granted(Hold { discount: 2_000, .. })), "a discount of all")?;
    let part = HoldRequest { discount: 1_999, ..request(51, "part", 2) };
    same("a discount of nearly all", held(shop.hold(&part).await?)?.total().amount, 1)?;
    same("units at the end", shop.units().await?, (20, 2, 12))?;
    // What was counted with another price is not granted.
    let old = HoldRequest { unit_price: Some(Money::new(999, Currency::KRW)), ..request(52, "old", 1) };
    same("at an old price", shop.hold(&old).await?, Outcome::Gone)?;
    same("a line at an old price", shop.decide(Command::Prepare(old)).await?, Outcome::Gone)?;
    held(shop.hold(&HoldRequest { unit_price: Some(priced.price), ..request(52, "old", 1) }).await?).map(|_| ())
}
