//! Units made by chance, judged as the records in memory judge them.

use std::sync::Arc;

use firstcome_core::ids::OrderId;
use firstcome_core::ports::{Committed, Records};
use firstcome_core::records::{Query, Record, Row, Stored, Table, Unit, Write};
use firstcome_core::testkit::records::{Number, TABLES, TOPIC, Tally, Ticket, all};
use firstcome_core::testkit::{MemoryRecords, TestRandom};
use firstcome_core::time::Time;

use super::database::{Database, Place, ROLE};
use super::on_both_engines;
use crate::outbox::Outbox as _;
use crate::sql::SqlRecords;
use crate::sql::tests::outbox::event;

on_both_engines! { units_one_by_one_are_judged_as_in_memory units_of_one_writer_have_an_order units_of_two_openers_have_an_order }

/// The consumer whose position some units move.
const CONSUMER: &str = "consumer";
/// Units at the same time; every order of them is tried.
const CROWD: usize = 6;

struct Chance(TestRandom);

impl Chance {
    fn below(&self, bound: u64) -> u64 {
        u64::from_be_bytes(firstcome_core::ports::random_bytes(&self.0)) % bound
    }

    /// Few keys and few seats, so that much meets, and mostly versions that could be.
    fn unit(&self, (rows, position): &Content, deletes: bool) -> Unit {
        let mut unit = Unit::new();
        for _ in 0..=self.below(5) {
            unit = match self.below(6) {
                0 => self.write(unit, rows, Tally { name: self.below(4).to_string(), count: 1 }, deletes),
                1 => self.write(unit, rows, Number { number: self.below(4) as i64, place: None }, deletes),
                _ => self.write(unit, rows, self.ticket(), deletes),
            };
        }
        if self.below(4) == 0 {
            let from = if self.below(3) == 0 { self.below(3) as i64 } else { *position };
            unit = unit.position(CONSUMER, from, from + 1);
        }
        if self.below(2) == 0 {
            unit = unit.event(&event(1), Time(1));
        }
        unit
    }

    fn ticket(&self) -> Ticket {
        let seat = (self.below(3) > 0).then(|| self.below(4) as i64);
        let ticket = OrderId([self.below(5) as u8; 16]);
        Ticket { ticket, owner: String::new(), seat, note: None, at: Time(0), proof: Vec::new() }
    }

    fn write<R: Record>(&self, unit: Unit, rows: &[Vec<Row>], record: R, deletes: bool) -> Unit {
        let stored = rows.iter().flatten().find(|row| row.values[0] == record.key()).map_or(0, |row| row.version);
        // Also those that a write before this one may leave.
        let version = stored + [0, 0, 0, 0, 1, 1, 2, -1][self.below(8) as usize];
        match self.below(if deletes { 8 } else { 7 }) {
            0..2 => unit.insert(&record),
            2..5 => unit.update(&Stored { record, version }),
            5..7 => unit.advance(&record, version + 1),
            _ => unit.delete(&record),
        }
    }
}

type Content = (Vec<Vec<Row>>, i64);

/// All rows, in the order of tables and keys, and the consumer's position.
async fn content(records: &dyn Records) -> Content {
    let mut rows = Vec::new();
    for table in TABLES {
        rows.push(records.select(Query::all(table, 1_000)).await.expect("reads"));
    }
    (rows, records.position(CONSUMER).await.expect("reads"))
}

/// Every answer, and every row after it, is that of the records in memory.
async fn units_one_by_one_are_judged_as_in_memory<P: Place>() {
    let database = Database::<P>::new().await;
    let records = database.records().await;
    let memory = MemoryRecords::new(TOPIC, TABLES);
    let chance = Chance(TestRandom::seeded(7));
    let mut done = 0;
    for number in 0..1_500 {
        let unit = chance.unit(&content(&memory).await, true);
        let wanted = memory.commit(unit.clone()).await.expect("commits");
        assert_eq!(records.commit(unit.clone()).await.expect("commits"), wanted, "unit {number}: {unit:#?}");
        done += usize::from(wanted == Committed::Done);
        if number % 10 == 0 {
            assert_eq!(content(&*records).await, content(&memory).await, "after unit {number}");
        }
    }
    assert!((200..1_300).contains(&done), "{done} were done");
    assert_eq!(content(&*records).await, content(&memory).await);
    assert_eq!(records.last().await.expect("reads"), memory.events().len() as i64);
}

async fn units_of_one_writer_have_an_order<P: Place>() {
    let database = Database::<P>::new().await;
    let mut options = database.options();
    options.writers = 1;
    let records = SqlRecords::open(options, ROLE, TABLES).await.expect("opens");
    crowds(&[records], true).await;
}

/// Without deletes: one that finds nothing locks nothing, and so may stand on either side of an insert.
async fn units_of_two_openers_have_an_order<P: Place>() {
    let database = Database::<P>::new().await;
    crowds(&[database.records().await, database.records().await], false).await;
}

/// For units that are committed at the same time there is an order in which each, one after the other, gets the answer
/// that it got, and that leaves the rows that there are.
async fn crowds(openers: &[Arc<SqlRecords>], deletes: bool) {
    let chance = Chance(TestRandom::seeded(11));
    for round in 0..120 {
        let before = content(&*openers[0]).await;
        let units: Vec<Unit> = (0..CROWD).map(|_| chance.unit(&before, deletes)).collect();
        let commits = units.iter().zip(openers.iter().cycle()).map(|(unit, records)| {
            Box::pin(async { records.commit(unit.clone()).await.expect("commits") })
                as std::pin::Pin<Box<dyn Future<Output = Committed> + Send + '_>>
        });
        let answers = all(commits.collect()).await;
        let after = content(&*openers[0]).await;
        let order = find_order(&before, &units, &answers, &after, &mut Vec::new()).await;
        assert!(order, "round {round}: {answers:?} to {units:#?} after {before:#?} left {after:#?}");
    }
}

/// Whether some order of the units that begins as given leads to the answers and to the rows.
async fn find_order(
    before: &Content,
    units: &[Unit],
    answers: &[Committed],
    after: &Content,
    order: &mut Vec<usize>,
) -> bool {
    let memory = restored(before).await;
    for at in &*order {
        if memory.commit(units[*at].clone()).await.expect("commits") != answers[*at] {
            return false;
        }
    }
    if order.len() == units.len() {
        return content(&memory).await == *after;
    }
    for at in 0..units.len() {
        if !order.contains(&at) {
            order.push(at);
            if Box::pin(find_order(before, units, answers, after, order)).await {
                return true;
            }
            order.pop();
        }
    }
    false
}

async fn restored((rows, position): &Content) -> MemoryRecords {
    let memory = MemoryRecords::new(TOPIC, TABLES);
    let mut unit = Unit::new().position(CONSUMER, 0, *position);
    for (table, rows) in TABLES.iter().zip(rows) {
        let table: &'static Table = table;
        unit.writes.extend(rows.iter().map(|row| Write::Advance(table, row.clone())));
    }
    assert_eq!(memory.commit(unit).await.expect("commits"), Committed::Done);
    memory
}
