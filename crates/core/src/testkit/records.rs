//! The promises of [`Records`] and [`EventLog`], one test each, for every adapter.
//!
//! An adapter implements [`RecordsHarness`] in its tests and calls `records_conformance!(ItsHarness)`.

#![expect(clippy::missing_panics_doc, reason = "a promise that is not kept panics, as tests do")]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use crate::events::RoleEvent;
use crate::ids::{OrderId, PaymentId, UserId};
use crate::money::{Currency, Money};
use crate::ports::{Committed, EventLog, PortError, Records};
use crate::record;
use crate::records::{Comparison, Direction, Query, Record, RecordsExt as _, Stored, Table, Unit, Value};
use crate::time::Time;

/// The topic that the database under test writes.
pub const TOPIC: &str = "tested";
/// The tables that the database under test is opened with.
pub static TABLES: &[&Table] = &[Ticket::TABLE, Tally::TABLE, Number::TABLE];

record! {
    /// A row with an id as key and every kind of column.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Ticket in "tickets" {
        /// The key.
        pub ticket: OrderId,
        /// Many tickets have the same.
        pub owner: String,
        /// No two tickets have the same.
        pub seat: Option<i64>,
        /// Text that may be empty.
        pub note: Option<String>,
        /// A time.
        pub at: Time,
        /// Bytes.
        pub proof: Vec<u8>,
    }
    indexes [
        unique "tickets_by_seat" ("seat"),
        index "tickets_by_owner" ("owner", "at"),
    ]
}

record! {
    /// A row with a text as key and nothing unique beside it.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Tally in "tallies" {
        /// The key.
        pub name: String,
        /// A number.
        pub count: i64,
    }
    indexes []
}

record! {
    /// A row with a number as key.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Number in "numbers" {
        /// The key.
        pub number: i64,
        /// Orders rows; may be empty.
        pub place: Option<i64>,
    }
    indexes [ index "numbers_by_place" ("place") ]
}

record! {
    /// A table that no database under test has.
    pub struct Stranger in "strangers" {
        /// The key.
        pub number: i64,
        /// A second column.
        pub other: i64,
    }
    indexes []
}

/// Makes databases for the tests.
#[async_trait]
pub trait RecordsHarness: Sized + Send + Sync {
    /// A place for one empty database. What it holds ends with the value.
    async fn fresh() -> Self;
    /// Opens the database with [`TABLES`]: the first time, again after everything was dropped, or beside one that is
    /// open, as another process would.
    async fn open(&self) -> Opened;
}

/// An open database.
pub struct Opened {
    /// Its rows.
    pub records: Arc<dyn Records>,
    /// Its events, under [`TOPIC`].
    pub log: Arc<dyn EventLog>,
}

/// Makes one test of each promise.
#[macro_export]
macro_rules! records_conformance {
    ($harness:ty) => {
        $crate::records_conformance! { @tests $harness:
            stores_every_kind_of_value
            reads_many_in_the_order_of_keys
            insert_of_a_taken_key_conflicts
            unique_index_conflict_names_its_write
            empty_values_are_never_alike
            update_needs_the_stored_version
            delete_twice_is_once
            unit_is_all_or_nothing
            writes_see_those_before
            advance_never_goes_back
            advance_takes_large_units
            conflict_disturbs_nobody_else
            two_updates_one_winner
            two_inserts_one_winner
            two_consumers_one_winner
            many_inserters_all_there
            events_if_and_only_if_committed
            events_in_order_after_a_position
            position_moves_only_from_where_it_is
            wait_returns_when_there_is_an_event
            wait_sees_other_processes
            reopen_keeps_everything
            openers_see_each_others_commits
            selects_by_every_comparison
            contains_ignores_case_of_ascii
            orders_ties_by_key
            pages_are_stable_under_inserts
            pages_over_empty_values
            misuse_is_refused
        }
    };
    (@tests $harness:ty: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let harness = <$harness as $crate::testkit::records::RecordsHarness>::fresh().await;
                $crate::testkit::records::$promise(&harness).await;
            }
        )*
    };
}

type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Drives futures at the same time, so that their calls meet in the adapter.
pub async fn all<T>(mut tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (task, answer) in tasks.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(value) = task.as_mut().poll(context) {
                *answer = Some(value);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

fn ticket(number: u64) -> Ticket {
    let mut id = [0; 16];
    // Ids that do not arrive in their order.
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    Ticket {
        ticket: OrderId(id),
        owner: format!("owner {}", number % 3),
        seat: None,
        note: None,
        at: Time(number as i64),
        proof: vec![number as u8; 3],
    }
}

fn seated(number: u64, seat: i64) -> Ticket {
    Ticket { seat: Some(seat), ..ticket(number) }
}

fn tally(name: &str, count: i64) -> Tally {
    Tally { name: name.to_owned(), count }
}

fn event(number: u8) -> RoleEvent {
    let amount = Money::new(i64::from(number), Currency::KRW);
    RoleEvent::PaymentDone { order: OrderId([number; 16]), attempt: PaymentId([number; 16]), amount }
}

async fn commit(records: &Arc<dyn Records>, unit: Unit) -> Committed {
    records.commit(unit).await.expect("the database answers")
}

async fn done(records: &Arc<dyn Records>, unit: Unit) {
    assert_eq!(commit(records, unit).await, Committed::Done);
}

async fn load(records: &Arc<dyn Records>, ticket: &Ticket) -> Option<Stored<Ticket>> {
    records.load::<Ticket>(ticket.ticket).await.expect("the database answers")
}

async fn numbers(records: &Arc<dyn Records>, query: Query) -> Vec<i64> {
    let rows = records.list::<Number>(query).await.expect("the database answers");
    rows.into_iter().map(|stored| stored.record.number).collect()
}

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
