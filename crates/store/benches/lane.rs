//! What the embedded ledger does without HTTP: `cargo bench -p firstcome-store --bench lane`.
//!
//! Prints figures next to the floor that the disk and SQLite set in the same run. Every decision is synced before it is
//! answered. Arguments choose sections by name: `floor`, `lane`, `refused`, `memory`, `start`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::ids::{OfferId, OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Command, Event, Granted, HoldRequest, Outcome, Record, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{StockLedger, SystemClock};
use firstcome_core::testkit::MemoryArchive;
use firstcome_core::time::Time;
use firstcome_store::sqlite::SqliteArchive;
use firstcome_store::sqlite::ledger::{LedgerOptions, SqliteLedger};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

const OFFER: OfferNumber = OfferNumber(1);

fn main() {
    let wanted: BTreeSet<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.contains(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    if wants("floor") {
        floor();
    }
    if wants("lane") {
        for (callers, each) in shapes() {
            runtime.block_on(lane(callers, each));
        }
    }
    if wants("refused") {
        runtime.block_on(refused(256));
    }
    if wants("memory") {
        runtime.block_on(memory(1_000_000));
    }
    if wants("start") {
        runtime.block_on(start(number_from("EVENTS", 1_000_000)));
    }
}

/// Callers and how many commands each has under way: `SHAPES=64x1,256x1` chooses.
fn shapes() -> Vec<(u64, u64)> {
    let shapes = std::env::var("SHAPES").unwrap_or_else(|_| "1x1,64x1,256x1,1024x1,16x64,64x64".to_owned());
    let pair = |shape: &str| {
        shape.split_once('x').and_then(|(callers, each)| Some((callers.parse().ok()?, each.parse().ok()?)))
    };
    shapes.split(',').filter_map(pair).collect()
}

fn number_from(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn seconds() -> Duration {
    Duration::from_secs(number_from("SECONDS_EACH", 3))
}

// ---- the floor

fn floor() {
    let directory = tempfile::tempdir().expect("a directory");
    let each = |name: &str, mut sync: Box<dyn FnMut()>| {
        let rounds = 1_000;
        let began = Instant::now();
        (0..rounds).for_each(|_| sync());
        println!("floor: {name}: {:.0} µs", began.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
    };
    let mut file = std::fs::File::create(directory.path().join("floor")).expect("a file");
    let append = Box::new(move || {
        file.write_all(&[7; 4096]).expect("written");
        file.sync_data().expect("synced");
    });
    each("append 4 KiB and fdatasync", append);
    for size in [64, 256, 1024] {
        let rate = sqlite_inserts(&directory.path().join(format!("{size}.db")), size);
        println!("floor: SQLite, rows of {size} holds, one synced transaction each: {rate:.0} holds/s");
    }
}

/// Holds per second when each transaction writes one row of `size` holds, without any ledger.
fn sqlite_inserts(path: &Path, size: u64) -> f64 {
    let connection = rusqlite::Connection::open(path).expect("opened");
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, r BLOB)",
        )
        .expect("set");
    let events = (0..size).map(|number| Event::Held(granted(number))).collect();
    let record = Record {
        offer: OFFER,
        id: firstcome_core::ids::EventId::NIL,
        prev: [0; 32],
        first_seq: 1,
        at: Time(0),
        events,
    };
    let bytes = record.encode();
    let (began, mut rows) = (Instant::now(), 0);
    while began.elapsed() < seconds() {
        connection
            .prepare_cached("INSERT INTO t (r) VALUES (?)")
            .expect("prepared")
            .execute([&bytes])
            .expect("inserted");
        rows += 1;
    }
    (rows * size) as f64 / began.elapsed().as_secs_f64()
}

// ---- commands

/// A number that looks random and is the same every time (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut value = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn bytes(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed(number).to_be_bytes());
    bytes[8..].copy_from_slice(&mixed(number ^ (1 << 63)).to_be_bytes());
    bytes
}

fn granted(number: u64) -> Granted {
    Granted {
        order: OrderId(bytes(number)),
        person: UserId(bytes(number + (1 << 40))),
        quantity: 1,
        unit_price: Money::new(50_000, Currency::KRW),
        discount: 0,
        digest: mixed(number),
        expires_at: Time::from_millis(1_763_703_200_000 + number as i64),
        terms_version: 1,
        facts: None,
    }
}

fn hold(number: u64) -> Command {
    let Granted { order, person, digest, .. } = granted(number);
    Command::Hold(HoldRequest { order, person, quantity: 1, unit_price: None, digest, discount: 0, facts: None })
}

async fn sell(ledger: &SqliteLedger, stock: u64) {
    let terms = Terms {
        offer: OfferId::numbered(Time(0), OFFER, [0; 6]),
        version: 1,
        initial_stock: stock,
        price: Money::new(50_000, Currency::KRW),
        limit_per_person: Some(2),
        max_per_order: 2,
        opens_at: Time(0),
        closes_at: None,
        hold_for_ms: 3_600_000,
        usable_until: None,
    };
    ledger.decide(OFFER, Command::SetTerms(terms)).await.expect("decided");
}

fn open(directory: &Path, archive: &MemoryArchive) -> Arc<SqliteLedger> {
    let options = LedgerOptions::new(directory, Arc::new(SystemClock), Arc::new(archive.clone()));
    SqliteLedger::open(LedgerOptions { queue: 1 << 20, queue_total: 1 << 20, ..options }).expect("it opens")
}

// ---- decisions per second

