//! How fast the embedded records are, next to what the disk allows: `cargo bench -p firstcome-store --bench records [units | advance | reads]`.
//!
//! Prints figures and asserts nothing. The folder is made in the directory named by `BENCH_DIR`, or in the system's.
#![expect(missing_docs, clippy::print_stdout, reason = "a program that prints figures")]

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OfferNumber, OrderId, PaymentId, UserId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Committed, Records};
use firstcome_core::record;
use firstcome_core::records::{Direction, Query, Record, RecordsExt as _, Table, Unit};
use firstcome_core::time::Time;
use firstcome_store::sqlite::SqliteRecords;

record! {
    /// Shaped like the projection of the journal: a row of an order, with its hold.
    pub struct Order in "orders" {
        pub key: Vec<u8>,
        pub person: UserId,
        pub offer: OfferNumber,
        pub state: String,
        pub open_on: Option<OfferNumber>,
        pub units: u32,
        pub amount: i64,
        pub currency: Currency,
        pub created_at: Time,
        pub hold: Vec<u8>,
    }
    indexes [
        index "orders_by_person" ("person", "created_at"),
        index "orders_by_time" ("created_at"),
        index "orders_open" ("open_on"),
    ]
}

record! {
    /// About as wide as the row of a payment.
    pub struct Payment in "payments" {
        pub payment: PaymentId,
        pub order: OrderId,
        pub state: String,
        pub amount: i64,
        pub live: Option<OrderId>,
        pub created_at: Time,
    }
    indexes [ unique "payments_live" ("live"), index "payments_by_order" ("order") ]
}

static TABLES: &[&Table] = &[Order::TABLE, Payment::TABLE];

/// Ids that arrive in no order, as derived ids do.
fn bytes(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn key(number: u64) -> Vec<u8> {
    [&bytes(number)[..], &[0, 0, 0, 1]].concat()
}

fn order(number: u64, state: &str) -> Order {
    let offer = OfferNumber(1);
    Order {
        key: key(number),
        person: UserId(bytes(number / 2)),
        offer,
        state: state.to_owned(),
        open_on: (state != "COMPLETED").then_some(offer),
        units: 1,
        amount: 55_000,
        currency: Currency::KRW,
        created_at: Time(number as i64),
        hold: vec![7; 200],
    }
}

fn payment(number: u64) -> Payment {
    let order = OrderId(bytes(number));
    Payment {
        payment: PaymentId(bytes(number)),
        order,
        state: "BEGUN".to_owned(),
        amount: 55_000,
        live: Some(order),
        created_at: Time(number as i64),
    }
}

fn paid(number: u64) -> RoleEvent {
    let amount = Money::new(55_000, Currency::KRW);
    RoleEvent::PaymentDone { order: OrderId(bytes(number)), attempt: PaymentId(bytes(number)), amount }
}

/// A stretch of time, and what all threads have worked in it.
struct Watch {
    begun: Instant,
    worked: Duration,
}

impl Watch {
    fn start() -> Self {
        Self { begun: Instant::now(), worked: worked() }
    }

    fn report(&self, name: &str, count: u64) {
        let time = self.begun.elapsed();
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        let rate = count as f64 / time.as_secs_f64();
        println!(
            "{name:<60} {rate:>9.0} /s {:>8.2} us each {:>8.2} us of work",
            each(time),
            each(worked().saturating_sub(self.worked))
        );
    }
}

/// Processor time of all threads; nothing where the system does not tell.
fn worked() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// What one append with a sync costs here: nothing durable can be faster.
fn floor(folder: &std::path::Path) {
    let mut file = std::fs::File::create(folder.join("floor")).expect("a file");
    let rounds = 300;
    let watch = Watch::start();
    for _ in 0..rounds {
        file.write_all(&[1; 8_192]).expect("written");
        file.sync_data().expect("synced");
    }
    watch.report("floor: append 8 KiB and fdatasync", rounds);
}

async fn units(records: &Arc<SqliteRecords>, tasks: u64, each: u64) {
    let watch = Watch::start();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let records = Arc::clone(records);
            tokio::spawn(async move {
                for number in 0..each {
                    let number = (tasks * 1_000 + task) * 1_000_000 + number;
                    let unit = Unit::new().insert(&payment(number)).event(&paid(number), Time(number as i64));
                    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("ends");
    }
    watch.report(&format!("units of one insert and one event, {tasks} tasks"), tasks * each);
}

async fn updates(records: &Arc<SqliteRecords>, tasks: u64, each: u64) {
    let watch = Watch::start();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let records = Arc::clone(records);
            tokio::spawn(async move {
                for number in 0..each {
                    let number = (tasks * 1_000 + task) * 1_000_000 + number;
                    let id = PaymentId(bytes(number));
                    let mut stored = records.load::<Payment>(id).await.expect("reads").expect("is there");
                    "DONE".clone_into(&mut stored.record.state);
                    let unit = Unit::new().update(&stored).event(&paid(number), Time(number as i64));
                    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("ends");
    }
    watch.report(&format!("load, then unit of one update and one event, {tasks} tasks"), tasks * each);
}

async fn advances(records: &Arc<SqliteRecords>, state: &str, version: i64, rows: u64, batch: u64) {
    let make = |first: u64| {
        (first..first + batch).fold(Unit::new(), |unit, number| unit.advance(&order(number, state), version))
    };
    let units: Vec<Unit> = (0..rows).step_by(batch as usize).map(make).collect();
    let watch = Watch::start();
    let mut slowest = Duration::ZERO;
    for unit in units {
        let begun = Instant::now();
        assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
        slowest = slowest.max(begun.elapsed());
    }
    watch.report(&format!("advance rows in batches of {batch} to {state}, version {version}"), rows);
    println!("{:<60} {:>9.1} ms", "    slowest batch", slowest.as_secs_f64() * 1e3);
}

async fn reads(records: &Arc<SqliteRecords>, rows: u64) {
    let count = 20_000;
    let watch = Watch::start();
    for number in 0..count {
        let key = key(number * 7 % rows);
        assert!(records.load::<Order>(key).await.expect("reads").is_some());
    }
    watch.report("get by key", count);
    for (name, limit) in [("short select by index, up to 20 rows", 20), ("the same on another thread", 300)] {
        let watch = Watch::start();
        for number in 0..count {
            let query = Query::all(Order::TABLE, limit).is("person", UserId(bytes(number)));
            let query = query.order_by("created_at", Direction::Descending);
            assert_eq!(records.list::<Order>(query).await.expect("reads").len(), 2);
        }
        watch.report(name, count);
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = match std::env::var_os("BENCH_DIR") {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let runs = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let rows = std::env::var("BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000);
    floor(folder.path());
    let records = SqliteRecords::open(folder.path().join("bench.db"), TABLES).expect("opens");
    for (tasks, each) in [(1, 300), (64, 500), (256, 400)] {
        if runs("units") {
            units(&records, tasks, each).await;
            updates(&records, tasks, each).await;
        }
    }
    if runs("advance") || runs("reads") {
        advances(&records, "PENDING", 1, rows, 1_000).await;
    }
    if runs("advance") {
        advances(&records, "PAYING", 2, rows, 1_000).await;
        advances(&records, "PAYING", 1, rows, 1_000).await;
        advances(&records, "COMPLETED", 3, rows, 1_000).await;
        advances(&records, "PAYING", 4, rows, 10_000).await;
        advances(&records, "COMPLETED", 5, rows, 10_000).await;
    }
    if runs("reads") {
        reads(&records, rows).await;
    }
}
