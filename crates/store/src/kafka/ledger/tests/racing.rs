//! Several processes on one journal.

use std::collections::BTreeSet;

use firstcome_core::ledger::{HoldState, Refusal, ReleaseReason};
use firstcome_core::testkit::Auditor;

use super::*;

/// Both ledgers know the same, and the journal keeps every promise.
async fn agree(ledgers: &[&Arc<KafkaLedger>], offers: &[OfferNumber]) -> Vec<JournalEntry> {
    let entries = journal(ledgers[0]).await;
    let mut auditor = Auditor::default();
    entries.iter().for_each(|entry| auditor.take(entry));
    for ledger in ledgers {
        assert_eq!(journal(ledger).await, entries);
        for offer in offers {
            let state = ledger.snapshot(*offer).await.expect("known").expect("there");
            assert_eq!(auditor.tally(*offer).map(|tally| tally.seq), Some(state.offer.seq));
            auditor.compare(*offer, &state.offer);
        }
    }
    auditor.finish().check().expect("every promise is kept");
    entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_oversell() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    sell(&one, &place, OFFER, 100).await;
    two.current().await.expect("Kafka answers");
    // Everyone asks both, as someone does whose first answer was lost.
    let asked: Vec<_> = (0..400)
        .flat_map(|number| [(number, one.clone()), (number, two.clone())])
        .map(|(number, ledger)| {
            tokio::spawn(async move { (number, ledger.decide(OFFER, hold(number, OFFER)).await.expect("decided")) })
        })
        .collect();
    let (mut held, mut again) = (BTreeSet::new(), BTreeSet::new());
    for task in asked {
        match task.await.expect("no panic") {
            (number, Outcome::Held(_)) => assert!(held.insert(number), "granted twice"),
            (number, Outcome::AlreadyHeld(_)) => assert!(again.insert(number), "found twice by two"),
            (_, Outcome::Refused(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(held.len(), 100);
    assert!(again.is_subset(&held));
    let entries = agree(&[&one, &two], &[OFFER]).await;
    assert_eq!(entries.iter().map(|entry| entry.record.events.len()).sum::<usize>(), 101);
    for number in held {
        let (here, there) = (one.find(order(number, OFFER)).await, two.find(order(number, OFFER)).await);
        assert_eq!(here.expect("known").expect("there"), there.expect("known").expect("there"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_races_are_decided_again() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    sell(&one, &place, OFFER, 10_000).await;
    two.current().await.expect("Kafka answers");
    let mut number = 0;
    // Rounds of one command each at the same time, until both have lost some.
    while one.races_lost() < 3 || two.races_lost() < 3 {
        assert!(number < 4_000, "they never meet: {} and {}", one.races_lost(), two.races_lost());
        let (first, second) = (hold(number, OFFER), hold(number + 1, OFFER));
        let (first, second) = tokio::join!(one.decide(OFFER, first), two.decide(OFFER, second));
        assert!(matches!((first, second), (Ok(Outcome::Held(_)), Ok(Outcome::Held(_)))));
        number += 2;
    }
    let entries = agree(&[&one, &two], &[OFFER]).await;
    assert_eq!(entries.iter().map(|entry| entry.record.events.len()).sum::<usize>() as u64, number + 1);
    assert_eq!((one.holds_in_memory() as u64, two.holds_in_memory() as u64), (number, number));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_sales_on_three_processes() {
    let place = Place::new();
    let others = [place.another(), place.another()];
    let ledgers = [place.open().await, others[0].open().await, others[1].open().await];
    let offers = [OfferNumber(1), OfferNumber(2)];
    for offer in offers {
        sell(&ledgers[0], &place, offer, 150).await;
    }
    for ledger in &ledgers {
        ledger.current().await.expect("Kafka answers");
    }
    // Every step of an order goes to another process.
    let sales: Vec<_> = (0..300_u64)
        .map(|number| {
            let ledgers = ledgers.clone();
            tokio::spawn(async move {
                let ledger = |step: u64| &ledgers[(number + step) as usize % 3];
                let offer = OfferNumber(1 + (number % 2) as u32);
                let (order, attempt) = (order(number, offer), attempt(number));
                let held = ledger(0).decide(offer, hold(number, offer)).await.expect("decided");
                assert!(matches!(held, Outcome::Held(_)), "{held:?}");
                if number % 5 == 0 {
                    let release = Command::Release { order, reason: ReleaseReason::Canceled };
                    let released = ledger(1).decide(offer, release.clone()).await.expect("decided");
                    assert!(matches!(released, Outcome::Released { .. }), "{released:?}");
                    let again = ledger(2).decide(offer, release).await.expect("decided");
                    assert!(matches!(again, Outcome::AlreadyReleased { .. }), "{again:?}");
                    return;
                }
                let paying = ledger(1).decide(offer, Command::BeginPayment { order, attempt }).await.expect("decided");
                assert!(matches!(paying, Outcome::Paying(_)), "{paying:?}");
                let committed = ledger(2).decide(offer, Command::Commit { order, attempt }).await.expect("decided");
                assert!(matches!(committed, Outcome::Committed { .. }), "{committed:?}");
                let again = ledger(0).decide(offer, Command::Commit { order, attempt }).await.expect("decided");
                assert!(matches!(again, Outcome::AlreadyCommitted { .. }), "{again:?}");
            })
        })
        .collect();
    for sale in sales {
        sale.await.expect("every step knows the one before");
    }
    let [one, two, three] = &ledgers;
    agree(&[one, two, three], &offers).await;
    let state = one.snapshot(offers[0]).await.expect("known").expect("there").offer;
    assert_eq!((state.stock.sold, state.stock.held, state.stock.released), (120, 0, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_did_the_other_knows_at_once() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    for round in 1..=20 {
        let offer = OfferNumber(round);
        sell(&one, &place, offer, 5).await;
        let again = two.decide(offer, Command::Freeze).await.expect("decided");
        assert_eq!(again, Outcome::Done { seq: 2 }, "made elsewhere a moment ago");
        let thawed = one.decide(offer, Command::Unfreeze).await.expect("decided");
        assert_eq!(thawed, Outcome::Done { seq: 3 });
        let granted = one.decide(offer, hold(1, offer)).await.expect("decided");
        let Outcome::Held(granted) = granted else { panic!("{granted:?}") };
        assert_eq!(two.find(granted.order).await.expect("known"), Some(granted.clone()));
        let again = two.decide(offer, hold(1, offer)).await.expect("decided");
        assert_eq!(again, Outcome::AlreadyHeld(granted));
    }
    assert_eq!(
        two.decide(OfferNumber(99), Command::Freeze).await.expect("decided"),
        Outcome::Refused(firstcome_core::ledger::Refusal::UnknownOffer)
    );
    assert_eq!(two.find(order(7, OfferNumber(99))).await.expect("known"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_passes_once_for_all() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    sell(&one, &place, OFFER, 2_000).await;
    two.current().await.expect("Kafka answers");
    let tasks: Vec<_> = (0..1_200)
        .map(|number| (number, if number % 2 == 0 { one.clone() } else { two.clone() }))
        .map(|(number, ledger)| tokio::spawn(async move { held(&ledger, number).await }))
        .collect();
    for task in tasks {
        task.await.expect("held");
    }
    place.clock.advance(Duration::from_secs(60));
    for ledger in [&one, &two] {
        eventually("all are released", async || {
            let state = ledger.snapshot(OFFER).await.expect("known").expect("there");
            state.offer.stock.released == 1_200
        })
        .await;
    }
    agree(&[&one, &two], &[OFFER]).await;
    let hold = two.find(order(3, OFFER)).await.expect("known").expect("there");
    assert_eq!((hold.state, hold.reason), (HoldState::Released, ReleaseReason::Expired));
}

/// Deadlines that pass at any moment, while records are under way above all, are never forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_deadline_is_forgotten() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    let clock = place.clock.clone();
    let running = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            clock.advance(Duration::from_millis(1));
        }
    });
    for round in 1..=40 {
        let offer = OfferNumber(round);
        let short = Terms { hold_for_ms: 5, ..terms(offer, 1_000, place.clock.now()) };
        one.decide(offer, Command::SetTerms(short)).await.expect("decided");
        for number in 0..20 {
            let ledger = if number % 2 == 0 { &one } else { &two };
            let outcome = ledger.decide(offer, hold(number, offer)).await.expect("decided");
            assert!(matches!(outcome, Outcome::Held(_)), "{outcome:?}");
        }
    }
    for offer in (1..=40).map(OfferNumber) {
        eventually("all are released", async || {
            let state = two.snapshot(offer).await.expect("known").expect("there");
            state.offer.stock.released == 20
        })
        .await;
    }
    running.abort();
}

/// An adviser that lets one process at a time have an offer, and forgets what it said now and then.
#[derive(Clone, Default)]
struct Adviser(Arc<parking_lot::Mutex<(bool, u32)>>);

#[async_trait::async_trait]
impl super::super::Turns for Adviser {
    async fn take(&self, _: OfferNumber) {
        for _ in 0..20 {
            {
                let mut turn = self.0.lock();
                turn.1 += 1;
                if !turn.0 || turn.1.is_multiple_of(37) {
                    turn.0 = true;
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn give_back(&self, _: OfferNumber) {
        self.0.lock().0 = false;
    }
}

/// Never answers.
struct Silent;

#[async_trait::async_trait]
impl super::super::Turns for Silent {
    async fn take(&self, _: OfferNumber) {
        std::future::pending::<()>().await;
    }

    async fn give_back(&self, _: OfferNumber) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_advice() {
    for turns in [Arc::new(Adviser::default()) as Arc<dyn super::super::Turns>, Arc::new(Silent)] {
        let place = Place::new();
        let other = place.another();
        let options =
            |place: &Place| KafkaLedgerOptions { turns: Some(turns.clone()), races_in_a_row: 1, ..place.options() };
        let one = KafkaLedger::open(options(&place)).await.expect("it opens");
        let two = KafkaLedger::open(options(&other)).await.expect("it opens");
        sell(&one, &place, OFFER, 1_000).await;
        two.current().await.expect("Kafka answers");
        for round in 0..20 {
            let tasks: Vec<_> = (0..50)
                .map(|number| (round * 50 + number, if number % 2 == 0 { one.clone() } else { two.clone() }))
                .map(|(number, ledger)| tokio::spawn(async move { held(&ledger, number).await }))
                .collect();
            for task in tasks {
                task.await.expect("held");
            }
        }
        agree(&[&one, &two], &[OFFER]).await;
    }
}

/// Whoever was told that the units are theirs hears the same from every process, at once, however sold out it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_granted_no_other_refuses() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    for number in 0..40 {
        let offer = OfferNumber(100 + number);
        sell(&one, &place, offer, 1).await;
        let granted = one.decide(offer, hold(u64::from(number), offer)).await;
        assert!(matches!(granted, Ok(Outcome::Held(_))), "{granted:?}");
        let again = two.decide(offer, hold(u64::from(number), offer)).await;
        assert!(matches!(again, Ok(Outcome::AlreadyHeld(_))), "{again:?}");
        let late = two.decide(offer, hold(1_000 + u64::from(number), offer)).await;
        assert!(matches!(late, Ok(Outcome::Refused(Refusal::SoldOut { .. }))), "{late:?}");
    }
}

/// A key is one order, whichever process is asked and whatever the second body is about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_is_one_order_in_all_processes() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    let elsewhere = OfferNumber(OFFER.0 + 1);
    sell(&one, &place, OFFER, 100).await;
    sell(&one, &place, elsewhere, 100).await;
    for number in 0..40 {
        let under_the_key = |offer, body: u64| {
            let Command::Hold(request) = hold(number, offer) else { panic!("a hold") };
            let order = OrderId::of_request(request.person, &format!("k{number}"), body << 40, offer);
            Command::Hold(HoldRequest { order, digest: body << 40, ..request })
        };
        let first = one.decide(OFFER, under_the_key(OFFER, 1)).await;
        assert!(matches!(first, Ok(Outcome::Held(_))), "{first:?}");
        two.current().await.expect("Kafka answers");
        for second in [under_the_key(OFFER, 2), under_the_key(elsewhere, 1)] {
            let offer = second.order().expect("a hold").home();
            let refused = two.decide(offer, second).await;
            assert!(matches!(refused, Ok(Outcome::KeyReused)), "{refused:?}");
        }
        let same = two.decide(OFFER, under_the_key(OFFER, 1)).await;
        assert!(matches!(same, Ok(Outcome::AlreadyHeld(_))), "{same:?}");
    }
}

/// Two bodies under one key, for two offers, at the same moment in two processes, each asked for twice: one is an order for
/// both who ask for it, the other's units are back when its callers are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bodies_at_once_one_is_an_order() {
    let place = Place::new();
    let other = place.another();
    let (one, two) = (place.open().await, other.open().await);
    let elsewhere = OfferNumber(OFFER.0 + 1);
    sell(&one, &place, OFFER, 1_000).await;
    sell(&one, &place, elsewhere, 1_000).await;
    two.current().await.expect("Kafka answers");
    let mut orders = Vec::new();
    for number in 0..100 {
        let under_the_key = |offer| {
            let Command::Hold(request) = hold(number, offer) else { panic!("a hold") };
            let order = OrderId::of_request(request.person, "k", u64::from(offer.0) << 40, offer);
            HoldRequest { order, digest: u64::from(offer.0) << 40, ..request }
        };
        let (here, there) = (under_the_key(OFFER), under_the_key(elsewhere));
        let pair = [here.order, there.order];
        let (here, there) = (Command::Hold(here), Command::Hold(there));
        let answers = tokio::join!(
            one.decide(OFFER, here.clone()),
            one.decide(OFFER, here),
            two.decide(elsewhere, there.clone()),
            two.decide(elsewhere, there),
        );
        let here = [answers.0.expect("decided"), answers.1.expect("decided")];
        let there = [answers.2.expect("decided"), answers.3.expect("decided")];
        let all_refused = |twins: &[Outcome; 2]| twins.iter().all(|twin| *twin == Outcome::KeyReused);
        let is_order = |twins: &[Outcome; 2]| {
            matches!(twins, [Outcome::Held(_), Outcome::AlreadyHeld(_)] | [Outcome::AlreadyHeld(_), Outcome::Held(_)])
        };
        if is_order(&here) && all_refused(&there) {
            orders.push((pair[0], pair[1]));
        } else {
            assert!(all_refused(&here) && is_order(&there), "{here:?} and {there:?}");
            orders.push((pair[1], pair[0]));
        }
    }
    for (order, refused) in orders {
        let held = two.find(order).await.expect("found").expect("an order");
        assert_eq!(held.state, HoldState::Held);
        let back = one.find(refused).await.expect("found");
        assert!(back.is_none_or(|hold| hold.state == HoldState::Released));
    }
    let mut left = 0;
    for offer in [OFFER, elsewhere] {
        left += one.snapshot(offer).await.expect("known").expect("an offer").offer.stock.available();
    }
    assert_eq!(left, 2_000 - 100);
}
