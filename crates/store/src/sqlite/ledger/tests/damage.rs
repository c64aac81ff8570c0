//! Journals that are not what was written must be refused, with the place named.

use firstcome_core::ports::StockLedger;

use super::*;
use crate::sqlite::ledger::{VerifyError, verify_journal};

/// A closed ledger with some records.
async fn closed() -> Place {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 10).await;
    for number in 0..5 {
        held(&ledger, number).await;
    }
    drop(ledger);
    place
}

fn change(place: &Place, sql: &str) {
    let connection = rusqlite::Connection::open(place.file("journal.db")).expect("it opens");
    assert_eq!(connection.execute(sql, []).expect("changed"), 1);
}

fn verify_error(place: &Place) -> String {
    match verify_journal(place.path(), |_| Ok(())) {
        Err(VerifyError::Corrupt(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whole_journals_are_found_whole() {
    let place = closed().await;
    let verified = verify_journal(place.path(), |_| Ok(())).expect("whole");
    assert_eq!((verified.records, verified.events, verified.offers, verified.head.position), (6, 6, 1, 6));
    assert!(!verified.witness_missing);
    let stopped = verify_journal(place.path(), |entry| if entry.position == 3 { Err("enough".into()) } else { Ok(()) });
    assert_eq!(stopped, Err(VerifyError::Stopped("enough".into())));
    // Also while it is in use.
    let ledger = place.open();
    held(&ledger, 7).await;
    assert_eq!(verify_journal(place.path(), |_| Ok(())).expect("whole").records, 7);
}

#[tokio::test]
async fn an_altered_record_is_refused() {
    let place = closed().await;
    change(
        &place,
        "UPDATE journal SET record = CAST(substr(record, 1, length(record) - 1) || x'00' AS BLOB) WHERE position = 4",
    );
    for reason in [place.refused(), verify_error(&place)] {
        assert!(reason.contains("position 4, offer #1, seq 4 to 4") && reason.contains("altered"), "{reason}");
    }
    assert!(place.refused().contains("journal.db"));
}

#[tokio::test]
async fn an_altered_record_with_a_new_hash_is_refused() {
    let place = closed().await;
    let connection = rusqlite::Connection::open(place.file("journal.db")).expect("it opens");
    let record: Vec<u8> =
        connection.query_row("SELECT record FROM journal WHERE position = 4", [], |row| row.get(0)).expect("read");
    let mut record = firstcome_core::ledger::Record::decode(&record).expect("a record");
    record.at = firstcome_core::time::Time(record.at.0 + 1);
    let bytes = record.encode();
    let hash = firstcome_core::ledger::Record::hash(&bytes);
    let sql = "UPDATE journal SET record = ?, hash = ? WHERE position = 4";
    connection.execute(sql, rusqlite::params![bytes, hash]).expect("changed");
    drop(connection);
    for reason in [place.refused(), verify_error(&place)] {
        assert!(reason.contains("position 4") && reason.contains("does not follow"), "{reason}");
    }
}

#[tokio::test]
async fn a_record_taken_from_the_middle_is_missed() {
    let place = closed().await;
    change(&place, "DELETE FROM journal WHERE position = 4");
    for reason in [place.refused(), verify_error(&place)] {
        assert!(reason.contains("position 5"), "{reason}");
    }
}

#[tokio::test]
async fn a_record_taken_from_the_end_is_missed() {
    let place = closed().await;
    change(&place, "DELETE FROM journal WHERE position = 6");
    for reason in [place.refused(), verify_error(&place)] {
        assert!(reason.contains("position 5") && reason.contains("missing") && reason.contains('6'), "{reason}");
    }
}

#[tokio::test]
async fn a_row_that_lies_about_its_record_is_refused() {
    let place = closed().await;
    change(&place, "UPDATE journal SET last_seq = 40 WHERE position = 4");
    assert!(place.refused().contains("position 4"));
    assert!(verify_error(&place).contains("position 4"));
}

#[tokio::test]
async fn another_history_of_the_same_length_is_refused() {
    let (place, other) = (closed().await, closed().await);
    std::fs::copy(other.file("journal.witness"), place.file("journal.witness")).expect("copied");
    assert_eq!(books(&place).await, books(&other).await, "the same history has the same bytes");
    let other = Place::new();
    let ledger = other.open();
    sell(&ledger, &other, OFFER, 10).await;
    for number in 10..15 {
        held(&ledger, number).await;
    }
    drop(ledger);
    std::fs::copy(other.file("journal.witness"), place.file("journal.witness")).expect("copied");
    for reason in [place.refused(), verify_error(&place)] {
        assert!(reason.contains("position 6") && reason.contains("witness"), "{reason}");
    }
}

async fn books(place: &Place) -> firstcome_core::ledger::OfferSnapshot {
    place.open().snapshot(OFFER).await.expect("known").expect("there").offer
}

#[tokio::test]
async fn a_shortened_log_is_missed() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 10).await;
    held(&ledger, 1).await;
    held(&ledger, 2).await;
    let copy = place.copy();
    let wal = std::fs::OpenOptions::new().write(true).open(copy.file("journal.db-wal")).expect("a log");
    let length = wal.metadata().expect("known").len();
    wal.set_len(length - 100).expect("shortened");
    let reason = copy.refused();
    assert!(reason.contains("missing") && reason.contains("position 2, offer #1, seq 2 to 2"), "{reason}");
    // Without its log the journal has nothing at all.
    let copy = place.copy();
    std::fs::remove_file(copy.file("journal.db-wal")).expect("removed");
    assert!(copy.refused().contains("missing"));
    // A damaged frame in the middle takes everything after it along.
    let copy = place.copy();
    let mut bytes = std::fs::read(copy.file("journal.db-wal")).expect("a log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(copy.file("journal.db-wal"), bytes).expect("damaged");
    assert!(copy.refused().contains("missing"));
}

#[tokio::test]
async fn a_crashed_journal_is_verified_as_it_lies() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 10).await;
    held(&ledger, 1).await;
    let crashed = place.copy();
    assert_eq!(verify_journal(crashed.path(), |_| Ok(())).expect("whole").records, 2);
}

#[tokio::test]
async fn hashes_of_another_length_are_refused() {
    for column in ["hash", "chain"] {
        let place = closed().await;
        change(&place, &format!("UPDATE journal SET {column} = x'00' WHERE position = 4"));
        assert!(place.refused().contains("position 4"));
        assert!(verify_error(&place).contains("position 4"));
    }
}

#[tokio::test]
async fn a_second_ledger_of_the_same_directory_is_refused() {
    let place = Place::new();
    let ledger = place.open();
    assert!(place.refused().contains("another process"));
    drop(ledger);
    drop(place.open());
}

#[tokio::test]
async fn a_missing_witness_is_refused_unless_accepted() {
    let place = closed().await;
    std::fs::remove_file(place.file("journal.witness")).expect("removed");
    let reason = place.refused();
    assert!(reason.contains("journal.witness is missing") && reason.contains("restore"), "{reason}");
    let verified = verify_journal(place.path(), |_| Ok(())).expect("everything that is there is whole");
    assert_eq!((verified.records, verified.witness_missing), (6, true));
    let accepted = SqliteLedger::open(LedgerOptions { accept_missing_witness: true, ..place.options() });
    drop(accepted.expect("accepted"));
    drop(place.open());
}

#[tokio::test]
async fn a_damaged_witness_is_refused() {
    let place = closed().await;
    std::fs::write(place.file("journal.witness"), vec![1; 8192]).expect("damaged");
    assert!(place.refused().contains("neither of its two slots"));
    assert!(verify_error(&place).contains("neither of its two slots"));
}

#[tokio::test]
async fn a_missing_journal_is_missed() {
    let place = closed().await;
    std::fs::remove_file(place.file("journal.db")).expect("removed");
    let reason = place.refused();
    assert!(reason.contains("it is empty") && reason.contains("position 6"), "{reason}");
}

#[tokio::test]
async fn a_journal_behind_the_books_is_refused() {
    let place = Place::new();
    let ledger = place.open();
    sell(&ledger, &place, OFFER, 10).await;
    let early = place.copy();
    held(&ledger, 1).await;
    place.follow(&ledger).await;
    let behind = Place { archive: place.archive.clone(), ..early };
    assert!(behind.refused().contains("the books contain position 2"));
}

/// A closed ledger whose archive has everything.
async fn archived() -> Place {
    let place = closed().await;
    let ledger = place.open();
    place.follow(&ledger).await;
    drop(ledger);
    place
}

#[tokio::test]
async fn an_altered_record_that_the_archive_has_long_taken_is_refused() {
    for (sql, why) in [
        ("UPDATE journal SET record = CAST(substr(record, 1, 40) || x'00' AS BLOB) WHERE position = 2", "altered"),
        ("UPDATE journal SET chain = zeroblob(32) WHERE position = 2", "does not follow"),
        ("UPDATE journal SET last_seq = 90 WHERE position = 2", "does not say"),
        ("DELETE FROM journal WHERE position = 2", "position 3"),
    ] {
        let place = archived().await;
        change(&place, sql);
        let reason = place.refused();
        assert!(reason.contains("position") && reason.contains(why), "{sql}: {reason}");
    }
}

#[tokio::test]
async fn an_archive_of_another_journal_is_refused() {
    let (place, other) = (archived().await, Place::new());
    let ledger = other.open();
    sell(&ledger, &other, OFFER, 11).await;
    for number in 0..9 {
        held(&ledger, number).await;
    }
    drop(ledger);
    let mixed = Place { archive: place.archive.clone(), ..other };
    let reason = mixed.refused();
    assert!(reason.contains("position 6") && reason.contains("not the record that the books contain"), "{reason}");
}
