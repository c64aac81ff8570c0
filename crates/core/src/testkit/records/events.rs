//! Events, positions, and waiting for them.

use super::{Committed, Opened, RecordsHarness, TOPIC, Task, Time, Unit, all, commit, done, event, load, ticket};

/// An event is in the log, as it was written, if and only if its unit committed.
pub async fn events_if_and_only_if_committed(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    done(&records, Unit::new().insert(&ticket(1)).event(&event(1), Time(5)).event(&event(2), Time(6))).await;
    let refused = Unit::new().insert(&ticket(1)).event(&event(3), Time(7));
    assert_eq!(commit(&records, refused).await, Committed::Conflict(0));
    done(&records, Unit::new().event(&event(4), Time(8))).await;
    let events = log.read(TOPIC, 0, 10).await.expect("the log answers");
    let wanted = [(1, 5), (2, 6), (4, 8)].map(|(number, at)| event(number).to_new(Time(at)));
    assert_eq!(events.len(), wanted.len());
    assert!(events[0].position >= 1);
    for (event, wanted) in events.into_iter().zip(wanted) {
        assert_eq!((event.id, event.kind, event.subject), (wanted.id, wanted.kind, wanted.subject));
        assert_eq!((event.at, event.data), (wanted.at, wanted.data));
    }
}

/// A reader gets what stands behind its position, in order, no more than it asked for.
pub async fn events_in_order_after_a_position(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    for number in 0..10 {
        done(&records, Unit::new().event(&event(number), Time(i64::from(number)))).await;
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let events = log.read(TOPIC, after, 3).await.expect("the log answers");
        let Some(last) = events.last() else { break };
        assert!(events.len() <= 3 && last.position > after);
        after = last.position;
        seen.extend(events.into_iter().map(|event| event.at.0));
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

/// A consumer's position begins at 0 and moves with its unit, only from where it is.
pub async fn position_moves_only_from_where_it_is(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    assert_eq!(records.position("one").await.expect("the database answers"), 0);
    done(&records, Unit::new().insert(&ticket(1)).position("one", 0, 7)).await;
    let again = Unit::new().advance(&ticket(1), 9).delete(&ticket(1)).position("one", 0, 8);
    assert_eq!(commit(&records, again).await, Committed::Conflict(2));
    assert_eq!(commit(&records, Unit::new().position("two", 7, 8)).await, Committed::Conflict(0));
    let both = Unit::new().insert(&ticket(1)).position("one", 0, 8);
    assert_eq!(commit(&records, both).await, Committed::Conflict(1), "the position is judged first");
    done(&records, Unit::new().position("two", 0, 3)).await;
    assert_eq!(load(&records, &ticket(1)).await.map(|stored| stored.version), Some(1));
    assert_eq!(records.position("one").await.expect("the database answers"), 7);
    assert_eq!(records.position("two").await.expect("the database answers"), 3);
}

/// A waiting reader is woken by an event, and not kept waiting for one that is there.
pub async fn wait_returns_when_there_is_an_event(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    let mut after = 0;
    for number in 0..3 {
        let wait = async { log.wait(TOPIC, after).await.expect("the log answers") };
        let write = done(&records, Unit::new().event(&event(number), Time(1)));
        all(vec![Box::pin(wait) as Task<'_, _>, Box::pin(write)]).await;
        log.wait(TOPIC, after).await.expect("the log answers");
        after = log.read(TOPIC, after, 10).await.expect("the log answers")[0].position;
    }
}

/// A waiting reader learns of an event that another process has written.
pub async fn wait_sees_other_processes(harness: &impl RecordsHarness) {
    let (reader, writer) = (harness.open().await.log, harness.open().await.records);
    let wait = async { reader.wait(TOPIC, 0).await.expect("the log answers") };
    let write = done(&writer, Unit::new().event(&event(1), Time(1)));
    all(vec![Box::pin(wait) as Task<'_, _>, Box::pin(write)]).await;
    assert_eq!(reader.read(TOPIC, 0, 10).await.expect("the log answers").len(), 1);
}
