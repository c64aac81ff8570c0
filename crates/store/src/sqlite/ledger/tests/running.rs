//! A ledger at work: restarts, many offers, full queues, forgetting, closing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Command, HoldState, Offer, Outcome, Refusal, ReleaseReason};
use firstcome_core::ports::{PortError, StockLedger};

use parking_lot::Mutex;

use super::*;
use crate::sqlite::ledger::verify_journal;

/// Some of everything: holds, payments, releases, a refusal, an adjustment.
async fn history(ledger: &SqliteLedger, place: &Place) {
    sell(ledger, place, OFFER, 20).await;
    for number in 0..12 {
        held(ledger, number).await;
    }
    for number in 0..4 {
        pay(ledger, number).await;
    }
    let release = Command::Release { order: order(5, OFFER), reason: ReleaseReason::Canceled };
    ledger.decide(OFFER, release).await.expect("decided");
    let id = firstcome_core::ids::EventId([7; 16]);
    ledger.decide(OFFER, Command::Adjust { id, delta: -3 }).await.expect("decided");
}

async fn books(ledger: &SqliteLedger) -> (firstcome_core::ledger::OfferSnapshot, Vec<Option<Hold>>) {
    let state = ledger.snapshot(OFFER).await.expect("known").expect("there");
    let mut holds = Vec::new();
    for number in 0..12 {
        holds.push(ledger.find(order(number, OFFER)).await.expect("known"));
    }
    (state.offer, holds)
}

#[tokio::test]
async fn a_restart_finds_what_was_answered() {
    let place = Place::new();
    let ledger = place.open();
    history(&ledger, &place).await;
    let before = books(&ledger).await;
    drop(ledger);
    let ledger = place.open();
    assert_eq!(books(&ledger).await, before);
    assert_eq!(
        ledger.decide(OFFER, hold(1, OFFER)).await.expect("decided"),
        Outcome::AlreadyHeld(before.1[1].clone().expect("held"))
    );
    // From the archive, with part of the journal still to come.
    place.follow(&ledger).await;
    held(&ledger, 100).await;
    let after = books(&ledger).await.0;
    drop(ledger);
    let ledger = place.open();
    assert_eq!(books(&ledger).await.0, after);
}

#[tokio::test]
async fn a_crash_finds_what_was_answered() {
    let place = Place::new();
    let ledger = place.open();
    history(&ledger, &place).await;
    let crashed = place.copy();
    let again = crashed.open();
    assert_eq!(books(&again).await, books(&ledger).await);
}

#[tokio::test]
async fn the_journal_alone_rebuilds_the_offer() {
    let place = Place::new();
    let ledger = place.open();
    history(&ledger, &place).await;
    let mut offer = Offer::default();
    for entry in ledger.journal(OFFER, 1, 1_000).await.expect("readable") {
        assert_eq!(entry.record.first_seq, offer.seq() + 1);
        entry.record.events.iter().for_each(|event| offer.evolve(event, entry.record.at));
    }
    assert_eq!(offer.snapshot(), Some(books(&ledger).await.0));
    let tail = ledger.journal(OFFER, offer.seq(), 10).await.expect("readable");
    assert_eq!(tail.len(), 1);
    let all = ledger.entries(0, 1_000).await.expect("readable");
    assert_eq!(ledger.entries(all.len() as i64 - 2, 1_000).await.expect("readable"), all[all.len() - 2..]);
}

#[tokio::test]
async fn old_entries_come_from_the_file() {
    let place = Place::new();
    let ledger = SqliteLedger::open(LedgerOptions { recent_events: 3, ..place.options() }).expect("it opens");
    history(&ledger, &place).await;
    let all = ledger.entries(0, 1_000).await.expect("readable");
    let last = all.last().expect("some").position;
    assert_eq!(all.iter().map(|entry| entry.position).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    assert_eq!(ledger.entries(last - 1, 10).await.expect("readable"), all[all.len() - 1..]);
    assert_eq!(ledger.entries(3, 2).await.expect("readable"), all[3..5]);
    ledger.wait(last - 1).await.expect("at once");
    let waiting = ledger.wait(last);
    let (waited, _) = tokio::join!(waiting, held(&ledger, 50));
    waited.expect("after the next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_offers() {
    let place = Place::new();
    let ledger = place.open();
    let now = place.clock.now();
    let all: Vec<_> = (1..=10_000).map(OfferNumber).collect();
    for some in all.chunks(1_000) {
        let each = some.iter().map(|offer| {
            let (ledger, offer) = (ledger.clone(), *offer);
            tokio::spawn(async move { ledger.decide(offer, Command::SetTerms(terms(offer, 1, now))).await })
        });
        for task in each.collect::<Vec<_>>() {
            assert_eq!(task.await.expect("no panic").expect("decided"), Outcome::Done { seq: 1 });
        }
    }
    for number in [1, 5_000, 10_000] {
        let offer = OfferNumber(number);
        assert!(matches!(ledger.decide(offer, hold(1, offer)).await, Ok(Outcome::Held(_))));
        assert!(matches!(ledger.decide(offer, hold(2, offer)).await, Ok(Outcome::Refused(Refusal::SoldOut { .. }))));
    }
    assert_eq!(ledger.offers(), all);
    place.follow(&ledger).await;
    drop(ledger);
    assert_eq!(place.open().offers(), all);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let place = Place::new();
    let (ledger, mut engine) =
        SqliteLedger::open_by_hand(LedgerOptions { queue: 3, queue_total: 5, ..place.options() }).expect("it opens");
    let ledger = Arc::new(ledger);
    let now = place.clock.now();
    let ask = |offer: OfferNumber| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.decide(offer, Command::SetTerms(terms(offer, 1, now))).await })
    };
    let mut waiting = vec![ask(OFFER), ask(OFFER), ask(OFFER)];
    tokio::task::yield_now().await;
    let fourth = ask(OFFER).await.expect("no panic");
    assert!(matches!(fourth, Err(PortError::Overloaded)), "{fourth:?}");
    waiting.extend([ask(OfferNumber(2)), ask(OfferNumber(2))]);
    tokio::task::yield_now().await;
    let sixth = ask(OfferNumber(3)).await.expect("no panic");
    assert!(matches!(sixth, Err(PortError::Overloaded)), "{sixth:?}");
    assert!(engine.step().expect("written"));
    for task in waiting {
        assert!(matches!(task.await.expect("no panic"), Ok(Outcome::Done { .. })));
    }
    assert_eq!(ledger.work().waiting, 0);
}

