//! Databases that are new, old, someone else's, or opened by many.

use firstcome_core::ports::{Committed, PortError, Records as _};
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Table, Unit};
use firstcome_core::testkit::records::{Number, TABLES};

use super::database::{Database, Place, ROLE};
use super::on_both_engines;
use crate::check::CheckState;
use crate::sql::{SqlRecords, check, migrate};

on_both_engines! {
    older_database_is_brought_up unlike_database_is_refused two_roles_need_two_databases foreign_database_is_refused
    many_may_open_at_once migration_is_done_once_and_numbered half_a_migration_is_finished parts_of_backups_are_refused
    check_finds_a_good_server check_says_what_is_missing
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
    record! { pub(super) struct Other in "order" { pub(super) user: i64, pub(super) select: String, }
    indexes [ index "key" ("select") ] }
}

mod wrong {
    use super::record;
    record! { pub(super) struct Kind in "things" { pub(super) key: i64, pub(super) name: i64, } indexes [] }
    record! { pub(super) struct Needed in "things" { pub(super) key: i64, pub(super) needed: i64, } indexes [] }
    record! { pub(super) struct Nullable in "things" { pub(super) key: i64, pub(super) name: Option<String>, } indexes [] }
    record! { pub(super) struct Less in "things" { pub(super) key: i64, pub(super) name: String, } indexes [] }
    record! { pub(super) struct Key in "things" { pub(super) name: String, pub(super) key: i64, } indexes [] }
    record! { pub(super) struct Own in "outbox" { pub(super) key: i64, pub(super) name: String, } indexes [] }
    record! { pub(super) struct Quoted in "a\"b" { pub(super) key: i64, pub(super) name: String, } indexes [] }
    record! { pub(super) struct Index in "rows" { pub(super) key: i64, pub(super) name: String, }
    indexes [ index "rows_by_nothing" ("nothing") ] }
}

static OLDER: &[&Table] = &[older::Thing::TABLE];
static NEWER: &[&Table] = &[newer::Thing::TABLE, newer::Other::TABLE];

async fn done(records: &SqlRecords, unit: Unit) {
    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
}

