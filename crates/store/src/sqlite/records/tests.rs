//! The promises of the ports, and what only a file can do wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use firstcome_core::ports::{Committed, EventLog as _, PortError, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Table, Unit, Value};
use firstcome_core::testkit::records::{Number, Opened, RecordsHarness, TABLES, TOPIC, Tally, all};
use firstcome_core::{record, records_conformance};
use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteRecords;
use crate::sqlite::SqliteEventLog;
use crate::sqlite::connection::open;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("tested.db")
    }

    fn records(&self) -> Arc<SqliteRecords> {
        SqliteRecords::open(self.file(), TABLES).expect("opens")
    }
}

#[async_trait]
impl RecordsHarness for Folder {
    async fn fresh() -> Self {
        Self::new()
    }

    async fn open(&self) -> Opened {
        let records = self.records();
        Opened { log: SqliteEventLog::new([(TOPIC, Arc::clone(&records))]), records }
    }
}

records_conformance!(Folder);

fn number(number: i64) -> Number {
    Number { number, place: None }
}

fn refusal(path: &Path, tables: &'static [&'static Table]) -> PortError {
    SqliteRecords::open(path, tables).map(drop).expect_err("cannot be opened")
}

async fn count(records: &SqliteRecords) -> usize {
    records.select(Query::all(Number::TABLE, 100_000)).await.expect("reads").len()
}

/// A file that cannot be what was written is refused, and the refusal names it.
#[tokio::test]
async fn damaged_file_is_refused_by_name() {
    let folder = Folder::new();
    let records = folder.records();
    let rows = (0..5_000).fold(Unit::new(), |unit, at| unit.insert(&number(at)));
    assert_eq!(records.commit(rows).await.expect("commits"), Committed::Done);
    drop(records);
    let whole = std::fs::read(folder.file()).expect("a file");
    let mut noise = whole.clone();
    noise[..100].fill(7);
    for damaged in [&noise, &whole[..whole.len() / 2].to_vec()] {
        std::fs::write(folder.file(), damaged).expect("written");
        let refusal = refusal(&folder.file(), TABLES);
        assert!(matches!(&refusal, PortError::Corrupt(reason) if reason.contains("tested.db")), "{refusal:?}");
    }
}

/// A page that was damaged later is noticed by whoever reads it.
#[tokio::test]
async fn damaged_page_is_an_error() {
    let folder = Folder::new();
    let records = folder.records();
    let rows = (0..5_000).fold(Unit::new(), |unit, at| unit.insert(&number(at)));
    assert_eq!(records.commit(rows).await.expect("commits"), Committed::Done);
    drop(records);
    let mut bytes = std::fs::read(folder.file()).expect("a file");
    bytes[40_960..].fill(7);
    std::fs::write(folder.file(), bytes).expect("written");
    let answer = folder.records().select(Query::all(Number::TABLE, 10_000)).await;
    assert!(matches!(&answer, Err(PortError::Corrupt(reason)) if reason.contains("tested.db")), "{answer:?}");
}

/// A database of someone else, or of a later version, is left alone.
#[test]
fn foreign_file_is_refused() {
    let folder = Folder::new();
    Connection::open(folder.file()).and_then(|file| file.execute_batch("CREATE TABLE other (a)")).expect("made");
    assert!(matches!(refusal(&folder.file(), TABLES), PortError::Misused(_)));
    let folder = Folder::new();
    drop(folder.records());
    Connection::open(folder.file()).and_then(|file| file.pragma_update(None, "user_version", 99)).expect("made");
    assert!(matches!(refusal(&folder.file(), TABLES), PortError::Misused(_)));
    assert!(matches!(refusal(&folder.0.path().join("no/such.db"), TABLES), PortError::Unavailable(_)));
}

mod older {
    use super::record;
    record! { pub(super) struct Thing in "things" { pub(super) key: i64, pub(super) name: String, pub(super) group: i64, }
    indexes [ index "things_by_group" ("group") ] }
}

mod newer {
    use super::record;
    record! { pub(super) struct Thing in "things" { pub(super) key: i64, pub(super) name: String,
        pub(super) group: i64, pub(super) added: Option<String>, }
    indexes [ index "things_by_group" ("group", "name"), unique "things_by_name" ("name"), index "things_by_added" ("added") ] }
    record! { pub(super) struct Other in "others" { pub(super) key: i64, pub(super) text: String, } indexes [] }
}

