//! Units: never more than there are, never lost, never twice.

use super::Check;
use super::shop::{HOLD_FOR, OFFER, Shop, attempt, count, ensure, held, request, same};
use crate::ids::RefundId;
use crate::ledger::{Command, Outcome, Refusal};
use crate::testkit::auditor::Auditor;
use crate::testkit::harness::LedgerHarness;
use crate::testkit::history::{Sale, Seeded, Step};

fn is_held(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Held(_))
}

fn is_sold_out(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::SoldOut { .. }))
}

/// Held and sold never exceed stock, also when many run for the last units.
pub(super) async fn never_oversold(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    let crowd = |key: &'static str| {
        (0..120).map(move |number| (OFFER, Command::Hold(request(number, key, 1)))).collect::<Vec<_>>()
    };
    let outcomes = shop.race(crowd("first")).await?;
    same("winners of 10 units", count(&outcomes, is_held), 10)?;
    same("losers", count(&outcomes, is_sold_out), 110)?;
    same("stock, held, sold", shop.units().await?, (10, 10, 0))?;

    // Units that come back are up for one race more.
    let winners = (0..120).zip(&outcomes).filter(|(_, outcome)| is_held(outcome)).map(|(number, _)| number);
    for number in winners.take(3) {
        shop.release(request(number, "first", 1).order).await?;
    }
    let outcomes = shop.race(crowd("second")).await?;
    same("winners of 3 units", count(&outcomes, is_held), 3)?;

    // Two, three and four at a time for what was added.
    let id = crate::ids::EventId([1; 16]);
    shop.expect(Command::Adjust { id, delta: 7 }, "Done", |found| matches!(found, Outcome::Done { .. })).await?;
    let groups = (0..60).map(|number| (OFFER, Command::Hold(request(number, "third", 2 + number % 3)))).collect();
    let outcomes = shop.race(groups).await?;
    let units: u32 =
        outcomes.iter().map(|outcome| if let Outcome::Held(hold) = outcome { hold.quantity } else { 0 }).sum();
    ensure((6..=7).contains(&units), &format!("{units} of 7 units were granted in groups"))?;
    same("held", shop.units().await?.1, 10 + u64::from(units))?;
    shop.crash().await?;
    same("held after a crash", shop.units().await?.1, 10 + u64::from(units))?;
    shop.audit().await
}

/// Available, held and sold are the stock, recomputed from the journal alone after every command.
pub(super) async fn conserved(harness: &mut dyn LedgerHarness) -> Check {
    let shop = Shop::new(harness);
    let (sale, mut seeded) = (Sale { number: OFFER, start: shop.now() }, Seeded::new(20));
    let (mut auditor, mut position) = (Auditor::default(), 0);
    shop.decide(Command::SetTerms(sale.first_terms())).await?;
    for _ in 0..120 {
        let step = Step::draw(&mut seeded);
        shop.advance(Sale::wait(step));
        shop.decide(sale.command(step)).await?;
        // The ledger's clock may have come between; then look again.
        loop {
            let claim = shop.offer().await?;
            for entry in shop.entries(position).await? {
                position = entry.position;
                auditor.take(&entry);
            }
            if auditor.tally(OFFER).is_some_and(|tally| tally.seq == claim.seq) {
                auditor.compare(OFFER, &claim);
                break;
            }
        }
        if auditor.found() > 0 {
            break;
        }
    }
    auditor.finish().check()
}