#[tokio::test]
async fn what_is_not_durable_is_not_shown() {
    let place = Place::new();
    let (ledger, mut engine) = SqliteLedger::open_by_hand(place.options()).expect("it opens");
    let ledger = Arc::new(ledger);
    let ask = |command: Command| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.decide(OFFER, command).await })
    };
    let created = ask(Command::SetTerms(terms(OFFER, 5, place.clock.now())));
    tokio::task::yield_now().await;
    engine.step().expect("written");
    created.await.expect("no panic").expect("decided");
    let holding = ask(hold(1, OFFER));
    tokio::task::yield_now().await;
    let batch = engine.decide();
    assert_eq!(ledger.snapshot(OFFER).await.expect("known").expect("there").offer.stock.held, 0);
    assert!(ledger.entries(1, 10).await.expect("readable").is_empty());
    let finding = {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.find(order(1, OFFER)).await })
    };
    tokio::task::yield_now().await;
    assert!(!finding.is_finished() && !holding.is_finished());
    engine.finish(batch).expect("written");
    assert!(finding.await.expect("no panic").expect("known").is_some());
    assert!(matches!(holding.await.expect("no panic"), Ok(Outcome::Held(_))));
    assert_eq!(ledger.snapshot(OFFER).await.expect("known").expect("there").offer.stock.held, 1);
}

#[tokio::test]
async fn holds_expire_by_themselves_late_but_never_early() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 2_000).await;
    for number in 0..1_200 {
        held(&ledger, number).await;
    }
    place.clock.advance(Duration::from_millis(59_999));
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(ledger.snapshot(OFFER).await.expect("known").expect("there").offer.stock.held, 1_200);
    place.clock.advance(Duration::from_millis(1));
    eventually("all holds are released", async || {
        ledger.snapshot(OFFER).await.expect("known").expect("there").offer.stock.released == 1_200
    })
    .await;
}

#[tokio::test]
async fn settled_holds_leave_memory_and_are_found_again() {
    let place = Place::new();
    let ledger = place.open();
    history(&ledger, &place).await;
    assert_eq!(ledger.holds_in_memory(), 12);
    place.follow(&ledger).await;
    eventually("only the open holds stay", async || ledger.holds_in_memory() == 7).await;
    assert_eq!(ledger.find(order(1, OFFER)).await.expect("known").map(|hold| hold.state), Some(HoldState::Sold));
    // The same request, the same answer.
    let again = ledger.decide(OFFER, hold(1, OFFER)).await.expect("decided");
    assert!(matches!(&again, Outcome::AlreadyHeld(hold) if hold.state == HoldState::Sold), "{again:?}");
    eventually("what was only looked up is forgotten again", async || ledger.holds_in_memory() == 7).await;
    // Units of a forgotten sale come back once.
    let back = Command::Return {
        order: order(1, OFFER),
        return_id: firstcome_core::ids::RefundId([3; 16]),
        quantity: 1,
        restock: true,
    };
    let first = ledger.decide(OFFER, back.clone()).await.expect("decided");
    assert!(matches!(first, Outcome::Returned { .. }));
    place.follow(&ledger).await;
    eventually("it is forgotten once more", async || ledger.holds_in_memory() == 7).await;
    assert_eq!(ledger.decide(OFFER, back).await.expect("decided"), first);
    // A forgotten, released order is paid late.
    let reclaimed =
        ledger.decide(OFFER, Command::Reclaim { order: order(5, OFFER), attempt: None }).await.expect("decided");
    assert_eq!(reclaimed, Outcome::Gone, "the buyer had canceled it");
    let before = books(&ledger).await.0;
    drop(ledger);
    assert_eq!(books(&place.open()).await.0, before);
}

