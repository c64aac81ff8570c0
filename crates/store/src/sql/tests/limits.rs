//! Texts and sizes at their limits.

use firstcome_core::ids::OrderId;
use firstcome_core::ports::{Committed, PortError, Records as _};
use firstcome_core::records::{Comparison, Query, Record as _, RecordsExt as _, Unit, Value};
use firstcome_core::testkit::records::{Tally, Ticket};
use firstcome_core::time::Time;

use super::database::{Database, Place};
use super::on_both_engines;

on_both_engines! { keys_are_compared_byte_by_byte longest_keys_fit long_values_come_back too_long_is_misuse strange_texts_are_found }

fn tally(name: &str) -> Tally {
    Tally { name: name.to_owned(), count: 0 }
}

fn ticket(number: u8) -> Ticket {
    Ticket {
        ticket: OrderId([number; 16]),
        owner: String::new(),
        seat: None,
        note: None,
        at: Time(i64::from(number)),
        proof: Vec::new(),
    }
}

/// No two different texts are the same key, and their order is that of their bytes.
async fn keys_are_compared_byte_by_byte<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let mut names = vec![
        "",
        " ",
        "a",
        "a ",
        "a  ",
        "a\t",
        "a\0",
        "a\0\0",
        "a\u{1}",
        "a\u{2}",
        "A",
        "á",
        "a\u{301}",
        "ß",
        "ss",
        "가",
        "각",
        "\u{1f3ab}",
        "\u{ffff}",
        "İ",
        "i",
        "'",
        "\"",
        "\\",
        "\\0",
        "%",
        "_",
    ];
    let unit = names.iter().fold(Unit::new(), |unit, name| unit.insert(&tally(name)));
    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
    names.sort_unstable();
    let stored = records.list::<Tally>(Query::all(Tally::TABLE, 100)).await.expect("reads");
    assert_eq!(stored.iter().map(|stored| stored.record.name.as_str()).collect::<Vec<_>>(), names);
    for (at, name) in names.iter().enumerate() {
        assert_eq!(records.load::<Tally>(*name).await.expect("reads").map(|stored| stored.record), Some(tally(name)));
        let before = Query::all(Tally::TABLE, 100).filter("name", Comparison::Less(Value::Text((*name).to_owned())));
        assert_eq!(records.list::<Tally>(before).await.expect("reads").len(), at);
    }
}

/// A key of 255 characters of four bytes each is kept, beside one that differs in the last.
async fn longest_keys_fit<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let name = |last: char| format!("{}{last}", "\u{1f3ab}".repeat(254));
    let unit = Unit::new().insert(&tally(&name('a'))).insert(&tally(&name('b')));
    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
    assert!(records.load::<Tally>(name('b')).await.expect("reads").is_some());
    let owner = Ticket { owner: name('c'), ..ticket(1) };
    assert_eq!(records.commit(Unit::new().insert(&owner)).await.expect("commits"), Committed::Done);
}

/// Megabytes in one row come back as they were, also several rows in one unit.
async fn long_values_come_back<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let long = |number: u8| Ticket {
        note: Some("가'\\\0".repeat(400_000)),
        proof: (0..3_000_000).map(|at: u32| (at % 251) as u8).collect(),
        ..ticket(number)
    };
    let unit = (1..5).fold(Unit::new(), |unit, number| unit.insert(&long(number)));
    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
    for number in 1..5 {
        let stored = records.load::<Ticket>(OrderId([number; 16])).await.expect("reads").expect("is there");
        assert!(stored.record == long(number));
    }
}

/// What cannot be stored is refused at once, and the database goes on.
async fn too_long_is_misuse<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let units = [
        Unit::new().insert(&tally(&"x".repeat(256))),
        Unit::new().insert(&ticket(1)).insert(&Ticket { owner: "가".repeat(256), ..ticket(2) }),
        Unit::new().insert(&Ticket { proof: vec![1; 65 << 20], ..ticket(1) }),
    ];
    for unit in units {
        let answer = records.commit(unit).await;
        assert!(matches!(answer, Err(PortError::Misused(_))), "{answer:?}");
    }
    let server = database.session().await.server;
    if server.longest_row() < 64 << 20 {
        let large = Ticket { proof: vec![1; server.longest_row()], ..ticket(1) };
        assert!(matches!(records.commit(Unit::new().insert(&large)).await, Err(PortError::Misused(_))));
        let fits = Ticket { proof: vec![1; server.longest_row() - 1_000], ..ticket(1) };
        assert_eq!(records.commit(Unit::new().insert(&fits)).await.expect("commits"), Committed::Done);
    }
    assert_eq!(records.commit(Unit::new().insert(&ticket(3))).await.expect("commits"), Committed::Done);
}

/// No character means anything but itself in a search.
async fn strange_texts_are_found<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let texts =
        [".*", "[a-z]", "\\d+", "a\0b", "line\nbreak", "홍길동", "\u{1f3ab} x", "{2}", "^$", "Ünïcode", "(?i)q", "a|b"];
    for (number, text) in (0..).zip(texts) {
        let note = Some(format!("<{text}>"));
        let unit = Unit::new().insert(&Ticket { note, ..ticket(number) });
        assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
    }
    for (number, text) in (0..).zip(texts) {
        let part = text.chars().map(|character| character.to_ascii_uppercase()).collect();
        let query = Query::all(Ticket::TABLE, 100).filter("note", Comparison::Contains(part));
        let found = records.list::<Ticket>(query).await.expect("reads");
        let found: Vec<i64> = found.into_iter().map(|stored| stored.record.at.0).collect();
        assert_eq!(found, [number], "{text}");
    }
}
