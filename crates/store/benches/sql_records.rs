//! How fast the records in a database server are, next to what the server allows:
//! `eval "$(scripts/servers up mariadb postgresql)"; cargo bench -p firstcome-store --features cluster --bench sql_records`.
//!
//! Prints figures and asserts nothing about time. An argument names a part: `floor`, `units`, `advance` or `reads`.
#![expect(missing_docs, clippy::print_stdout, reason = "a program that prints figures")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, PaymentId, UserId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Committed, Records};
use firstcome_core::record;
use firstcome_core::records::{Direction, Query, Record, RecordsExt as _, Table, Unit};
use firstcome_core::time::Time;
use firstcome_store::sql::{SqlOptions, SqlRecords};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};

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

record! {
    /// Shaped like the projection of the journal.
    pub struct Order in "orders" {
        pub key: Vec<u8>,
        pub person: UserId,
        pub state: String,
        pub created_at: Time,
        pub hold: Vec<u8>,
    }
    indexes [ index "orders_by_person" ("person", "created_at") ]
}

static TABLES: &[&Table] = &[Payment::TABLE, Order::TABLE];

/// Ids that arrive in no order, as derived ids do.
fn bytes(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
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

fn order(number: u64, state: &str) -> Order {
    Order {
        key: bytes(number).to_vec(),
        person: UserId(bytes(number / 2)),
        state: state.to_owned(),
        created_at: Time(number as i64),
        hold: vec![7; 200],
    }
}

fn paid(number: u64) -> RoleEvent {
    let amount = Money::new(55_000, Currency::KRW);
    RoleEvent::PaymentDone { order: OrderId(bytes(number)), attempt: PaymentId(bytes(number)), amount }
}

fn report(name: &str, count: u64, time: Duration) {
    let rate = count as f64 / time.as_secs_f64();
    println!("  {name:<66} {rate:>8.0} /s {:>9.1} us each", time.as_secs_f64() * 1e6 / count as f64);
}

/// Runs tasks at the same time; each does its work so many times.
async fn crowd<F: Future<Output = ()> + Send + 'static>(
    name: &str,
    tasks: u64,
    each: u64,
    work: impl Fn(u64) -> F + Clone + Send + Sync + 'static,
) {
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let work = work.clone();
            tokio::spawn(async move {
                for number in 0..each {
                    work((tasks * 1_000 + task) * 1_000_000 + number).await;
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("ends");
    }
    report(&format!("{name}, {tasks} tasks"), tasks * each, begun.elapsed());
}

async fn done(records: &SqlRecords, unit: Unit) {
    assert_eq!(records.commit(unit).await.expect("commits"), Committed::Done);
}

async fn units(records: &Arc<SqlRecords>) {
    for (tasks, each) in [(1, 300), (16, 200), (64, 200), (256, 100)] {
        let shared = Arc::clone(records);
        crowd("unit of one insert and one event", tasks, each, move |number| {
            let records = Arc::clone(&shared);
            async move { done(&records, Unit::new().insert(&payment(number)).event(&paid(number), Time(1))).await }
        })
        .await;
        let shared = Arc::clone(records);
        crowd("load, then unit of one update and one event", tasks, each, move |number| {
            let records = Arc::clone(&shared);
            async move {
                let stored = records.load::<Payment>(PaymentId(bytes(number))).await.expect("reads");
                let mut stored = stored.expect("is there");
                "DONE".clone_into(&mut stored.record.state);
                done(&records, Unit::new().update(&stored).event(&paid(number), Time(1))).await;
            }
        })
        .await;
    }
}

async fn advances(records: &Arc<SqlRecords>) {
    let mut position = 0;
    for (version, state) in [(1, "PENDING"), (2, "PAYING"), (1, "PENDING"), (3, "COMPLETED")] {
        let begun = Instant::now();
        for first in (0..20_000).step_by(1_000) {
            let rows = (first..first + 1_000).fold(Unit::new(), |unit, at| unit.advance(&order(at, state), version));
            done(records, rows.position("projection", position, position + 1)).await;
            position += 1;
        }
        report(&format!("advance in batches of 1000 to {state}, version {version}"), 20_000, begun.elapsed());
    }
}

async fn reads(records: &Arc<SqlRecords>) {
    for (tasks, each) in [(1, 1_000), (64, 200)] {
        let shared = Arc::clone(records);
        crowd("get by key", tasks, each, move |number| {
            let records = Arc::clone(&shared);
            async move {
                let key = bytes(number % 20_000).to_vec();
                assert!(records.load::<Order>(key).await.expect("reads").is_some());
            }
        })
        .await;
        let shared = Arc::clone(records);
        crowd("select by index", tasks, each, move |number| {
            let records = Arc::clone(&shared);
            async move {
                let query = Query::all(Order::TABLE, 20).is("person", UserId(bytes(number % 10_000)));
                let query = query.order_by("created_at", Direction::Descending);
                assert_eq!(records.list::<Order>(query).await.expect("reads").len(), 2);
            }
        })
        .await;
    }
}

/// What a plain transaction of one small row costs: no unit alone can be faster.
async fn floor(url: &str) {
    for (tasks, each) in [(1_u64, 300_u64), (8, 200)] {
        let begun = Instant::now();
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                let url = url.to_owned();
                tokio::spawn(async move { inserts(&url, tasks * 1_000 + task, each).await })
            })
            .collect();
        for task in running {
            task.await.expect("ends");
        }
        report(&format!("floor: plain single-row inserts, {tasks} connections"), tasks * each, begun.elapsed());
    }
}

