//! Time: when units are granted, and when they are taken back.

use std::time::Duration;

use super::Check;
use super::shop::{HOLD_FOR, OFFER, Shop, attempt, ensure, held, request, same};
use crate::ids::OrderId;
use crate::ledger::{Command, Hold, HoldState, Outcome, Refusal, ReleaseReason, Terms};
use crate::testkit::harness::LedgerHarness;
use crate::testkit::runtime::within;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_micros(1);

/// Nothing is held before `opens_at` or from `closes_at` on, on a clock that never runs backwards.
pub(super) async fn window(harness: &mut dyn LedgerHarness) -> Check {
    let start = harness.clock();
    let now = crate::ports::Clock::now(&start);
    let (opens_at, closes_at) = (now + SECOND, now + SECOND * 10);
    let mut shop = Shop::open(harness, |terms| {
        terms.opens_at = opens_at;
        terms.closes_at = Some(closes_at);
    })
    .await?;
    let early = Refusal::NotOpenYet { opens_at };
    shop.refused(&request(1, "early", 1), early).await?;
    let prepared = shop.decide(Command::Prepare(request(1, "early", 1))).await?;
    same("prepared early", prepared, Outcome::Refused(early))?;
    shop.set_clock(opens_at - MOMENT);
    shop.refused(&request(1, "early", 1), early).await?;
    shop.set_clock(opens_at);
    let first = held(shop.hold(&request(1, "early", 1)).await?)?;
    same("granted at the opening", first.created_at, opens_at)?;
    // Set back to before the opening, the ledger's clock stands still.
    shop.set_clock(now);
    held(shop.hold(&request(2, "still open", 1)).await?)?;
    shop.set_clock(closes_at - MOMENT);
    held(shop.hold(&request(3, "late", 1)).await?)?;
    shop.set_clock(closes_at);
    shop.refused(&request(4, "too late", 1), Refusal::Closed).await?;
    let prepared = shop.decide(Command::Prepare(request(4, "too late", 1))).await?;
    same("prepared late", prepared, Outcome::Refused(Refusal::Closed))?;
    // Holds made in time live on.
    let order = first.order;
    shop.expect(Command::BeginPayment { order, attempt: attempt(1) }, "Paying", |found| {
        matches!(found, Outcome::Paying(_))
    })
    .await?;
    // An event after the end, and the clock is set back to before it, over a restart too.
    shop.set_clock(now);
    shop.refused(&request(5, "set back", 1), Refusal::Closed).await?;
    shop.restart().await?;
    shop.refused(&request(5, "set back", 1), Refusal::Closed).await
}

/// No clock releases a hold in payment, and a hold that is past its deadline never begins to pay.
pub(super) async fn expiry_never_meets_payment(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    let hold = held(shop.hold(&request(1, "paying", 1)).await?)?;
    let order = hold.order;
    let begin = |number| Command::BeginPayment { order, attempt: attempt(number) };
    shop.expect(begin(1), "Paying", |found| matches!(found, Outcome::Paying(_))).await?;
    shop.advance(HOLD_FOR * 3);
    shop.expire(OFFER).await?;
    shop.restart().await?;
    shop.expire(OFFER).await?;
    same("a hold in payment after its deadline", shop.hold_of(order).await?.state, HoldState::Paying)?;
    same("its release", shop.release(order).await?, Outcome::InPayment { attempt: attempt(1) })?;
    let again = shop.expect(begin(1), "Paying", |found| matches!(found, Outcome::Paying(_))).await?;
    ensure(
        matches!(again, Outcome::Paying(Hold { expires_at, .. }) if expires_at == hold.expires_at),
        "its deadline stays",
    )?;
    // Declined: back to held with the old deadline, which is long past.
    let end = Command::EndPayment { order, attempt: attempt(1) };
    shop.expect(end, "PaymentEnded", |found| matches!(found, Outcome::PaymentEnded(_))).await?;
    same("a payment after the deadline", shop.decide(begin(2)).await?, Outcome::Expired)?;
    shop.expire(OFFER).await?;
    let released = shop.hold_of(order).await?;
    same("after it", (released.state, released.reason), (HoldState::Released, ReleaseReason::Expired))?;
    same("a payment of an expired hold", shop.decide(begin(3)).await?, Outcome::Expired)?;
    let commit = Command::Commit { order, attempt: attempt(1) };
    same("a commit of an expired hold", shop.decide(commit).await?, Outcome::Gone)?;

    // At the deadline payment and expiry race: either may win, never both.
    for round in 0..20_u32 {
        let hold = held(shop.hold(&request(2, &round.to_string(), 1)).await?)?;
        let order = hold.order;
        let begin = Command::BeginPayment { order, attempt: attempt(4) };
        shop.set_clock(hold.expires_at - MOMENT);
        let clock = shop.race(vec![(OFFER, begin), (OFFER, Command::Expire)]);
        let outcomes = clock.await?;
        ensure(matches!(outcomes[0], Outcome::Paying(_)), "a payment begins until the deadline")?;
        shop.set_clock(hold.expires_at);
        let end = Command::EndPayment { order, attempt: attempt(4) };
        let commit = Command::Commit { order, attempt: attempt(4) };
        let outcomes =
            shop.race(vec![(OFFER, Command::Expire), (OFFER, if round % 2 == 0 { end } else { commit })]).await?;
        let expected = if round % 2 == 0 { "PaymentEnded" } else { "Committed" };
        ensure(format!("{:?}", outcomes[1]).starts_with(expected), "expiry did not meet the payment")?;
        shop.expire(OFFER).await?;
        let found = shop.hold_of(order).await?.state;
        same("at last", found, if round % 2 == 0 { HoldState::Released } else { HoldState::Sold })?;
        if found == HoldState::Sold {
            let return_id = crate::ids::RefundId([round as u8; 16]);
            shop.decide(Command::Return { order, return_id, quantity: 1, restock: true }).await?;
        }
    }
    same("units at the end", shop.units().await?, (10, 0, 0))
}

