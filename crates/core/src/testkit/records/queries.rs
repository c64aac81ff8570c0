//! What is selected, and in which order.

use super::*;

async fn number_rows(records: &Arc<dyn Records>, rows: &[(i64, Option<i64>)]) {
    let add =
        |unit: Unit, (number, place): &(i64, Option<i64>)| unit.insert(&Number { number: *number, place: *place });
    done(records, rows.iter().fold(Unit::new(), add)).await;
}

/// Every comparison selects the rows that meet it; several filters must all hold.
pub async fn selects_by_every_comparison(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    number_rows(&records, &[(1, Some(10)), (2, Some(20)), (3, Some(30)), (4, None)]).await;
    let value = |number| Value::Integer(number);
    for (comparison, wanted) in [
        (Comparison::Is(value(20)), vec![2]),
        (Comparison::Is(Value::Null), vec![]),
        (Comparison::IsNull, vec![4]),
        (Comparison::IsOneOf(vec![value(10), value(30), value(99)]), vec![1, 3]),
        (Comparison::IsOneOf(vec![]), vec![]),
        (Comparison::Less(value(20)), vec![1]),
        (Comparison::AtMost(value(20)), vec![1, 2]),
        (Comparison::Greater(value(20)), vec![3]),
        (Comparison::AtLeast(value(20)), vec![2, 3]),
    ] {
        let query = Query::all(Number::TABLE, 10).filter("place", comparison.clone());
        assert_eq!(numbers(&records, query).await, wanted, "{comparison:?}");
    }
    let both = Query::all(Number::TABLE, 10).filter("place", Comparison::AtLeast(value(20)));
    assert_eq!(numbers(&records, both.clone().is("number", 3_i64)).await, [3]);
    assert_eq!(numbers(&records, both.is("number", 1_i64)).await, [0_i64; 0]);
    assert_eq!(numbers(&records, Query::all(Number::TABLE, 2)).await, [1, 2]);
    assert_eq!(numbers(&records, Query::all(Number::TABLE, 0)).await, [0_i64; 0]);
}

/// `Contains` finds a part of a text; A to Z are like a to z, and no character is special.
pub async fn contains_ignores_case_of_ascii(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let notes = ["Summer CONCERT 100%", "여름 콘서트", "summer_sale", "É"];
    for (number, note) in (0..).zip(notes) {
        done(&records, Unit::new().insert(&Ticket { note: Some(note.to_owned()), ..ticket(number) })).await;
    }
    done(&records, Unit::new().insert(&ticket(9))).await;
    let (records, notes) = (&records, &notes);
    let found = |part: &'static str| async move {
        let query = Query::all(Ticket::TABLE, 10).filter("note", Comparison::Contains(part.to_owned()));
        let rows = records.list::<Ticket>(query.order_by("at", Direction::Ascending)).await;
        let rows = rows.expect("the database answers").into_iter();
        rows.map(|stored| notes[stored.record.at.0 as usize]).collect::<Vec<_>>()
    };
    assert_eq!(found("sUMMer").await, [notes[0], notes[2]]);
    assert_eq!(found("concert 1").await, [notes[0]]);
    assert_eq!(found("콘서").await, [notes[1]]);
    assert_eq!(found("0%").await, [notes[0]]);
    assert_eq!(found("%").await, [notes[0]]);
    assert_eq!(found("_").await, [notes[2]]);
    assert_eq!(found("").await, notes.to_vec());
    assert_eq!(found("é").await, [] as [&str; 0]);
}

/// `HasOneOf` finds texts with one of several parts in them, byte for byte.
pub async fn has_one_of_compares_bytes(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let notes = ["Summer 100%", "여름 콘서트", "summer_sale\n\tcat_1", "\\"];
    for (number, note) in (0..).zip(notes) {
        done(&records, Unit::new().insert(&Ticket { note: Some(note.to_owned()), ..ticket(number) })).await;
    }
    done(&records, Unit::new().insert(&ticket(9))).await;
    let records = &records;
    let found = |parts: &'static [&'static str]| async move {
        let parts = Comparison::HasOneOf(parts.iter().map(|part| (*part).to_owned()).collect());
        let query = Query::all(Ticket::TABLE, 10).filter("note", parts).order_by("at", Direction::Ascending);
        let rows = records.list::<Ticket>(query).await.expect("the database answers").into_iter();
        rows.map(|stored| stored.record.at.0).collect::<Vec<_>>()
    };
    assert_eq!(found(&["summer"]).await, [2]);
    assert_eq!(found(&["Summer", "콘서"]).await, [0, 1]);
    assert_eq!(found(&["\n\tcat_1", "%", "\\"]).await, [0, 2, 3]);
    assert_eq!(found(&["_"]).await, [2]);
    assert_eq!(found(&["concert"]).await, [0_i64; 0]);
    assert_eq!(found(&[]).await, [0_i64; 0]);
}