async fn inserts(url: &str, task: u64, each: u64) {
    let ids = (0..each).map(|number| (task * 1_000_000 + number) as i64);
    if url.starts_with("mysql") {
        let mut link = MySqlConnection::connect(url).await.expect("connects");
        for id in ids {
            let insert = sqlx::query("INSERT INTO floor VALUES (?, 'x')").bind(id);
            insert.execute(&mut link).await.expect("inserts");
        }
    } else {
        let mut link = PgConnection::connect(url).await.expect("connects");
        for id in ids {
            let insert = sqlx::query("INSERT INTO floor VALUES ($1, 'x')").bind(id);
            insert.execute(&mut link).await.expect("inserts");
        }
    }
}

/// Runs statements in a database, one after the other.
async fn run(url: &str, statements: &[String]) {
    for sql in statements {
        let sql = AssertSqlSafe(sql.clone());
        if url.starts_with("mysql") {
            let mut link = MySqlConnection::connect(url).await.expect("connects");
            sqlx::raw_sql(sql).execute(&mut link).await.expect("runs");
        } else {
            let mut link = PgConnection::connect(url).await.expect("connects");
            sqlx::raw_sql(sql).execute(&mut link).await.expect("runs");
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let runs = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    for variable in ["FIRSTCOME_TEST_MARIADB", "FIRSTCOME_TEST_POSTGRES"] {
        let server = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no server"));
        println!("{variable}");
        let base = server.trim_end_matches("/postgres").to_owned();
        let admin = if base.starts_with("mysql") { format!("{base}/mysql") } else { server };
        let database = format!("bench_{}", std::process::id());
        let url = format!("{base}/{database}");
        run(&admin, &[format!("CREATE DATABASE {database}")]).await;
        if runs("floor") {
            // A role's database holds nothing else.
            run(&url, &["CREATE TABLE floor (id BIGINT PRIMARY KEY, x VARCHAR(9))".to_owned()]).await;
            floor(&url).await;
            run(&url, &["DROP TABLE floor".to_owned()]).await;
        }
        let mut options = SqlOptions::new(url.clone());
        if let Some(writers) = std::env::var("BENCH_WRITERS").ok().and_then(|writers| writers.parse().ok()) {
            options.writers = writers;
        }
        options.timeout = Duration::from_secs(60);
        let records = SqlRecords::open(options, "bench", TABLES).await.expect("opens");
        if runs("units") {
            units(&records).await;
        }
        if runs("advance") || runs("reads") {
            advances(&records).await;
        }
        if runs("reads") {
            reads(&records).await;
        }
        drop(records);
        let force = if url.starts_with("mysql") { "" } else { " WITH (FORCE)" };
        run(&admin, &[format!("DROP DATABASE {database}{force}")]).await;
    }
}