mod wrong {
    use super::record;
    record! { pub(super) struct Kind in "things" { pub(super) key: i64, pub(super) name: i64, } indexes [] }
    record! { pub(super) struct Needed in "things" { pub(super) key: i64, pub(super) needed: i64, } indexes [] }
    record! { pub(super) struct Nullable in "things" { pub(super) key: i64, pub(super) name: Option<String>, } indexes [] }
    record! { pub(super) struct Less in "things" { pub(super) key: i64, pub(super) name: String, } indexes [] }
    record! { pub(super) struct Key in "things" { pub(super) name: String, pub(super) key: i64, } indexes [] }
    record! { pub(super) struct Own in "outbox" { pub(super) key: i64, pub(super) name: String, } indexes [] }
    record! { pub(super) struct Index in "rows" { pub(super) key: i64, pub(super) name: String, }
    indexes [ index "rows_by_nothing" ("nothing") ] }
}

static OLDER: &[&Table] = &[older::Thing::TABLE];
static NEWER: &[&Table] = &[newer::Thing::TABLE, newer::Other::TABLE];

/// Tables, columns that may be empty and indexes are added; the rows stay, and the older program can still write.
#[tokio::test]
async fn older_file_is_brought_up() {
    let folder = Folder::new();
    let records = SqliteRecords::open(folder.file(), OLDER).expect("opens");
    let old = older::Thing { key: 1, name: "one".to_owned(), group: 5 };
    assert_eq!(records.commit(Unit::new().insert(&old)).await.expect("commits"), Committed::Done);
    let newer = SqliteRecords::open(folder.file(), NEWER).expect("opens");
    let stored = newer.load::<newer::Thing>(1_i64).await.expect("reads").expect("is there");
    assert_eq!((stored.record.name.as_str(), stored.record.added), ("one", None));
    let other = newer::Other { key: 1, text: "new".to_owned() };
    assert_eq!(newer.commit(Unit::new().insert(&other)).await.expect("commits"), Committed::Done);
    let same_name = older::Thing { key: 2, ..old };
    assert_eq!(records.commit(Unit::new().insert(&same_name)).await.expect("commits"), Committed::Conflict(0));
    drop((records, newer));
    let again = SqliteRecords::open(folder.file(), OLDER).expect("opens");
    let next = older::Thing { key: 3, name: "three".to_owned(), group: 5 };
    assert_eq!(again.commit(Unit::new().insert(&next)).await.expect("commits"), Committed::Done);
    let found =
        again.list::<older::Thing>(Query::all(older::Thing::TABLE, 10).is("group", 5_i64)).await.expect("reads");
    assert_eq!(found.iter().map(|stored| stored.record.key).collect::<Vec<_>>(), [1, 3]);
}

/// What cannot be added without touching rows is refused, by file, table and column.
#[tokio::test]
async fn unlike_file_is_refused() {
    static WRONG: [&[&Table]; 7] = [
        &[wrong::Kind::TABLE],
        &[wrong::Needed::TABLE],
        &[wrong::Nullable::TABLE],
        &[wrong::Less::TABLE],
        &[wrong::Key::TABLE],
        &[wrong::Own::TABLE],
        &[wrong::Index::TABLE],
    ];
    let folder = Folder::new();
    let records = SqliteRecords::open(folder.file(), OLDER).expect("opens");
    for tables in WRONG {
        assert!(matches!(refusal(&folder.file(), tables), PortError::Misused(_)));
    }
    let twins = ["one", "one"]
        .iter()
        .zip(1..)
        .fold(Unit::new(), |unit, (name, key)| unit.insert(&older::Thing { key, name: (*name).to_owned(), group: 5 }));
    assert_eq!(records.commit(twins).await.expect("commits"), Committed::Done);
    let refusal = refusal(&folder.file(), NEWER);
    assert!(matches!(&refusal, PortError::Misused(reason) if reason.contains("things_by_name")), "{refusal:?}");
}

/// Whoever opens an empty folder at the same moment gets the same database.
#[test]
fn many_may_open_at_once() {
    let folder = Folder::new();
    let open = || {
        let records = SqliteRecords::open(folder.file(), TABLES).expect("opens");
        assert!(records.get_blocking(Number::TABLE, Value::Integer(1)).expect("reads").is_none());
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(open))));
}

/// A full disk refuses the units that met it, keeps what was answered, and is forgotten when there is room again.
#[tokio::test]
async fn full_disk_is_survived() {
    let folder = Folder::new();
    let connection = open(&folder.file(), 1_024).expect("opens");
    connection.query_row("PRAGMA max_page_count=40", [], |_| Ok(())).expect("a bound");
    let records = SqliteRecords::start(folder.file(), connection, TABLES).expect("opens");
    let text = |name: i64| Tally { name: format!("{name}{}", "x".repeat(3_000)), count: name };
    let mut kept = 0;
    let refusal = loop {
        match records.commit(Unit::new().insert(&text(kept))).await {
            Ok(committed) => assert_eq!(committed, Committed::Done),
            Err(refusal) => break refusal,
        }
        kept += 1;
    };
    assert!(matches!(&refusal, PortError::StorageFull(reason) if reason.contains("tested.db")), "{refusal:?}");
    let stored = records.select(Query::all(Tally::TABLE, 1_000)).await.expect("reads");
    assert_eq!(stored.len() as i64, kept);
    assert_eq!(records.commit(Unit::new().delete(&text(0))).await.expect("commits"), Committed::Done);
    assert_eq!(records.commit(Unit::new().insert(&text(0))).await.expect("commits"), Committed::Done);
}

