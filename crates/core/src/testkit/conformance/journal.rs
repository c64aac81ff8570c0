//! What the journal says, and who may read it when.

use std::time::Duration;

use super::Check;
use super::shop::{OFFER, Shop, attempt, ensure, event_at, held, request, request_at, same};
use crate::ids::OfferNumber;
use crate::ledger::{Command, Hold, HoldState, Outcome, Record};
use crate::testkit::harness::LedgerHarness;
use crate::testkit::runtime::within;

const OTHER: OfferNumber = OfferNumber(2);

/// Two offers with plenty, whose journals mix.
async fn two_offers(harness: &mut dyn LedgerHarness) -> Result<Shop<'_>, String> {
    let shop = Shop::open(harness, |terms| terms.initial_stock = 1_000).await?;
    let terms = crate::ledger::Terms { initial_stock: 1_000, ..shop.terms(OTHER) };
    shop.decide_on(OTHER, Command::SetTerms(terms)).await?;
    Ok(shop)
}

/// One sequence number per event and offer, strictly increasing, no gap; earlier answered, earlier in line.
pub(super) async fn in_order(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = two_offers(harness).await?;
    let mut holds: Vec<Hold> = Vec::new();
    for round in 0..20 {
        for number in [OFFER, OTHER] {
            let wanted = request_at(number, round, "one by one", 1);
            let hold = held(shop.decide_on(number, Command::Hold(wanted)).await?)?;
            same("the next in line", hold.granted_seq, u64::from(round) + 2)?;
            holds.push(hold);
        }
    }
    for wave in ["first wave", "second wave"] {
        let last = shop.offer().await?.seq;
        let commands = (0..60).map(|number| (OFFER, Command::Hold(request(number, wave, 1)))).collect();
        for outcome in shop.race(commands).await? {
            let hold = held(outcome)?;
            ensure(hold.granted_seq > last, "who came later stands later in line")?;
            holds.push(hold);
        }
        shop.restart().await?;
    }
    let journals = [(OFFER, shop.journal(OFFER, 1).await?), (OTHER, shop.journal(OTHER, 1).await?)];
    for hold in holds {
        let number = hold.order.home();
        let entries = journals.iter().find(|(offer, _)| *offer == number).map_or(&[][..], |(_, entries)| entries);
        let event = event_at(entries, hold.granted_seq);
        let order = event.and_then(|event| Hold::created_by(event, hold.granted_seq, hold.created_at));
        same("the event at its place in line", order, Some(hold))?;
    }
    for (number, entries) in &journals {
        let mut next = 1;
        for entry in entries {
            same("the first event of a record", entry.record.first_seq, next)?;
            next = entry.record.last_seq() + 1;
        }
        same("the offer's last event", shop.state(*number).await?.offer.seq, next - 1)?;
    }
    Ok(())
}

/// `journal`, `entries` and `wait` tell of the same records, and those are chained by hash.
pub(super) async fn journal_agrees_with_itself(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = two_offers(harness).await?;
    for number in [OFFER, OTHER] {
        let commands = (0..40).map(|one| (number, Command::Hold(request_at(number, one, "some", 1)))).collect();
        shop.race(commands).await?;
        shop.decide_on(number, Command::Freeze).await?;
        shop.decide_on(number, Command::Unfreeze).await?;
    }
    for _ in 0..2 {
        let all = shop.entries(0).await?;
        ensure(all.iter().is_sorted_by(|one, next| one.position < next.position), "positions increase")?;
        ensure(all.first().is_some_and(|first| first.position >= 1), "positions begin at 1")?;
        for number in [OFFER, OTHER] {
            let of_offer: Vec<_> = all.iter().filter(|entry| entry.record.offer == number).cloned().collect();
            same("the offer's journal", shop.journal(number, 1).await?, of_offer.clone())?;
            let mut prev = [0; 32];
            for entry in &of_offer {
                same("the hash of the record before", entry.record.prev, prev)?;
                prev = Record::hash(&entry.record.encode());
                same("the hash of a record", entry.hash, prev)?;
            }
            for from_seq in [2, 17, 43] {
                let wanted: Vec<_> =
                    of_offer.iter().filter(|entry| entry.record.last_seq() >= from_seq).cloned().collect();
                same("the journal from the middle", shop.journal(number, from_seq).await?, wanted)?;
            }
            let one = shop.ledger().journal(number, 1, 1).await.map_err(|error| error.to_string())?;
            same("one record", one, of_offer[..1].to_vec())?;
            same("the journal after its end", shop.journal(number, 44).await?, vec![])?;
        }
        let middle = &all[all.len() / 2];
        let after: Vec<_> = all.iter().filter(|entry| entry.position > middle.position).cloned().collect();
        same("entries after the middle", shop.entries(middle.position).await?, after)?;
        same("the journal of an offer that is unknown", shop.journal(OfferNumber(8), 1).await?, vec![])?;
        shop.restart().await?;
    }
    waits(&shop).await
}

/// `wait` returns when there is something to read, and not before.
async fn waits(shop: &Shop<'_>) -> Check {
    let last = shop.entries(0).await?.last().map_or(0, |last| last.position);
    let at_once = within(shop.patience(), shop.ledger().wait(last - 1)).await;
    ensure(matches!(at_once, Some(Ok(()))), "wait returns for what is there")?;
    let nothing = within(Duration::from_millis(30), shop.ledger().wait(last)).await;
    ensure(nothing.is_none(), "wait does not return for nothing")?;
    let ledger = shop.ledger();
    let waiting = shop.beside(async move { (ledger.wait(last).await, ledger.entries(last, 10).await) });
    shop.decide(Command::Freeze).await?;
    match within(shop.patience(), waiting).await {
        Some((Ok(()), Ok(entries))) => same("entries when wait returns", entries.len(), 1),
        _ => Err("wait did not return for a new entry".to_owned()),
    }
}

/// `find` knows at once what was answered.
pub(super) async fn found_after_answer(harness: &mut dyn LedgerHarness) -> Check {
    let mut shop = Shop::open(harness, |terms| terms.initial_stock = 100).await?;
    same("an order that nobody made", shop.find(request(9, "never", 1).order).await?, None)?;
    let elsewhere = request_at(OfferNumber(8), 9, "never", 1);
    same("an order of an offer that is unknown", shop.find(elsewhere.order).await?, None)?;
    for number in 0..20 {
        let hold = held(shop.hold(&request(number, "key", 2)).await?)?;
        same("found", shop.find(hold.order).await?, Some(hold))?;
    }
    let order = request(3, "key", 2).order;
    let paying = shop.decide(Command::BeginPayment { order, attempt: attempt(1) }).await?;
    let Outcome::Paying(paying) = paying else { return Err(format!("expected Paying, found {paying:?}")) };
    same("found in payment", shop.find(order).await?, Some(paying.clone()))?;
    let committed = shop.decide(Command::Commit { order, attempt: attempt(1) }).await?;
    let Outcome::Committed { seq } = committed else { return Err(format!("expected Committed, found {committed:?}")) };
    let sold = Hold { state: HoldState::Sold, seq, ..paying };
    same("found when sold", shop.find(order).await?, Some(sold.clone()))?;
    shop.archive().await?;
    same("found in the archive", shop.find(order).await?, Some(sold.clone()))?;
    shop.restart().await?;
    same("found after a restart", shop.find(order).await?, Some(sold))?;
    same("the others too", shop.hold_of(request(19, "key", 2).order).await?.state, HoldState::Held)
}