/// `callers` tasks, each with `each` commands under way at any time.
async fn lane(callers: u64, each: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = open(directory.path(), &MemoryArchive::default());
    sell(&ledger, 1_000_000_000).await;
    let (began, before, cpu) = (Instant::now(), ledger.work(), [processor("ledger"), processor("")]);
    let tasks: Vec<_> =
        (0..callers).map(|caller| tokio::spawn(call(ledger.clone(), caller, each, began + seconds()))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("no panic"));
    }
    let (elapsed, after) = (began.elapsed().as_secs_f64(), ledger.work());
    let [engine, all] = [processor("ledger") - cpu[0], processor("") - cpu[1]];
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let batches = after.batches - before.batches;
    println!(
        "lane: {callers:>4} callers x {each:>2}: {:>7.0} decisions/s, {:>5.0} batches/s of {:>4.0}; µs p50 {}, p99 {}, max {}; \
         processor: engine {:.0} µs per batch, all {:.2} µs per decision",
        latencies.len() as f64 / elapsed,
        batches as f64 / elapsed,
        (after.commands - before.commands) as f64 / batches as f64,
        at(0.5),
        at(0.99),
        at(1.0),
        engine * 1e6 / batches as f64,
        all * 1e6 / latencies.len() as f64,
    );
}

/// Seconds of processor time that threads of this name have used so far; all threads for an empty name.
fn processor(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let of = |directory: std::path::PathBuf| {
        let comm = std::fs::read_to_string(directory.join("comm")).ok()?;
        let runtime = std::fs::read_to_string(directory.join("schedstat")).ok()?;
        let nanos: f64 = runtime.split(' ').next()?.parse().ok()?;
        (name.is_empty() || comm.trim() == name).then_some(nanos / 1e9)
    };
    tasks.flatten().filter_map(|task| of(task.path())).sum()
}

/// One caller; returns the microseconds that each command took.
async fn call(ledger: Arc<SqliteLedger>, caller: u64, each: u64, until: Instant) -> Vec<u32> {
    let mut latencies = Vec::with_capacity(1 << 14);
    let mut number = caller << 24;
    let ask = |number: u64| {
        let ledger = &ledger;
        async move {
            let asked = Instant::now();
            let outcome = ledger.decide(OFFER, hold(number)).await.expect("decided");
            assert!(matches!(outcome, Outcome::Held(_)), "{outcome:?}");
            asked.elapsed().as_micros() as u32
        }
    };
    let mut under_way = FuturesUnordered::new();
    for _ in 0..each {
        number += 1;
        under_way.push(ask(number));
    }
    while let Some(latency) = under_way.next().await {
        latencies.push(latency);
        if Instant::now() < until {
            number += 1;
            under_way.push(ask(number));
        }
    }
    latencies
}

/// Refusals of a sold-out offer.
async fn refused(callers: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = open(directory.path(), &MemoryArchive::default());
    sell(&ledger, 1).await;
    ledger.decide(OFFER, hold(1 << 50)).await.expect("decided");
    let began = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut count = 0;
                while began.elapsed() < seconds() {
                    let outcome = ledger.decide(OFFER, hold((caller << 24) + count)).await.expect("decided");
                    assert!(matches!(outcome, Outcome::Refused(_)));
                    count += 1;
                    if count % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("no panic");
    }
    println!("refused: {:.0} sold-out answers/s", count as f64 / began.elapsed().as_secs_f64());
}

// ---- memory and start

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

async fn fill(ledger: &Arc<SqliteLedger>, count: u64) {
    let mut under_way = FuturesUnordered::new();
    for number in 0..count {
        under_way.push(ledger.decide(OFFER, hold(number)));
        if under_way.len() == 1024 {
            under_way.next().await.expect("some").expect("decided");
        }
    }
    while let Some(answer) = under_way.next().await {
        answer.expect("decided");
    }
}

async fn memory(count: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = open(directory.path(), &MemoryArchive::default());
    sell(&ledger, 1_000_000_000).await;
    // What does not grow with holds (queues, recent entries, caches) is there before.
    fill(&ledger, 100_000).await;
    drop(ledger);
    let ledger = open(directory.path(), &MemoryArchive::default());
    let base = resident();
    println!("memory: {:.1} MiB with {} holds", base as f64 / 1_048_576.0, ledger.holds_in_memory());
    fill(&ledger, count).await;
    let grown = resident() - base;
    let holds = ledger.holds_in_memory() as u64 - 100_000;
    println!("memory: {:.0} bytes per hold over {holds} holds, all included", grown as f64 / holds as f64);
}

async fn start(events: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = open(directory.path(), &MemoryArchive::default());
    sell(&ledger, 1_000_000_000).await;
    fill(&ledger, events).await;
    let size = std::fs::metadata(ledger.journal_path()).expect("there").len();
    println!("start: journal of {} events, {} MiB", events + 1, size >> 20);
    drop(ledger);
    for name in ["making the archive anew", "from the archive"] {
        let began = Instant::now();
        let archive = SqliteArchive::open(directory.path().join("holds.db")).expect("it opens");
        let opened = began.elapsed();
        let options = LedgerOptions::new(directory.path(), Arc::new(SystemClock), archive);
        let ledger = SqliteLedger::open(options).expect("it opens");
        let (opened, all) = (opened.as_secs_f64(), began.elapsed().as_secs_f64());
        println!("start: {name}: {all:.2} s, {opened:.2} s of it for the archive; {} holds", ledger.holds_in_memory());
        drop(ledger);
    }
    let began = Instant::now();
    let verified = firstcome_store::sqlite::ledger::verify_journal(directory.path(), |_| Ok(())).expect("whole");
    println!("start: verifying {} events: {:.2} s", verified.events, began.elapsed().as_secs_f64());
}
