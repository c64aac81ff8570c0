//! Several at once, and processes beside each other.

use super::*;

async fn winners(records: &Arc<dyn Records>, unit: impl Fn(u64) -> Unit) -> usize {
    let tasks = (0..16).map(|number| Box::pin(commit(records, unit(number))) as Task<'_, _>);
    all(tasks.collect()).await.into_iter().filter(|committed| *committed == Committed::Done).count()
}

/// Of concurrent updates of one version exactly one is done.
pub async fn two_updates_one_winner(harness: &impl RecordsHarness) {
    let (one, other) = (harness.open().await.records, harness.open().await.records);
    done(&one, Unit::new().insert(&ticket(1))).await;
    for version in 1..20 {
        let update = |number: u64| {
            let record = Ticket { owner: number.to_string(), ..ticket(1) };
            Unit::new().update(&Stored { record, version })
        };
        let won = all(vec![Box::pin(winners(&one, update)) as Task<'_, _>, Box::pin(winners(&other, update))]);
        assert_eq!(won.await.into_iter().sum::<usize>(), 1);
        assert_eq!(load(&one, &ticket(1)).await.map(|stored| stored.version), Some(version + 1));
    }
}

/// Of concurrent inserts of one key, or of one value of a unique index, exactly one is done.
pub async fn two_inserts_one_winner(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    for round in 0..20 {
        assert_eq!(winners(&records, |_| Unit::new().insert(&ticket(round))).await, 1);
        let seat = |number| Unit::new().insert(&seated(1_000 + round * 100 + number, round as i64));
        assert_eq!(winners(&records, seat).await, 1);
    }
}

/// Of concurrent units that move one consumer from one position exactly one is done.
pub async fn two_consumers_one_winner(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    for from in 0..20 {
        let unit =
            |number: u64| Unit::new().insert(&ticket(from as u64 * 100 + number)).position("consumer", from, from + 1);
        assert_eq!(winners(&records, unit).await, 1);
    }
    let rows = records.list::<Ticket>(Query::all(Ticket::TABLE, 100)).await.expect("the database answers");
    assert_eq!(rows.len(), 20);
}

/// What many callers insert at once is all there, also after a restart, each with its event.
pub async fn many_inserters_all_there(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    let tasks = (0..32u64).map(|caller| {
        let records = &records;
        Box::pin(async move {
            for number in 0..20 {
                let unit = Unit::new().insert(&ticket(caller * 20 + number));
                done(records, unit.event(&event(caller as u8), Time(number as i64))).await;
            }
        }) as Task<'_, _>
    });
    all(tasks.collect()).await;
    drop((records, log));
    let Opened { records, log } = harness.open().await;
    for number in 0..640 {
        assert!(load(&records, &ticket(number)).await.is_some());
    }
    let events = log.read(TOPIC, 0, 1_000).await.expect("the log answers");
    assert_eq!(events.len(), 640);
    assert!(events.windows(2).all(|pair| pair[0].position < pair[1].position));
}

/// After a restart rows, versions, events and positions are as they were.
pub async fn reopen_keeps_everything(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    done(&records, Unit::new().insert(&seated(1, 1)).event(&event(1), Time(1)).position("consumer", 0, 4)).await;
    done(&records, Unit::new().update(&Stored { record: seated(1, 2), version: 1 })).await;
    let before = log.read(TOPIC, 0, 10).await.expect("the log answers");
    drop((records, log));
    let Opened { records, log } = harness.open().await;
    assert_eq!(load(&records, &ticket(1)).await, Some(Stored { record: seated(1, 2), version: 2 }));
    assert_eq!(log.read(TOPIC, 0, 10).await.expect("the log answers"), before);
    assert_eq!(records.position("consumer").await.expect("the database answers"), 4);
    done(&records, Unit::new().event(&event(2), Time(2))).await;
    assert_eq!(log.read(TOPIC, before[0].position, 10).await.expect("the log answers").len(), 1);
}

/// Two that have the database open see what the other committed as soon as that was answered.
pub async fn openers_see_each_others_commits(harness: &impl RecordsHarness) {
    let (one, other) = (harness.open().await.records, harness.open().await.records);
    done(&one, Unit::new().insert(&ticket(1))).await;
    assert!(load(&other, &ticket(1)).await.is_some());
    done(&other, Unit::new().update(&Stored { record: seated(1, 3), version: 1 })).await;
    assert_eq!(load(&one, &ticket(1)).await.map(|stored| stored.version), Some(2));
    let stale = Unit::new().update(&Stored { record: ticket(1), version: 1 });
    assert_eq!(commit(&one, stale).await, Committed::Conflict(0));
}