/// After a failed sync nothing is answered with success any more, and whoever watches is told.
#[tokio::test]
async fn failed_sync_is_the_end() {
    let folder = Folder::new();
    let records = folder.records();
    assert_eq!(records.commit(Unit::new().insert(&number(1))).await.expect("commits"), Committed::Done);
    records.shared.broken.store(true, Ordering::SeqCst);
    let answers = all((2..6)
        .map(|at| {
            let unit = Unit::new().insert(&number(at));
            Box::pin(records.commit(unit)) as std::pin::Pin<Box<dyn Future<Output = _> + Send + '_>>
        })
        .collect());
    assert!(answers.await.iter().all(|answer| matches!(answer, Err(PortError::Unavailable(_)))));
    records.shared.broken.store(false, Ordering::SeqCst);
    assert!(records.commit(Unit::new().insert(&number(6))).await.is_err());
    assert!(matches!(records.failed().await, PortError::Unavailable(reason) if reason.contains("tested.db")));
    assert_eq!(count(&records).await, 1);
}

/// More than fits in the queue is refused at once, and nothing of it happens.
#[tokio::test]
async fn overload_is_refused_at_once() {
    let folder = Folder::new();
    let records = folder.records();
    let other = Connection::open(folder.file()).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("keeps the writer waiting");
    let unit = |first: i64| (first..first + 20_000).fold(Unit::new(), |unit, at| unit.insert(&number(at)));
    let mut tasks: Vec<_> = (0..2)
        .map(|at| {
            let (records, unit) = (Arc::clone(&records), unit(at * 20_000));
            tokio::spawn(async move { records.commit(unit).await })
        })
        .collect();
    let mut refused = 0;
    for at in 2..8 {
        tokio::task::yield_now().await;
        let (records, unit) = (Arc::clone(&records), unit(at * 20_000));
        tasks.push(tokio::spawn(async move { records.commit(unit).await }));
    }
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").expect("lets the writer go on");
    let mut done = 0;
    for task in tasks {
        match task.await.expect("ends") {
            Ok(Committed::Done) => done += 1,
            Err(PortError::Overloaded) => refused += 1,
            answer => panic!("{answer:?}"),
        }
    }
    assert!(refused > 0 && done > 0);
    assert_eq!(count(&records).await, (done * 20_000).min(100_000));
}

/// The log does not grow with what was written; every commit here adds about eight megabytes to it.
#[tokio::test]
async fn log_stays_short() {
    let folder = Folder::new();
    let records = folder.records();
    for round in 0..60 {
        let text = |at: i64| Tally { name: format!("{at}{}", "x".repeat(2_000)), count: round };
        let rows = (0..1_000).fold(Unit::new(), |unit, at| unit.advance(&text(at), round));
        assert_eq!(records.commit(rows).await.expect("commits"), Committed::Done);
    }
    let length = std::fs::metadata(folder.0.path().join("tested.db-wal")).expect("a log").len();
    assert!(length < 160 << 20, "60 rounds left a log of {length} bytes");
}

/// A reader of a topic that nobody writes is told so.
#[tokio::test]
async fn unknown_topic_is_misuse() {
    let log = SqliteEventLog::new([(TOPIC, Folder::new().records())]);
    assert!(matches!(log.read("nothing", 0, 1).await, Err(PortError::Misused(_))));
    assert!(matches!(log.wait("nothing", 0).await, Err(PortError::Misused(_))));
}

/// Who hangs up ends no read, and so frees no turn.
#[tokio::test]
async fn a_long_read_keeps_its_turn_when_nobody_waits_for_it() {
    let folder = Folder::new();
    let records = folder.records();
    let (begun, mut begins) = tokio::sync::mpsc::channel(1);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let reading = Arc::clone(&records);
    let request = tokio::spawn(async move {
        let read = move |_: &_| {
            begun.blocking_send(()).expect("the test waits");
            ended.recv().map_err(|error| PortError::Unavailable(error.to_string()))
        };
        reading.long(read).await
    });
    begins.recv().await.expect("it reads");
    request.abort();
    assert!(request.await.expect_err("nobody waits").is_cancelled());
    let free = (records.long_selects.available_permits(), records.waiting.available_permits());
    assert_eq!(free, (super::LONG_SELECTS - 1, super::WAITING_SELECTS - 1));
    end.send(()).expect("it still reads");
    let all = u32::try_from(super::LONG_SELECTS).expect("few");
    let _all = records.long_selects.acquire_many(all).await.expect("open");
}
