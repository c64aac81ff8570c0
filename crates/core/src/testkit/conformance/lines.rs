//! Orders over several offers: prepared lines, and the one offer that decides.

use super::Check;
use super::shop::{HOLD_FOR, OFFER, Shop, attempt, count, ensure, held, request, same};
use crate::ids::OfferNumber;
use crate::ledger::{Command, HoldRequest, HoldState, Outcome, ReleaseReason};
use crate::testkit::harness::LedgerHarness;

/// The offer of the second line.
const LINE: OfferNumber = OfferNumber(2);

/// A prepared line waits for its home offer, whatever the clock says; what the home offer has recorded is final.
pub(super) async fn orders_over_several_offers(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    shop.decide_on(LINE, Command::SetTerms(shop.terms(LINE))).await?;
    goes_through(&mut shop, &request(1, "both", 2)).await?;
    is_aborted(&mut shop, &request(2, "aborted", 3)).await?;
    hold_meets_abort(&mut shop).await
}

async fn line_state(shop: &Shop<'_>) -> Result<(u64, u64, u64), String> {
    let stock = shop.state(LINE).await?.offer.stock;
    Ok((stock.stock, stock.held, stock.sold))
}

async fn goes_through(shop: &mut Shop<'_>, wanted: &HoldRequest) -> Check {
    let order = wanted.order;
    let prepare = Command::Prepare(wanted.clone());
    let prepared = held(shop.decide_on(LINE, prepare.clone()).await?)?;
    same("a prepared line", (prepared.state, prepared.quantity), (HoldState::Prepared, 2))?;
    same("again", shop.decide_on(LINE, prepare.clone()).await?, Outcome::AlreadyHeld(prepared.clone()))?;
    let pay = Command::BeginPayment { order, attempt: attempt(1) };
    same("it cannot be paid", shop.decide_on(LINE, pay.clone()).await?, Outcome::Unknown)?;
    let commit = Command::Commit { order, attempt: attempt(1) };
    same("nor sold", shop.decide_on(LINE, commit.clone()).await?, Outcome::Gone)?;
    same("the order does not exist", shop.find(order).await?, None)?;
    shop.advance(HOLD_FOR * 2);
    shop.expire(LINE).await?;
    shop.restart().await?;
    shop.expire(LINE).await?;
    same("no clock releases it", line_state(shop).await?, (10, 2, 0))?;

    let home = held(shop.hold(wanted).await?)?;
    let promote = Command::Promote { order, expires_at: home.expires_at };
    let promoted = held(shop.decide_on(LINE, promote.clone()).await?)?;
    same("promoted", (promoted.state, promoted.expires_at), (HoldState::Held, home.expires_at))?;
    same("promoted twice", held(shop.decide_on(LINE, promote.clone()).await?)?, promoted.clone())?;
    same("prepared again", shop.decide_on(LINE, prepare).await?, Outcome::AlreadyHeld(promoted))?;
    for number in [OFFER, LINE] {
        let paying = shop.decide_on(number, pay.clone()).await?;
        ensure(matches!(paying, Outcome::Paying(_)), &format!("both lines are paid, found {paying:?}"))?;
        let sold = shop.decide_on(number, commit.clone()).await?;
        ensure(matches!(sold, Outcome::Committed { .. }), &format!("both lines are sold, found {sold:?}"))?;
    }
    same("promoted when sold", shop.decide_on(LINE, promote).await?, Outcome::AlreadySold { attempt: attempt(1) })?;
    same("units of the line", line_state(shop).await?, (10, 0, 2))?;
    same("units of the home", shop.units().await?, (10, 0, 2))?;
    // The order exists: it cannot be aborted any more.
    let abort = shop.decide(Command::Abort { order, person: wanted.person }).await?;
    ensure(matches!(abort, Outcome::AlreadyHeld(_)), &format!("expected AlreadyHeld, found {abort:?}"))?;
    let unknown = Command::Promote { order: request(9, "never", 1).order, expires_at: shop.now() };
    same("what was never prepared", shop.decide_on(LINE, unknown).await?, Outcome::Unknown)
}

async fn is_aborted(shop: &mut Shop<'_>, wanted: &HoldRequest) -> Check {
    let (order, prepare) = (wanted.order, Command::Prepare(wanted.clone()));
    held(shop.decide_on(LINE, prepare.clone()).await?)?;
    let abort = Command::Abort { order, person: wanted.person };
    let aborted = shop.decide(abort.clone()).await?;
    ensure(matches!(aborted, Outcome::Aborted { .. }), &format!("expected Aborted, found {aborted:?}"))?;
    shop.archive().await?;
    shop.crash().await?;
    same("aborted twice", shop.decide(abort).await?, aborted)?;
    same("a late hold", shop.hold(wanted).await?, Outcome::Gone)?;
    let release = Command::Release { order, reason: ReleaseReason::Aborted };
    let released = shop.decide_on(LINE, release.clone()).await?;
    let Outcome::Released { seq } = released else { return Err(format!("expected Released, found {released:?}")) };
    same("released twice", shop.decide_on(LINE, release).await?, Outcome::AlreadyReleased { seq })?;
    same("a late line", shop.decide_on(LINE, prepare).await?, Outcome::Gone)?;
    let promote = Command::Promote { order, expires_at: shop.now() + HOLD_FOR };
    same("a late promotion", shop.decide_on(LINE, promote).await?, Outcome::Expired)?;
    same("units of the line", line_state(shop).await?, (10, 0, 2))?;
    same("units of the home", shop.units().await?, (10, 0, 2))
}

/// Hold and Abort at once: one of them decides, for good.
async fn hold_meets_abort(shop: &mut Shop<'_>) -> Check {
    for round in 0..16_u32 {
        let wanted = request(round, "either", 1);
        let (order, person) = (wanted.order, wanted.person);
        let (hold, abort) = (Command::Hold(wanted.clone()), Command::Abort { order, person });
        let outcomes =
            shop.race(vec![(OFFER, hold.clone()), (OFFER, abort.clone()), (OFFER, hold), (OFFER, abort)]).await?;
        let grants = count(&outcomes, |found| matches!(found, Outcome::Held(_)));
        let aborts = count(&outcomes, |found| matches!(found, Outcome::Aborted { .. }));
        let told = count(&outcomes, |found| matches!(found, Outcome::AlreadyHeld(_)));
        let gone = count(&outcomes, |found| *found == Outcome::Gone);
        let one_of_them = (grants, told, aborts, gone) == (1, 3, 0, 0) || (grants, told, aborts, gone) == (0, 0, 2, 2);
        ensure(one_of_them, &format!("hold and abort of one order: {outcomes:?}"))?;
        if grants == 1 {
            shop.release(order).await?;
        }
    }
    same("units of the home", shop.units().await?, (10, 0, 2))
}