/// Rows are ordered by the column and then by key, in the same direction; empty values come before all others.
pub async fn orders_ties_by_key(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    number_rows(&records, &[(1, Some(7)), (2, None), (3, Some(5)), (4, Some(7)), (5, None)]).await;
    let query = |direction| Query::all(Number::TABLE, 10).order_by("place", direction);
    assert_eq!(numbers(&records, query(Direction::Ascending)).await, [2, 5, 3, 1, 4]);
    assert_eq!(numbers(&records, query(Direction::Descending)).await, [4, 1, 3, 5, 2]);
    let by_key = Query::all(Number::TABLE, 3).order_by("number", Direction::Descending);
    assert_eq!(numbers(&records, by_key).await, [5, 4, 3]);
    let texts = [("b", 1), ("B", 2), ("가", 3), ("a", 4)];
    done(&records, texts.iter().fold(Unit::new(), |unit, (name, count)| unit.insert(&tally(name, *count)))).await;
    let tallies = records.list::<Tally>(Query::all(Tally::TABLE, 10)).await.expect("the database answers");
    let names: Vec<String> = tallies.into_iter().map(|stored| stored.record.name).collect();
    assert_eq!(names, ["B", "a", "b", "가"], "texts are compared byte by byte");
}

/// Pages visit every row that was there exactly once, whatever is inserted meanwhile, in both directions.
pub async fn pages_are_stable_under_inserts(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    for number in 0..30 {
        done(
            &records,
            Unit::new().insert(&Ticket { owner: "me".to_owned(), at: Time(number / 4), ..ticket(number as u64) }),
        )
        .await;
    }
    let mut inserted = 1_000;
    for direction in [Direction::Ascending, Direction::Descending] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = Query::all(Ticket::TABLE, 7).is("owner", "me").order_by("at", direction).after(after.take());
            let page = records.list::<Ticket>(query).await.expect("the database answers");
            let Some(last) = page.last() else { break };
            after = Some((Value::Integer(last.record.at.0), last.record.key()));
            seen.extend(page.iter().map(|stored| stored.record.clone()).filter(|ticket| ticket.seat.is_none()));
            for at in [-1, 3, 4, 99] {
                inserted += 1;
                let new = Ticket { owner: "me".to_owned(), at: Time(at), ..seated(inserted, inserted as i64) };
                // New rows at both ends and in the middle; the loop must end, so not for ever at the end we go to.
                if inserted < 1_060 || (1_500..1_560).contains(&inserted) {
                    done(&records, Unit::new().insert(&new)).await;
                }
            }
        }
        inserted = 1_500;
        let mut wanted = seen.clone();
        wanted.sort_by_key(|ticket| (ticket.at, ticket.ticket));
        if direction == Direction::Descending {
            wanted.reverse();
        }
        assert_eq!(seen, wanted);
        assert_eq!(seen.len(), 30);
    }
}

/// Pages go over empty values of the ordering column in both directions.
pub async fn pages_over_empty_values(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    number_rows(&records, &[(1, None), (2, Some(5)), (3, None), (4, Some(1)), (5, Some(5))]).await;
    for (direction, wanted) in [(Direction::Ascending, [1, 3, 4, 2, 5]), (Direction::Descending, [5, 2, 4, 3, 1])] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = Query::all(Number::TABLE, 1).order_by("place", direction).after(after.take());
            let page = records.select(query).await.expect("the database answers");
            let Some(row) = page.into_iter().next() else { break };
            after = Some((row.values[1].clone(), row.values[0].clone()));
            seen.push(Number::from_values(row.values).expect("a row").number);
        }
        assert_eq!(seen, wanted);
    }
}

/// A call that no adapter could carry out is refused as such, and nothing of it happens.
pub async fn misuse_is_refused(harness: &impl RecordsHarness) {
    let records = harness.open().await.records;
    let misused = |answer: Result<(), PortError>| assert!(matches!(answer, Err(PortError::Misused(_))), "{answer:?}");
    let stranger = Stranger { number: 1, other: 1 };
    misused(records.commit(Unit::new().insert(&ticket(1)).insert(&stranger)).await.map(drop));
    misused(records.get(Stranger::TABLE, Value::Integer(1)).await.map(drop));
    misused(records.select(Query::all(Stranger::TABLE, 1)).await.map(drop));
    misused(records.get(Ticket::TABLE, Value::Integer(1)).await.map(drop));
    misused(records.select(Query::all(Ticket::TABLE, 1).is("owner", 1_i64)).await.map(drop));
    misused(records.select(Query::all(Ticket::TABLE, 1).is("nothing", 1_i64)).await.map(drop));
    misused(records.select(Query::all(Ticket::TABLE, 1).order_by("nothing", Direction::Ascending)).await.map(drop));
    let mut unit = Unit::new().insert(&ticket(1)).insert(&ticket(2));
    if let Some(crate::records::Write::Insert(_, row)) = unit.writes.last_mut() {
        row.values[1] = Value::Null;
    }
    misused(records.commit(unit).await.map(drop));
    assert_eq!(load(&records, &ticket(1)).await, None);
    let nobody = UserId([1; 16]);
    misused(records.select(Query::all(Tally::TABLE, 1).is("name", nobody)).await.map(drop));
}