/// The limit counts what a person holds and owns over all their orders, and what is given back counts no more.
pub(super) async fn limit_per_person(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |terms| {
        terms.initial_stock = 100;
        terms.limit_per_person = Some(3);
    })
    .await?;
    let over = |owned| Refusal::OverLimit { limit: 3, owned };
    // One person, many orders at once.
    let orders = (0..40).map(|key| (OFFER, Command::Hold(request(1, &key.to_string(), 1)))).collect();
    let outcomes = shop.race(orders).await?;
    same("orders of one person within the limit", count(&outcomes, is_held), 3)?;
    same("orders over it", count(&outcomes, |outcome| *outcome == Outcome::Refused(over(3))), 37)?;
    // Another is not affected, and counts by units.
    held(shop.hold(&request(2, "a", 2)).await?)?;
    shop.refused(&request(2, "b", 2), over(2)).await?;
    for (asked, quantity, expected) in [("b", 2, Some(over(2))), ("b", 1, None), ("a", 2, None)] {
        let foreseen = shop.ledger().would_refuse(OFFER, &request(2, asked, quantity), shop.now()).await;
        same("foreseen", foreseen.map_err(|error| error.to_string())?, expected)?;
    }
    // Prepared, paying and sold units count.
    held(shop.decide(Command::Prepare(request(2, "c", 1))).await?)?;
    shop.refused(&request(2, "d", 1), over(3)).await?;
    shop.decide(Command::BeginPayment { order: request(2, "a", 2).order, attempt: attempt(1) }).await?;
    shop.refused(&request(2, "d", 1), over(3)).await?;
    shop.decide(Command::Commit { order: request(2, "a", 2).order, attempt: attempt(1) }).await?;
    shop.archive().await?;
    shop.restart().await?;
    shop.refused(&request(2, "d", 1), over(3)).await?;
    // A return, a release and an expiry give back.
    let order = request(2, "a", 2).order;
    shop.decide(Command::Return { order, return_id: RefundId([1; 16]), quantity: 1, restock: false }).await?;
    let third = held(shop.hold(&request(2, "d", 1)).await?)?;
    shop.refused(&request(2, "e", 1), over(3)).await?;
    shop.release(third.order).await?;
    held(shop.hold(&request(2, "e", 1)).await?)?;
    shop.refused(&request(2, "f", 1), over(3)).await?;
    shop.advance(HOLD_FOR);
    shop.expire(OFFER).await?;
    held(shop.hold(&request(2, "f", 1)).await?)?;
    shop.refused(&request(2, "g", 1), over(3)).await
}

/// Units come back once per release, expiry or return id.
pub(super) async fn returns_exactly_once(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    let sold = shop.buy(&request(1, "sold", 4)).await?.order;
    let give_back =
        |id: u8, quantity, restock| Command::Return { order: sold, return_id: RefundId([id; 16]), quantity, restock };
    // Many times the same return, at once and later.
    let outcomes = shop.race((0..16).map(|_| (OFFER, give_back(1, 1, true))).collect()).await?;
    ensure(matches!(outcomes[0], Outcome::Returned { .. }), "a return is recorded")?;
    ensure(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "the same return is answered the same")?;
    same("units after one return", shop.units().await?, (10, 0, 3))?;
    shop.archive().await?;
    shop.restart().await?;
    same(
        "the same return, other quantity, after a restart",
        shop.decide(give_back(1, 2, true)).await?,
        outcomes[0].clone(),
    )?;
    same("units after the same return", shop.units().await?, (10, 0, 3))?;
    // What is not restocked leaves.
    shop.decide(give_back(2, 2, false)).await?;
    same("units after a return that is not restocked", shop.units().await?, (8, 0, 1))?;
    same("more than is left", shop.decide(give_back(3, 2, true)).await?, Outcome::TooManyReturned { left: 1 })?;
    same("none", shop.decide(give_back(4, 0, true)).await?, Outcome::TooManyReturned { left: 1 })?;
    shop.decide(give_back(3, 1, true)).await?;
    same("units after all came back", shop.units().await?, (8, 0, 0))?;
    same("one more", shop.decide(give_back(5, 1, true)).await?, Outcome::TooManyReturned { left: 0 })?;

    // A release, twins of it included, and an expiry.
    let order = held(shop.hold(&request(2, "released", 3)).await?)?.order;
    let release = Command::Release { order, reason: crate::ledger::ReleaseReason::Canceled };
    let outcomes = shop.race((0..16).map(|_| (OFFER, release.clone())).collect()).await?;
    same("releases", count(&outcomes, |outcome| matches!(outcome, Outcome::Released { .. })), 1)?;
    same("others", count(&outcomes, |outcome| matches!(outcome, Outcome::AlreadyReleased { .. })), 15)?;
    held(shop.hold(&request(3, "expired", 3)).await?)?;
    shop.advance(HOLD_FOR);
    shop.race((0..16).map(|_| (OFFER, Command::Expire)).collect()).await?;
    shop.expire(OFFER).await?;
    same("units after all", shop.units().await?, (8, 0, 0))?;
    let order = request(3, "expired", 3).order;
    let not_sold = Command::Return { order, return_id: RefundId([6; 16]), quantity: 1, restock: true };
    same("a return of what is not sold", shop.decide(not_sold).await?, Outcome::NotSold)
}
