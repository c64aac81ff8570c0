//! The same again is answered the same.

use super::Check;
use super::shop::{HOLD_FOR, OFFER, Shop, attempt, count, ensure, held, person, request, same};
use crate::ids::EventId;
use crate::ledger::{Command, Hold, HoldRequest, HoldState, Outcome};
use crate::testkit::harness::LedgerHarness;

async fn again(shop: &Shop<'_>, request: &HoldRequest, expected: &Hold) -> Check {
    same("the same order again", shop.hold(request).await?, Outcome::AlreadyHeld(expected.clone()))
}

/// What was granted for an order is answered the same, however often and whenever the same command comes again.
pub(super) async fn decided_once(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    // Twins: one grant, and all hear of the same.
    let twin = request(1, "twin", 2);
    let outcomes = shop.race((0..32).map(|_| (OFFER, Command::Hold(twin.clone()))).collect()).await?;
    let grants: Vec<_> = outcomes.iter().filter_map(|found| held(found.clone()).ok()).collect();
    same("grants of one order", grants.len(), 1)?;
    let already = Outcome::AlreadyHeld(grants[0].clone());
    same("its twins", count(&outcomes, |outcome| *outcome == already), 31)?;
    same("units of its twins", shop.units().await?, (10, 2, 0))?;
    // The answer does not depend on what is left.
    held(shop.hold(&request(2, "rest", 8)).await?)?;
    again(&shop, &twin, &grants[0]).await?;

    // Payment.
    let (order, first) = (twin.order, attempt(1));
    let begin = Command::BeginPayment { order, attempt: first };
    let outcomes = shop.race((0..16).map(|_| (OFFER, begin.clone())).collect()).await?;
    let paying = Hold { state: HoldState::Paying, attempt: first, seq: grants[0].seq + 2, ..grants[0].clone() };
    ensure(outcomes.iter().all(|outcome| *outcome == Outcome::Paying(paying.clone())), "the same attempt begins once")?;
    let other = Command::BeginPayment { order, attempt: attempt(2) };
    same("another attempt", shop.decide(other).await?, Outcome::PaymentInProgress { attempt: first })?;
    again(&shop, &twin, &paying).await?;
    let commit = Command::Commit { order, attempt: first };
    let outcomes = shop.race((0..16).map(|_| (OFFER, commit.clone())).collect()).await?;
    same("commits", count(&outcomes, |outcome| matches!(outcome, Outcome::Committed { .. })), 1)?;
    let sold = Hold { state: HoldState::Sold, seq: paying.seq + 1, ..paying };
    let committed = Outcome::AlreadyCommitted { seq: sold.seq, attempt: first };
    same("other commits", count(&outcomes, |outcome| *outcome == committed), 15)?;

    // Released, and forgotten, and after a restart, and closed.
    let gone = shop.hold_of(request(2, "rest", 8).order).await?;
    let released = shop.release(gone.order).await?;
    let Outcome::Released { seq } = released else { return Err(format!("expected Released, found {released:?}")) };
    same("released again", shop.release(gone.order).await?, Outcome::AlreadyReleased { seq })?;
    shop.archive().await?;
    for _ in 0..2 {
        again(&shop, &twin, &sold).await?;
        same("committed again", shop.decide(commit.clone()).await?, committed.clone())?;
        same("released again", shop.release(gone.order).await?, Outcome::AlreadyReleased { seq })?;
        let present = shop.hold(&request(2, "rest", 8)).await?;
        ensure(
            matches!(&present, Outcome::AlreadyHeld(hold) if hold.state == HoldState::Released && hold.seq == seq),
            &format!("a released order is answered as it is, found {present:?}"),
        )?;
        shop.restart().await?;
    }
    shop.decide(Command::Freeze).await?;
    again(&shop, &twin, &sold).await?;
    same("units at the end", shop.units().await?, (10, 0, 2))
}

/// An order id belongs to one person and one body.
pub(super) async fn key_reuse(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    let mine = request(1, "key", 1);
    let other_body = HoldRequest { digest: mine.digest ^ 1, quantity: 2, ..mine.clone() };
    let other_person = HoldRequest { person: person(2), ..mine.clone() };
    let hold = held(shop.hold(&mine).await?)?;
    for round in 0..3 {
        same("the same key with another body", shop.hold(&other_body).await?, Outcome::KeyReused)?;
        same("the same key of another person", shop.hold(&other_person).await?, Outcome::KeyReused)?;
        let prepared = shop.decide(Command::Prepare(other_body.clone())).await?;
        same("the same key with another body, prepared", prepared, Outcome::KeyReused)?;
        again(&shop, &mine, &hold).await?;
        match round {
            0 => shop.restart().await?,
            1 => {
                held(shop.hold(&request(3, "rest", 9)).await?)?;
            }
            _ => {}
        }
    }
    same("units", shop.units().await?, (10, 10, 0))
}

/// Adjustments, terms, freezing and unfreezing count once.
pub(super) async fn twice_is_once(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    held(shop.hold(&request(1, "some", 4)).await?)?;
    let adjust = |id: u8, delta| Command::Adjust { id: EventId([id; 16]), delta };
    let outcomes = shop.race((0..16).map(|_| (OFFER, adjust(1, 5))).collect()).await?;
    same("the same adjustment", count(&outcomes, |outcome| *outcome == Outcome::Done { seq: 3 }), 16)?;
    same("units after it", shop.units().await?, (15, 4, 0))?;
    same("more than is available", shop.decide(adjust(2, -12)).await?, Outcome::WouldGoNegative { available: 11 })?;
    shop.archive().await?;
    shop.restart().await?;
    same("the same adjustment after a restart", shop.decide(adjust(1, 5)).await?, Outcome::Done { seq: 3 })?;
    same("all that is available", shop.decide(adjust(2, -11)).await?, Outcome::Done { seq: 4 })?;
    same("units after it", shop.units().await?, (4, 4, 0))?;

    let newer = crate::ledger::Terms { version: 3, initial_stock: 99, ..shop.offer().await?.terms };
    for _ in 0..2 {
        same("newer terms", shop.decide(Command::SetTerms(newer)).await?, Outcome::Done { seq: 5 })?;
    }
    let older = crate::ledger::Terms { version: 2, max_per_order: 1, ..newer };
    same("older terms", shop.decide(Command::SetTerms(older)).await?, Outcome::Done { seq: 5 })?;
    same("the terms in force", shop.offer().await?.terms, newer)?;
    for (command, seq, frozen) in [(Command::Freeze, 6, true), (Command::Unfreeze, 7, false)] {
        for _ in 0..2 {
            same("freezing", shop.decide(command.clone()).await?, Outcome::Done { seq })?;
            same("frozen", shop.offer().await?.frozen, frozen)?;
        }
    }
    same(
        "a number of units that no offer has",
        shop.decide(adjust(3, i64::MAX)).await?,
        Outcome::WouldGoNegative { available: 0 },
    )?;
    shop.advance(HOLD_FOR);
    shop.expire(OFFER).await?;
    same("units at the end", shop.units().await?, (4, 0, 0))
}
