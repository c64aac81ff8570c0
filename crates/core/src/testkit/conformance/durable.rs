//! What was answered outlives the process.

use super::Check;
use super::shop::{HOLD_FOR, OFFER, Shop, attempt, ensure, held, request, same};
use crate::ids::{EventId, RefundId};
use crate::ledger::{Command, Outcome, ReleaseReason};
use crate::testkit::harness::LedgerHarness;

/// A crash at any point after an answer keeps the event.
pub(super) async fn durable_before_answer(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |_| {}).await?;
    every_answer(&mut shop).await?;
    crowd(&mut shop).await
}

/// One event of every kind, and a crash right after each answer.
async fn every_answer(shop: &mut Shop<'_>) -> Check {
    let (bought, dropped, forgotten) = (request(1, "bought", 2), request(2, "dropped", 1), request(3, "forgotten", 1));
    let (order, person, late) = (bought.order, bought.person, shop.now() + HOLD_FOR);
    let (begin, end) =
        (Command::BeginPayment { order, attempt: attempt(1) }, Command::EndPayment { order, attempt: attempt(1) });
    let other = request(4, "other", 1);
    let commands = vec![
        Command::Hold(bought),
        begin.clone(),
        end,
        begin,
        Command::Commit { order, attempt: attempt(1) },
        Command::Return { order, return_id: RefundId([1; 16]), quantity: 1, restock: false },
        Command::Hold(dropped.clone()),
        Command::Release { order: dropped.order, reason: ReleaseReason::Canceled },
        Command::Prepare(other.clone()),
        Command::Promote { order: other.order, expires_at: late },
        Command::Abort { order: request(5, "never", 1).order, person },
        Command::Adjust { id: EventId([1; 16]), delta: 3 },
        Command::Freeze,
        Command::Unfreeze,
        Command::SetTerms(crate::ledger::Terms { version: 2, max_per_order: 7, ..shop.terms(OFFER) }),
        Command::Hold(forgotten.clone()),
        Command::Expire,
        Command::Reclaim { order: forgotten.order, attempt: None },
    ];
    for command in commands {
        if command == Command::Expire {
            shop.set_clock(late);
        }
        let outcome = shop.decide(command.clone()).await?;
        let (offer, entries) = (shop.offer().await?, shop.entries(0).await?);
        let events: usize = entries.iter().map(|entry| entry.record.events.len()).sum();
        ensure(events as u64 == offer.seq, &format!("{outcome:?} was answered, and its event is not in the journal"))?;
        let order = command.order().filter(|_| !matches!(command, Command::Abort { .. }));
        let hold = if let Some(order) = order { shop.find(order).await? } else { None };
        shop.crash().await?;
        let what = format!("{command:?} was answered, then a crash");
        same(&what, shop.entries(0).await?, entries)?;
        same(&what, shop.offer().await?, offer)?;
        if let Some(order) = order {
            same(&what, shop.find(order).await?, hold)?;
        }
    }
    same("units", shop.units().await?, (12, 1, 1))
}

/// A crowd, and a crash right after the last answer: who was told that they have a unit has it.
async fn crowd(shop: &mut Shop<'_>) -> Check {
    for round in 0..3 {
        let key = format!("round {round}");
        let commands: Vec<_> = (10..50).map(|number| (OFFER, Command::Hold(request(number, &key, 1)))).collect();
        let outcomes = shop.race(commands.clone()).await?;
        shop.crash().await?;
        let mut granted = 0;
        for (outcome, (_, command)) in outcomes.into_iter().zip(commands) {
            if let Outcome::Held(hold) = outcome {
                granted += 1;
                same("a granted hold after a crash", shop.hold_of(hold.order).await?, hold.clone())?;
                same("asked again", shop.decide(command).await?, Outcome::AlreadyHeld(hold.clone()))?;
                shop.release(hold.order).await?;
            }
        }
        same("grants", granted, 10)?;
    }
    held(shop.hold(&request(60, "goes on", 1)).await?)?;
    shop.audit().await
}
