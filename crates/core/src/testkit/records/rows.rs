//! What a unit of work does to rows, and what it must not.

use super::*;

/// What is inserted is read back as it was, with version 1.
pub async fn stores_every_kind_of_value(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let full = Ticket {
        owner: "홍길동 \u{1f3ab} O'Neil \"x\" \\ \0 %".to_owned(),
        seat: Some(i64::MIN),
        note: Some(String::new()),
        at: Time(i64::MAX),
        proof: (0..=255).collect(),
        ..ticket(1)
    };
    let bare = Ticket { owner: String::new(), proof: Vec::new(), at: Time(-1), ..ticket(2) };
    done(&records, Unit::new().insert(&full).insert(&bare).insert(&tally("", 0))).await;
    for wanted in [full, bare] {
        assert_eq!(load(&records, &wanted).await, Some(Stored { record: wanted, version: 1 }));
    }
    assert!(records.load::<Tally>("").await.expect("the database answers").is_some());
    assert_eq!(load(&records, &ticket(3)).await, None);
}

/// `get_many` answers those that exist, in the order of the keys asked for.
pub async fn reads_many_in_the_order_of_keys(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let tickets: Vec<Ticket> = (0..300).map(ticket).collect();
    done(&records, tickets.iter().step_by(2).fold(Unit::new(), Unit::insert)).await;
    for count in [0, 3, 300] {
        let keys = tickets[..count].iter().rev().map(Record::key).collect();
        let found = records.get_many(Ticket::TABLE, keys).await.expect("the database answers");
        let found: Vec<_> = found.into_iter().map(|row| Ticket::from_values(row.values)).collect();
        let wanted: Vec<_> = tickets[..count].iter().step_by(2).rev().cloned().map(Ok).collect();
        assert_eq!(found, wanted);
    }
}

/// An insert whose key is taken conflicts and changes nothing.
pub async fn insert_of_a_taken_key_conflicts(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    done(&records, Unit::new().insert(&ticket(1))).await;
    let other = Ticket { owner: "other".to_owned(), ..ticket(1) };
    assert_eq!(commit(&records, Unit::new().insert(&other)).await, Committed::Conflict(0));
    assert_eq!(commit(&records, Unit::new().insert(&ticket(2)).insert(&other)).await, Committed::Conflict(1));
    assert_eq!(load(&records, &ticket(1)).await.map(|stored| stored.record), Some(ticket(1)));
    assert_eq!(load(&records, &ticket(2)).await, None);
}

/// An insert, update or projection that meets a unique index conflicts at its index.
pub async fn unique_index_conflict_names_its_write(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    done(&records, Unit::new().insert(&seated(1, 7)).insert(&seated(2, 8))).await;
    let takes = Stored { record: seated(2, 7), version: 1 };
    for unit in [
        Unit::new().insert(&tally("a", 1)).insert(&seated(3, 7)),
        Unit::new().insert(&tally("a", 1)).update(&takes),
        Unit::new().insert(&tally("a", 1)).advance(&seated(4, 7), 1),
        Unit::new().insert(&tally("a", 1)).advance(&seated(2, 7), 2),
    ] {
        assert_eq!(commit(&records, unit).await, Committed::Conflict(1));
    }
    assert_eq!(commit(&records, Unit::new().advance(&seated(4, 7), 1)).await, Committed::Conflict(0));
    assert_eq!(load(&records, &ticket(2)).await, Some(Stored { record: seated(2, 8), version: 1 }));
    assert!(records.load::<Tally>("a").await.expect("the database answers").is_none());
}

/// Rows that are empty in a unique index do not meet.
pub async fn empty_values_are_never_alike(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    done(&records, Unit::new().insert(&ticket(1)).insert(&ticket(2))).await;
    done(&records, Unit::new().advance(&ticket(3), 1)).await;
}

/// An update replaces the row if the stored version is the one that was loaded, and stores one more.
pub async fn update_needs_the_stored_version(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let missing = Stored { record: ticket(1), version: 1 };
    assert_eq!(commit(&records, Unit::new().update(&missing)).await, Committed::Conflict(0));
    done(&records, Unit::new().insert(&ticket(1))).await;
    for version in 1..4 {
        let mut stored = load(&records, &ticket(1)).await.expect("inserted");
        assert_eq!(stored.version, version);
        stored.record = Ticket { owner: version.to_string(), note: Some("new".to_owned()), ..seated(1, version) };
        done(&records, Unit::new().update(&stored)).await;
        assert_eq!(commit(&records, Unit::new().update(&stored)).await, Committed::Conflict(0));
        let wanted = Stored { record: stored.record, version: version + 1 };
        assert_eq!(load(&records, &ticket(1)).await, Some(wanted));
    }
}

/// A delete of a row that is not there is no conflict.
pub async fn delete_twice_is_once(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    done(&records, Unit::new().insert(&seated(1, 1)).insert(&ticket(2))).await;
    done(&records, Unit::new().delete(&ticket(1))).await;
    done(&records, Unit::new().delete(&ticket(1))).await;
    assert_eq!(load(&records, &ticket(1)).await, None);
    assert!(load(&records, &ticket(2)).await.is_some());
    done(&records, Unit::new().insert(&seated(3, 1)).insert(&ticket(1))).await;
}