/// A hold past its deadline is released by the ledger itself, late but never early.
pub(super) async fn expires_by_itself(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    let hold = held(shop.hold(&request(1, "forgotten", 2)).await?)?;
    same("its deadline", hold.expires_at, shop.now() + HOLD_FOR)?;
    shop.set_clock(hold.expires_at - MOMENT);
    same("before the deadline", shop.decide(Command::Expire).await?, Outcome::ReleasedByTime(vec![]))?;
    same("before the deadline", shop.hold_of(hold.order).await?.state, HoldState::Held)?;
    shop.restart().await?;
    let position = last_position(&shop).await?;
    shop.set_clock(hold.expires_at);
    released_after(&shop, position).await?;
    let released = shop.hold_of(hold.order).await?;
    same("by itself", (released.state, released.reason), (HoldState::Released, ReleaseReason::Expired))?;
    same("units", shop.units().await?, (10, 0, 0))?;
    // A deadline that passes while the ledger is away.
    held(shop.hold(&request(1, "away", 2)).await?)?;
    let position = last_position(&shop).await?;
    shop.advance(HOLD_FOR * 2);
    shop.restart().await?;
    released_after(&shop, position).await?;
    same("units", shop.units().await?, (10, 0, 0))
}

async fn last_position(shop: &Shop<'_>) -> Result<i64, String> {
    Ok(shop.entries(0).await?.last().map_or(0, |last| last.position))
}

/// Waits for the ledger to release something by itself.
async fn released_after(shop: &Shop<'_>, position: i64) -> Check {
    let waited = within(shop.patience(), shop.ledger().wait(position)).await;
    ensure(matches!(waited, Some(Ok(()))), "the ledger releases what is due by itself")
}