async fn refusal<P: Place>(database: &Database<P>, role: &str, tables: &'static [&'static Table]) -> String {
    match database.open_for(role, tables).await.map(drop).expect_err("cannot be opened") {
        PortError::Misused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// Tables, columns that may be empty and indexes are added; the rows stay, and the older program can still write.
async fn older_database_is_brought_up<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.open_for(ROLE, OLDER).await.expect("opens");
    let old = older::Thing { key: 1, name: "one".to_owned(), group: 5 };
    done(&records, Unit::new().insert(&old)).await;
    let newer = database.open_for(ROLE, NEWER).await.expect("opens");
    let stored = newer.load::<newer::Thing>(1_i64).await.expect("reads").expect("is there");
    assert_eq!((stored.record.name.as_str(), stored.record.added), ("one", None));
    done(&newer, Unit::new().insert(&newer::Other { user: 1, select: "new".to_owned() })).await;
    let found = newer.list::<newer::Other>(Query::all(newer::Other::TABLE, 9).is("select", "new")).await;
    assert_eq!(found.expect("reads").len(), 1);
    let same_name = older::Thing { key: 2, ..old };
    assert_eq!(records.commit(Unit::new().insert(&same_name)).await.expect("commits"), Committed::Conflict(0));
    drop((records, newer));
    let again = database.open_for(ROLE, OLDER).await.expect("opens");
    done(&again, Unit::new().insert(&older::Thing { key: 3, name: "three".to_owned(), group: 5 })).await;
    let found = again.list::<older::Thing>(Query::all(older::Thing::TABLE, 10).is("group", 5_i64)).await;
    assert_eq!(found.expect("reads").iter().map(|stored| stored.record.key).collect::<Vec<_>>(), [1, 3]);
}

/// What cannot be added without touching rows is refused by table and column.
async fn unlike_database_is_refused<P: Place>() {
    static WRONG: [(&[&Table], &str); 8] = [
        (&[wrong::Kind::TABLE], "name"),
        (&[wrong::Needed::TABLE], "needed"),
        (&[wrong::Nullable::TABLE], "name"),
        (&[wrong::Less::TABLE], "group"),
        (&[wrong::Key::TABLE], "name"),
        (&[wrong::Own::TABLE], "outbox"),
        (&[wrong::Quoted::TABLE], "a\"b"),
        (&[wrong::Index::TABLE], "nothing"),
    ];
    let database = Database::<P>::new().await;
    let records = database.open_for(ROLE, OLDER).await.expect("opens");
    for (tables, reason) in WRONG {
        let refusal = refusal(&database, ROLE, tables).await;
        assert!(refusal.contains(reason), "{refusal}");
    }
    let twin = |key| older::Thing { key, name: "one".to_owned(), group: 5 };
    done(&records, Unit::new().insert(&twin(1)).insert(&twin(2))).await;
    let refusal = refusal(&database, ROLE, NEWER).await;
    assert!(refusal.contains("things_by_name"), "{refusal}");
}

/// A second role is told whose database it is and what to do.
async fn two_roles_need_two_databases<P: Place>() {
    let database = Database::<P>::new().await;
    drop(database.open_for("payments", OLDER).await.expect("opens"));
    let refusal = refusal(&database, "orders", NEWER).await;
    assert!(refusal.contains("payments") && refusal.contains("orders") && refusal.contains("create"), "{refusal}");
    assert!(database.open_for("payments", OLDER).await.is_ok());
}

/// A database that holds something else is left alone.
async fn foreign_database_is_refused<P: Place>() {
    let database = Database::<P>::new().await;
    database.run("CREATE TABLE blog (id INT PRIMARY KEY)").await;
    let refusal = refusal(&database, ROLE, OLDER).await;
    assert!(refusal.contains("blog"), "{refusal}");
    assert_eq!(database.session().await.tables().await.expect("reads"), ["blog"]);
}

/// Whoever opens an empty database at the same moment gets the same one.
async fn many_may_open_at_once<P: Place>() {
    let database = Database::<P>::new().await;
    let openers = (0..8).map(|number| {
        let options = database.options();
        tokio::spawn(async move {
            let records = SqlRecords::open(options, ROLE, TABLES).await.expect("opens");
            done(&records, Unit::new().insert(&Number { number, place: None })).await;
        })
    });
    for opener in openers.collect::<Vec<_>>() {
        opener.await.expect("ends");
    }
    let records = database.records().await;
    assert_eq!(records.select(Query::all(Number::TABLE, 100)).await.expect("reads").len(), 8);
}

/// Without leave to migrate a database that lacks something is refused; migrated once, there is nothing more to do.
async fn migration_is_done_once_and_numbered<P: Place>() {
    let database = Database::<P>::new().await;
    let mut options = database.options();
    options.migrate = false;
    let open = |tables| SqlRecords::open(options.clone(), ROLE, tables);
    let refused = |answer: Result<_, PortError>| match answer {
        Err(PortError::Misused(reason)) => assert!(reason.contains("firstcome migrate"), "{reason}"),
        Err(other) => panic!("{other:?}"),
        Ok(()) => panic!("opens"),
    };
    refused(open(OLDER).await.map(drop));
    let first = migrate(&options, ROLE, OLDER).await.expect("migrates");
    assert!(first.iter().any(|step| step.contains("things_by_group")), "{first:?}");
    drop(open(OLDER).await.expect("opens"));
    refused(open(NEWER).await.map(drop));
    let second = migrate(&options, ROLE, NEWER).await.expect("migrates");
    assert!(!second.is_empty());
    drop(open(NEWER).await.expect("opens"));
    for tables in [OLDER, NEWER] {
        let again = migrate(&options, ROLE, tables).await.expect("migrates");
        // The older program wants an index otherwise than the newer one.
        assert!(again.iter().all(|step| step.contains("things_by_group")), "{again:?}");
    }
    assert_eq!(migrate(&options, ROLE, NEWER).await.expect("migrates"), [""; 0]);
    let mut session = database.session().await;
    let count = session.number("SELECT count(*) FROM meta WHERE name LIKE 'step:%'", &[]).await.expect("reads");
    assert!(count >= Some((first.len() + second.len()) as i64));
}

/// A migration that broke off is gone on with.
async fn half_a_migration_is_finished<P: Place>() {
    let database = Database::<P>::new().await;
    migrate(&database.options(), ROLE, NEWER).await.expect("migrates");
    database.run("DROP TABLE outbox").await;
    database.run("DELETE FROM meta WHERE name IN ('schema', 'index:things_by_name')").await;
    let steps = migrate(&database.options(), ROLE, NEWER).await.expect("migrates");
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(database.open_for(ROLE, NEWER).await.is_ok());
}

/// An outbox that holds more than was counted was not restored as a whole.
async fn parts_of_backups_are_refused<P: Place>() {
    let database = Database::<P>::new().await;
    drop(database.records().await);
    database.run("INSERT INTO outbox VALUES (7, 'x', 'x', 'x', 7, 'x', 1)").await;
    let refusal = database.open_for(ROLE, TABLES).await.map(drop);
    assert!(matches!(refusal, Err(PortError::Corrupt(_))), "{refusal:?}");
}

/// A server as it is installed, with a migrated database, is good.
async fn check_finds_a_good_server<P: Place>() {
    let database = Database::<P>::new().await;
    migrate(&database.options(), ROLE, TABLES).await.expect("migrates");
    let lines = check(&database.options(), ROLE).await;
    assert!(lines.len() >= 8, "{lines:?}");
    assert!(lines.iter().all(|line| line.state == CheckState::Ok), "{lines:#?}");
}

/// An empty database, one of another role, and one that is not there are told from each other.
async fn check_says_what_is_missing<P: Place>() {
    let database = Database::<P>::new().await;
    let last = |lines: Vec<crate::check::CheckLine>| lines.last().map(|line| (line.state, line.advice.clone()));
    let (state, advice) = last(check(&database.options(), ROLE).await).expect("a line");
    assert!(state == CheckState::Warn && advice.is_some_and(|advice| advice.contains("migrate")));
    migrate(&database.options(), ROLE, TABLES).await.expect("migrates");
    assert_eq!(last(check(&database.options(), "other").await).map(|(state, _)| state), Some(CheckState::Fail));
    let options = database.options();
    drop(database);
    let lines = check(&options, ROLE).await;
    assert!(lines.len() == 1 && lines[0].state == CheckState::Fail, "{lines:?}");
}