/// A conflict anywhere in a unit undoes its rows, events and position.
pub async fn unit_is_all_or_nothing(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    done(&records, Unit::new().insert(&ticket(1)).insert(&tally("kept", 1))).await;
    let kept = Stored { record: tally("kept", 2), version: 1 };
    let unit = Unit::new()
        .insert(&ticket(2))
        .update(&kept)
        .advance(&tally("new", 1), 5)
        .delete(&ticket(1))
        .insert(&tally("kept", 3))
        .event(&event(1), Time(1))
        .position("consumer", 0, 9);
    assert_eq!(commit(&records, unit).await, Committed::Conflict(4));
    assert!(load(&records, &ticket(1)).await.is_some());
    assert_eq!(load(&records, &ticket(2)).await, None);
    let tallies = records.list::<Tally>(Query::all(Tally::TABLE, 10)).await.expect("the database answers");
    assert_eq!(tallies, [Stored { record: tally("kept", 1), version: 1 }]);
    assert_eq!(log.read(TOPIC, 0, 10).await.expect("the log answers"), []);
    assert_eq!(records.position("consumer").await.expect("the database answers"), 0);
}

/// Writes of a unit are judged in order, each seeing those before it.
pub async fn writes_see_those_before(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let changed = Stored { record: Ticket { owner: "changed".to_owned(), ..ticket(1) }, version: 1 };
    done(&records, Unit::new().insert(&ticket(1)).update(&changed)).await;
    assert_eq!(load(&records, &ticket(1)).await, Some(Stored { version: 2, ..changed.clone() }));
    done(&records, Unit::new().delete(&ticket(1)).insert(&ticket(1))).await;
    assert_eq!(load(&records, &ticket(1)).await, Some(Stored { record: ticket(1), version: 1 }));
    let twice = Unit::new().insert(&ticket(2)).insert(&ticket(2));
    assert_eq!(commit(&records, twice).await, Committed::Conflict(1));
    let stale = Unit::new().update(&changed).update(&changed);
    assert_eq!(commit(&records, stale).await, Committed::Conflict(1));
}

/// A projection's row only moves to a higher version, which is its own.
pub async fn advance_never_goes_back(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let mut wanted = 0;
    for version in [5, 3, 5, 9, 8, 10, 1] {
        done(&records, Unit::new().advance(&Ticket { owner: version.to_string(), ..ticket(1) }, version)).await;
        wanted = wanted.max(version);
        let stored = load(&records, &ticket(1)).await.expect("advanced");
        assert_eq!((stored.version, stored.record.owner), (wanted, wanted.to_string()));
    }
}

/// Thousands of projected rows commit as one unit, in the order given.
pub async fn advance_takes_large_units(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let add = |unit: Unit, number: u64| unit.advance(&ticket(number), 1).advance(&seated(number, number as i64), 2);
    done(&records, (0..4_000).fold(Unit::new(), add).position("projection", 0, 8_000)).await;
    let all = records.list::<Ticket>(Query::all(Ticket::TABLE, 5_000)).await.expect("the database answers");
    assert_eq!(all.len(), 4_000);
    assert!(all.iter().all(|stored| stored.version == 2 && stored.record.seat == Some(stored.record.at.0)));
}

/// Units that are judged together do not share their fate.
pub async fn conflict_disturbs_nobody_else(harness: &impl RecordsHarness) {
    let Opened { records, log } = harness.open().await;
    done(&records, Unit::new().insert(&ticket(1_000))).await;
    let tasks = (0..200u64).map(|number| {
        let unit = Unit::new().insert(&ticket(number)).event(&event(number as u8), Time(1));
        let unit = if number % 2 == 0 { unit } else { unit.insert(&ticket(1_000)) };
        let records = &records;
        Box::pin(async move { (number, commit(records, unit).await) }) as Task<'_, _>
    });
    for (number, committed) in all(tasks.collect()).await {
        let wanted = if number % 2 == 0 { Committed::Done } else { Committed::Conflict(1) };
        assert_eq!(committed, wanted);
        assert_eq!(load(&records, &ticket(number)).await.is_some(), number % 2 == 0);
    }
    assert_eq!(log.read(TOPIC, 0, 1_000).await.expect("the log answers").len(), 100);
}

/// A row of a table that is appended to is not changed and not deleted, and neither is anything else in that unit.
pub async fn what_is_appended_stays(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let note = Note { number: 1, text: "first".to_owned() };
    done(&records, Unit::new().insert(&note)).await;
    let other = Note { text: "other".to_owned(), ..note.clone() };
    for unit in [
        Unit::new().insert(&tally("a", 1)).update(&Stored { record: other.clone(), version: 1 }),
        Unit::new().insert(&tally("a", 1)).advance(&other, 9),
        Unit::new().insert(&tally("a", 1)).delete(&note),
    ] {
        assert!(matches!(records.commit(unit).await, Err(PortError::Misused(_))));
    }
    assert_eq!(commit(&records, Unit::new().insert(&other)).await, Committed::Conflict(0));
    let kept = records.load::<Note>(1_i64).await.expect("the database answers");
    assert_eq!(kept, Some(Stored { record: note, version: 1 }));
    assert!(records.load::<Tally>("a").await.expect("the database answers").is_none());
}