/// An expired order takes units again if there are any and the limit allows.
pub(super) async fn reclaim(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |terms| {
        terms.limit_per_person = Some(6);
        terms.closes_at = Some(terms.opens_at + HOLD_FOR);
    })
    .await?;
    let order = held(shop.hold(&request(1, "late", 4)).await?)?.order;
    let reclaim = Command::Reclaim { order, attempt: None };
    same(
        "what was never granted",
        shop.decide(Command::Reclaim { order: request(9, "no", 1).order, attempt: None }).await?,
        Outcome::Unknown,
    )?;
    ensure(matches!(shop.decide(reclaim.clone()).await?, Outcome::Held(_)), "a hold that lives is answered as it is")?;
    shop.advance(HOLD_FOR);
    shop.expire(OFFER).await?;
    shop.archive().await?;
    let expires_at = shop.now() + HOLD_FOR;
    // The window has closed; the order was in time.
    let found = held(shop.decide(reclaim.clone()).await?)?;
    same("reclaimed", (found.state, found.quantity, found.expires_at), (HoldState::Held, 4, expires_at))?;
    same("reclaimed twice", held(shop.decide(reclaim.clone()).await?)?, found)?;
    same("units", shop.units().await?, (10, 4, 0))?;
    // It can be paid now.
    let pay = Command::BeginPayment { order, attempt: attempt(1) };
    shop.expect(pay, "Paying", |found| matches!(found, Outcome::Paying(_))).await?;
    let end = Command::EndPayment { order, attempt: attempt(1) };
    shop.expect(end, "PaymentEnded", |found| matches!(found, Outcome::PaymentEnded(_))).await?;
    shop.set_clock(expires_at);
    shop.expire(OFFER).await?;

    // Others have the units, or the person has too many.
    set_terms(&shop, |terms| terms.closes_at = None).await?;
    let other = held(shop.hold(&request(1, "other", 3)).await?)?;
    let over = Refusal::OverLimit { limit: 6, owned: 3 };
    same("over the limit", shop.decide(reclaim.clone()).await?, Outcome::Refused(over))?;
    shop.release(other.order).await?;
    for (number, quantity) in [(2, 6), (3, 1)] {
        held(shop.hold(&request(number, "rest", quantity)).await?)?;
    }
    let sold_out = Refusal::SoldOut { held: 7, next_release_at: Some(shop.now() + HOLD_FOR) };
    same("sold out", shop.decide(reclaim.clone()).await?, Outcome::Refused(sold_out))?;
    shop.restart().await?;
    shop.release(request(3, "rest", 1).order).await?;
    held(shop.decide(reclaim.clone()).await?)?;
    // For an attempt alone: when that ends, the order has expired again. So have the others by now.
    shop.set_clock(shop.now() + HOLD_FOR);
    shop.expire(OFFER).await?;
    for number in [2, 3] {
        let reclaim = Command::Reclaim { order, attempt: Some(attempt(number)) };
        for _ in 0..2 {
            shop.expect(reclaim.clone(), "Paying", |found| matches!(found, Outcome::Paying(_))).await?;
        }
        let of_another = shop.decide(Command::Reclaim { order, attempt: Some(attempt(9)) }).await?;
        same("reclaimed for another", of_another, Outcome::PaymentInProgress { attempt: attempt(number) })?;
        let end = Command::EndPayment { order, attempt: attempt(number) };
        shop.expect(end, "PaymentEnded", |found| matches!(found, Outcome::PaymentEnded(_))).await?;
        shop.advance(Duration::from_millis(1));
        shop.expire(OFFER).await?;
        same("expired again", shop.hold_of(order).await?.state, HoldState::Released)?;
    }
    held(shop.decide(reclaim.clone()).await?)?;
    used_up(&shop, order).await?;
    // Canceled is for good.
    shop.release(order).await?;
    same("a canceled order", shop.decide(reclaim).await?, Outcome::Gone)?;
    same("units at the end", shop.units().await?, (10, 0, 0))
}

/// Nobody pays for what can be used no more, though its units are held still; who pays already goes on.
async fn used_up(shop: &Shop<'_>, order: OrderId) -> Check {
    let paying = held(shop.hold(&request(4, "paying", 1)).await?)?.order;
    let begin = |order| Command::BeginPayment { order, attempt: attempt(1) };
    shop.expect(begin(paying), "Paying", |found| matches!(found, Outcome::Paying(_))).await?;
    set_terms(shop, |terms| terms.usable_until = Some(terms.opens_at)).await?;
    same("a payment of what is over", shop.decide(begin(order)).await?, Outcome::Expired)?;
    for pinned in [None, Some(attempt(1))] {
        let reclaim = Command::Reclaim { order, attempt: pinned };
        same("what is over", shop.decide(reclaim).await?, Outcome::Refused(Refusal::Closed))?;
    }
    shop.expect(begin(paying), "Paying", |found| matches!(found, Outcome::Paying(_))).await?;
    let end = Command::EndPayment { order: paying, attempt: attempt(1) };
    shop.expect(end, "PaymentEnded", |found| matches!(found, Outcome::PaymentEnded(_))).await?;
    same("paid once more", shop.decide(begin(paying)).await?, Outcome::Expired)?;
    shop.release(paying).await?;
    set_terms(shop, |terms| terms.usable_until = None).await?;
    held(shop.decide(Command::Reclaim { order, attempt: None }).await?)?;
    Ok(())
}

async fn set_terms(shop: &Shop<'_>, change: impl FnOnce(&mut Terms)) -> Check {
    let mut terms = shop.offer().await?.terms;
    terms.version += 1;
    change(&mut terms);
    shop.expect(Command::SetTerms(terms), "Done", |found| matches!(found, Outcome::Done { .. })).await.map(|_| ())
}
