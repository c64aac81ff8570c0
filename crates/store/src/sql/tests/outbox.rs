//! Numbers of events without gaps, in the order of commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, PaymentId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Committed, Records as _};
use firstcome_core::records::Unit;
use firstcome_core::testkit::records::Number;
use firstcome_core::time::Time;

use super::database::{Database, Place};
use super::on_both_engines;
use crate::outbox::Outbox as _;
use crate::sql::SqlRecords;

on_both_engines! { numbers_have_no_gaps_while_others_commit units_without_events_count_nothing published_is_remembered_and_forgotten }

/// An event about an order.
pub(super) fn event(number: i64) -> RoleEvent {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    RoleEvent::PaymentDone { order: OrderId(id), attempt: PaymentId(id), amount: Money::new(1, Currency::KRW) }
}

/// A row and the event that tells of it, at the same time as an ordering.
pub(super) fn unit(number: i64) -> Unit {
    Unit::new().insert(&Number { number, place: None }).event(&event(number), Time(number))
}

/// Whoever follows the outbox while two openers commit, some of it in vain, sees 1, 2, 3... and every event once.
async fn numbers_have_no_gaps_while_others_commit<P: Place>() {
    let database = Database::<P>::new().await;
    let (one, other, reader) = (database.records().await, database.records().await, database.records().await);
    let ended = Arc::new(AtomicBool::new(false));
    let follow = tokio::spawn(follow(reader, Arc::clone(&ended)));
    let commit = |records: Arc<SqlRecords>, first: i64| {
        tokio::spawn(async move {
            let mut done = Vec::new();
            for number in first..first + 100 {
                // Every number is wanted by two.
                match records.commit(unit(number)).await.expect("commits") {
                    Committed::Done => done.push(number),
                    Committed::Conflict(index) => assert_eq!(index, 0),
                }
            }
            done
        })
    };
    let tasks: Vec<_> =
        (0..16).map(|task| commit(Arc::clone(if task % 2 == 0 { &one } else { &other }), (task / 2) * 100)).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.extend(task.await.expect("ends"));
    }
    ended.store(true, Ordering::SeqCst);
    done.sort_unstable();
    assert_eq!(done, (0..800).collect::<Vec<_>>());
    let mut seen = follow.await.expect("ends");
    seen.sort_unstable();
    assert_eq!(seen, done);
    assert_eq!(one.last().await.expect("reads"), 800);
}

/// Reads the outbox as a relay does, until everyone has ended and there is no more.
async fn follow(records: Arc<SqlRecords>, ended: Arc<AtomicBool>) -> Vec<i64> {
    let (mut seen, mut position) = (Vec::new(), 0);
    loop {
        let last_look = ended.load(Ordering::SeqCst);
        let events = records.after(position, 7).await.expect("reads");
        for event in &events {
            assert_eq!(event.position, position + 1, "the numbers have no gaps");
            position = event.position;
            seen.push(event.at.0);
        }
        if events.is_empty() && last_look {
            return seen;
        }
    }
}

/// A unit that announces nothing leaves the count alone, so that others need not wait for it.
async fn units_without_events_count_nothing<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let mut session = database.session().await;
    session.plain("BEGIN").await.expect("begins");
    session.plain("UPDATE positions SET version = version WHERE consumer = '#outbox'").await.expect("locks");
    let silent = Unit::new().insert(&Number { number: 1, place: None }).position("consumer", 0, 1);
    assert_eq!(records.commit(silent).await.expect("commits"), Committed::Done);
    session.plain("ROLLBACK").await.expect("lets go");
    assert_eq!(records.commit(unit(2)).await.expect("commits"), Committed::Done);
    assert_eq!(records.last().await.expect("reads"), 1);
}

/// What was carried to the log may be forgotten, but not the last of it, and never a number.
async fn published_is_remembered_and_forgotten<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let units = (0..300).fold(Unit::new(), |unit, number| unit.event(&event(number), Time(number)));
    assert_eq!(records.commit(units).await.expect("commits"), Committed::Done);
    for published in [250, 240, 250, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300] {
        records.published(published).await.expect("notes");
    }
    let left = records.after(0, 1_000).await.expect("reads");
    assert!(left.len() < 300 && left.len() >= 100, "{} are left", left.len());
    assert!(left.windows(2).all(|pair| pair[0].position + 1 == pair[1].position));
    assert_eq!(left.last().map(|event| event.position), Some(300));
    assert_eq!(records.last().await.expect("reads"), 300);
    drop(records);
    let records = database.records().await;
    assert_eq!(records.commit(unit(1_000)).await.expect("commits"), Committed::Done);
    assert_eq!(records.after(300, 10).await.expect("reads").len(), 1);
}