#[tokio::test]
async fn a_known_order_is_never_refused_by_the_shortcut() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 1).await;
    held(&ledger, 1).await;
    pay(&ledger, 1).await;
    let refused = ledger.decide(OFFER, hold(2, OFFER)).await.expect("decided");
    assert_eq!(refused, Outcome::Refused(Refusal::SoldOut { held: 0, next_release_at: None }));
    assert!(matches!(ledger.decide(OFFER, hold(1, OFFER)).await, Ok(Outcome::AlreadyHeld(_))));
    place.follow(&ledger).await;
    eventually("it is forgotten", async || ledger.holds_in_memory() == 0).await;
    assert!(matches!(ledger.decide(OFFER, hold(1, OFFER)).await, Ok(Outcome::AlreadyHeld(_))));
    let live = ledger.snapshot(OFFER).await.expect("known").expect("there").live;
    assert_eq!((live.refused.sold_out, live.granted), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_get_no_more_than_there_is() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 500).await;
    let tasks: Vec<_> = (0..40_u64)
        .map(|task| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut granted = 0;
                for number in 0..50 {
                    // Every order is asked for by two tasks.
                    let asked = ledger.decide(OFFER, hold((task / 2) * 50 + number, OFFER)).await.expect("decided");
                    granted += u64::from(matches!(asked, Outcome::Held(_)));
                }
                granted
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += task.await.expect("no panic");
    }
    assert_eq!(granted, 500);
    let state = ledger.snapshot(OFFER).await.expect("known").expect("there");
    assert_eq!((state.offer.stock.held, state.live.granted), (500, 500));
    assert_eq!(verify_journal(place.path(), |_| Ok(())).expect("whole").events, 501);
}

#[tokio::test]
async fn closing_answers_everyone_and_lets_nobody_in() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 1_000).await;
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.decide(OFFER, hold(number, OFFER)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    ledger.close();
    let mut granted = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(Outcome::Held(_)) => granted += 1,
            Err(PortError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(ledger.decide(OFFER, hold(999, OFFER)).await, Err(PortError::Unavailable(_))));
    assert!(ledger.wait(1_000_000).await.is_err());
    drop(ledger);
    let state = place.open().snapshot(OFFER).await.expect("known").expect("there");
    assert_eq!(state.offer.stock.held, granted);
}

#[tokio::test]
async fn a_hold_that_nobody_waits_for_is_not_made() {
    let place = Place::new();
    let (ledger, mut engine) = SqliteLedger::open_by_hand(place.options()).expect("it opens");
    let ledger = Arc::new(ledger);
    let ask = |command: Command| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.decide(OFFER, command).await })
    };
    let created = ask(Command::SetTerms(terms(OFFER, 5, place.clock.now())));
    tokio::task::yield_now().await;
    engine.step().expect("written");
    created.await.expect("no panic").expect("decided");
    let gone = ask(hold(1, OFFER));
    tokio::task::yield_now().await;
    gone.abort();
    gone.await.expect_err("it was given up");
    engine.step().expect("nothing to write");
    assert_eq!(ledger.snapshot(OFFER).await.expect("known").expect("there").offer.stock.held, 0);
    assert_eq!(ledger.work().waiting, 0);
}

/// Holds units until it is told to stop, and keeps what it was answered.
async fn keep_holding(ledger: Arc<SqliteLedger>, from: u64, answered: Arc<Mutex<Vec<Hold>>>, stop: Arc<AtomicBool>) {
    for number in from.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let hold = held(&ledger, number).await;
        answered.lock().push(hold);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn crashes_in_the_middle_keep_what_was_answered() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 1_000_000).await;
    let answered = Arc::new(Mutex::new(Vec::new()));
    for round in 0..8 {
        let stop = Arc::new(AtomicBool::new(false));
        let hold = |task: u64| {
            let from = (round * 16 + task) << 20;
            tokio::spawn(keep_holding(ledger.clone(), from, answered.clone(), stop.clone()))
        };
        let tasks: Vec<_> = (0..16).map(hold).collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = answered.lock().clone();
        let crashed = place.copy();
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.expect("no panic");
        }
        let again = crashed.open();
        for hold in before {
            assert_eq!(again.find(hold.order).await.expect("known"), Some(hold));
        }
        verify_journal(crashed.path(), |_| Ok(())).expect("whole");
    }
    assert!(answered.lock().len() > 100);
}

#[tokio::test]
async fn terms_must_be_sound_and_the_offers_own() {
    let place = Place::new();
    let ledger = place.open();
    let sound = terms(OFFER, 1, place.clock.now());
    let none = Terms { max_per_order: 0, ..sound };
    assert!(matches!(ledger.decide(OFFER, Command::SetTerms(none)).await, Err(PortError::Misused(_))));
    assert!(matches!(ledger.decide(OfferNumber(2), Command::SetTerms(sound)).await, Err(PortError::Misused(_))));
    assert!(matches!(ledger.decide(OFFER, hold(1, OFFER)).await, Ok(Outcome::Refused(Refusal::UnknownOffer))));
    assert_eq!(ledger.snapshot(OFFER).await.expect("known"), None);
}
