//! What the ledger on Kafka does without HTTP:
//! `FIRSTCOME_TEST_KAFKA=host:port cargo bench -p firstcome-store --features cluster --bench cluster_lane`.
//!
//! Prints figures next to the floor that Kafka sets in the same run: one message of a batch's size at a time, acknowledged
//! and read back. Every decision is acknowledged and read back before it is answered. Arguments choose sections by name:
//! `floor`, `one`, `two`, `quiet`, `rebuild`. With `FIRSTCOME_TEST_REDIS=redis://host:port` the ledgers of `two` also take
//! turns.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firstcome_core::ids::{OfferId, OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Command, HoldRequest, Outcome, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{HoldArchive, StockLedger, SystemClock};
use firstcome_core::testkit::MemoryArchive;
use firstcome_core::time::Time;
use firstcome_store::kafka::ledger::Turns;
use firstcome_store::kafka::{KafkaLedger, KafkaLedgerOptions, KafkaOptions};
use firstcome_store::redis::turns::RedisTurns;
use firstcome_store::redis::{Redis, RedisOptions};
use firstcome_store::sqlite::SqliteArchive;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

fn main() {
    let wanted: BTreeSet<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.contains(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        if wants("floor") {
            for size in [64, 20_000] {
                floor(size).await;
            }
        }
        if wants("one") {
            for (callers, each, offers) in [(1, 1, 1), (64, 1, 1), (256, 1, 1), (16, 64, 1), (64, 64, 1), (16, 64, 16)]
            {
                sale(1, callers, each, offers, true, None).await;
            }
        }
        if wants("two") {
            for (callers, each, offers, shared) in
                [(2, 1, 1, true), (256, 1, 1, true), (32, 64, 1, true), (32, 64, 2, false), (32, 64, 16, true)]
            {
                sale(2, callers, each, offers, shared, None).await;
                if let Ok(redis) = std::env::var("FIRSTCOME_TEST_REDIS") {
                    sale(2, callers, each, offers, shared, Some(redis)).await;
                }
            }
        }
        if wants("quiet") {
            quiet().await;
        }
        if wants("rebuild") {
            rebuild(number_from("EVENTS", 1_000_000)).await;
        }
    });
}

fn number_from(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn seconds() -> Duration {
    Duration::from_secs(number_from("SECONDS_EACH", 3))
}

/// A journal of its own.
fn kafka() -> KafkaOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let servers = std::env::var("FIRSTCOME_TEST_KAFKA").expect("FIRSTCOME_TEST_KAFKA names a running Kafka");
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let started = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    KafkaOptions { servers, user: None, prefix: format!("bench-{started}-{number}"), replication: 1, min_in_sync: 1 }
}

// ---- the floor

/// One message at a time, acknowledged and read back.
async fn floor(size: usize) {
    let options = kafka();
    firstcome_store::kafka::topics::ensure(&options, "floor").await.expect("created");
    let topic = options.topic("floor");
    let mut config = options.client();
    config.set("enable.idempotence", "true").set("linger.ms", "0").set("compression.type", "lz4");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
    let mut config = options.client();
    config.set("group.id", &topic).set("fetch.min.bytes", "1").set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(&topic, 0, Offset::Beginning).expect("added");
    consumer.assign(&partitions).expect("assigned");
    let mut latencies = Vec::new();
    let payload: Vec<u8> = (0..size).map(|index| mixed(index as u64) as u8).collect();
    for _ in 0..2_000 {
        let began = Instant::now();
        assert!(producer.send(BaseRecord::<(), _>::to(&topic).payload(&payload)).is_ok(), "appended");
        while consumer.poll(Duration::from_secs(1)).is_none() {}
        latencies.push(began.elapsed().as_micros() as u32);
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!("floor: a message of {size} bytes written and read back: µs p50 {}, p99 {}", at(0.5), at(0.99));
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

fn hold(number: u64) -> Command {
    let (order, person) = (OrderId(bytes(number)), UserId(bytes(number + (1 << 40))));
    Command::Hold(HoldRequest {
        order,
        person,
        quantity: 1,
        unit_price: None,
        digest: mixed(number),
        discount: 0,
        facts: None,
    })
}

async fn sell(ledger: &KafkaLedger, offer: OfferNumber) {
    let terms = Terms {
        offer: OfferId::numbered(Time(0), offer, [0; 6]),
        version: 1,
        initial_stock: 1_000_000_000,
        price: Money::new(50_000, Currency::KRW),
        limit_per_person: Some(2),
        max_per_order: 2,
        opens_at: Time(0),
        closes_at: None,
        hold_for_ms: 3_600_000,
        usable_until: None,
    };
    ledger.decide(offer, Command::SetTerms(terms)).await.expect("decided");
}

async fn open(kafka: &KafkaOptions, directory: &Path, archive: Arc<dyn HoldArchive>) -> Arc<KafkaLedger> {
    open_with(kafka, directory, archive, None).await
}

async fn open_with(
    kafka: &KafkaOptions,
    directory: &Path,
    archive: Arc<dyn HoldArchive>,
    turns: Option<Arc<dyn Turns>>,
) -> Arc<KafkaLedger> {
    let options = KafkaLedgerOptions::new(kafka.clone(), directory, Arc::new(SystemClock), archive);
    let batch = number_from("BATCH", 256) as usize;
    let options = KafkaLedgerOptions { queue: 1 << 20, queue_total: 1 << 20, batch, turns, ..options };
    KafkaLedger::open(options).await.expect("it opens")
}

fn turns(server: &str, prefix: &str, lane: usize) -> Arc<dyn Turns> {
    let options = RedisOptions {
        servers: vec![server.to_owned()],
        cluster: false,
        prefix: prefix.to_owned(),
        patience: Duration::from_millis(100),
    };
    let redis = Redis::new(options).expect("an address");
    Arc::new(RedisTurns::new(redis, format!("lane-{lane}"), Duration::from_millis(50)))
}

// ---- decisions per second

/// So many ledgers on one journal, `callers` tasks with `each` commands under way at any time. With `shared` every caller
/// asks for every offer in turn, else each ledger has offers of its own.
async fn sale(ledgers: usize, callers: u64, each: u64, offers: u32, shared: bool, redis: Option<String>) {
    let kafka = kafka();
    let directories: Vec<_> = (0..ledgers).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let mut opened = Vec::new();
    for (lane, directory) in directories.iter().enumerate() {
        let turns = redis.as_ref().map(|server| turns(server, &kafka.prefix, lane));
        opened.push(open_with(&kafka, directory.path(), Arc::new(MemoryArchive::default()), turns).await);
    }
    for offer in 0..offers {
        sell(&opened[0], OfferNumber(1 + offer)).await;
    }
    for ledger in &opened {
        // An answer about an order that is nowhere is current.
        ledger.find(OrderId(bytes(1 << 55))).await.expect("known");
    }
    let before: Vec<_> = opened.iter().map(|ledger| ledger.work()).collect();
    let (began, cpu) = (Instant::now(), [processor("ledger"), processor("")]);
    let (until, next) = (began + seconds(), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let ledger = caller as usize % ledgers;
            let own = offers / ledgers as u32;
            let mine = if shared { (1, offers) } else { (1 + ledger as u32 * own, own) };
            tokio::spawn(call(opened[ledger].clone(), caller, each, mine, until, next.clone()))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("no panic"));
    }
    let elapsed = began.elapsed().as_secs_f64();
    let [engine, all] = [processor("ledger") - cpu[0], processor("") - cpu[1]];
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let work: Vec<_> = opened.iter().map(|ledger| ledger.work()).collect();
    let sum = |field: fn(&firstcome_store::kafka::ledger::LedgerWork) -> u64| {
        work.iter().zip(&before).map(|(after, before)| field(after) - field(before)).collect::<Vec<_>>()
    };
    let records: u64 = sum(|work| work.records).iter().sum();
    let lost: Vec<_> = opened.iter().map(|ledger| ledger.races_lost()).collect();
    let kind = match (shared, &redis) {
        (true, None) => "shared",
        (true, Some(_)) => "shared (by turns)",
        (false, _) => "own",
    };
    println!(
        "sale: {ledgers} ledgers, {callers:>3} callers x {each:>2}, {offers:>2} {kind} offers: {:>7.0} decisions/s, by ledger {:?}; \
         {records} records of {:.0}, races lost {lost:?}; µs p50 {}, p99 {}, max {}; processor µs per decision: engines {:.2}, all {:.2}",
        latencies.len() as f64 / elapsed,
        sum(|work| work.commands),
        latencies.len() as f64 / records as f64,
        at(0.5),
        at(0.99),
        at(1.0),
        engine * 1e6 / latencies.len() as f64,
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

/// Seconds of processor time that the process has used so far, ended threads included.
fn process_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = stat.rsplit(')').next().expect("a name before").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).expect("a number");
    // User and system time, in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}

/// One caller; returns the microseconds that each command took.
async fn call(
    ledger: Arc<KafkaLedger>,
    caller: u64,
    each: u64,
    (first, offers): (u32, u32),
    until: Instant,
    next: Arc<AtomicU64>,
) -> Vec<u32> {
    let mut latencies = Vec::with_capacity(1 << 14);
    let mut asked = caller;
    let mut ask = || {
        let ledger = &ledger;
        let number = next.fetch_add(1, Ordering::Relaxed);
        asked += 1;
        let offer = OfferNumber(first + (asked % u64::from(offers)) as u32);
        async move {
            let began = Instant::now();
            let outcome = ledger.decide(offer, hold(number)).await.expect("decided");
            assert!(matches!(outcome, Outcome::Held(_)), "{outcome:?}");
            began.elapsed().as_micros() as u32
        }
    };
    let mut under_way = FuturesUnordered::new();
    for _ in 0..each {
        under_way.push(ask());
    }
    while let Some(latency) = under_way.next().await {
        latencies.push(latency);
        if Instant::now() < until {
            under_way.push(ask());
        }
    }
    latencies
}

/// One caller, commands that do nothing: each waits for a barrier.
async fn quiet() {
    let (kafka, directory) = (kafka(), tempfile::tempdir().expect("a directory"));
    let ledger = open(&kafka, directory.path(), Arc::new(MemoryArchive::default())).await;
    sell(&ledger, OfferNumber(1)).await;
    ledger.decide(OfferNumber(1), hold(1)).await.expect("decided");
    let mut latencies = Vec::new();
    for _ in 0..2_000 {
        let began = Instant::now();
        let outcome = ledger.decide(OfferNumber(1), hold(1)).await.expect("decided");
        assert!(matches!(outcome, Outcome::AlreadyHeld(_)));
        latencies.push(began.elapsed().as_micros() as u32);
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!("quiet: an outcome without an event: µs p50 {}, p99 {}", at(0.5), at(0.99));
}

// ---- rebuild

async fn rebuild(events: u64) {
    let (kafka, directory) = (kafka(), tempfile::tempdir().expect("a directory"));
    let ledger = open(&kafka, directory.path(), Arc::new(MemoryArchive::default())).await;
    sell(&ledger, OfferNumber(1)).await;
    let mut under_way = FuturesUnordered::new();
    for number in 0..events {
        under_way.push(ledger.decide(OfferNumber(1), hold(number)));
        if under_way.len() == 2_048 {
            under_way.next().await.expect("some").expect("decided");
        }
    }
    while let Some(answer) = under_way.next().await {
        answer.expect("decided");
    }
    println!("rebuild: a journal of {} events in {} records", events + 1, ledger.work().records);
    drop(under_way);
    drop(ledger);
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["from Kafka alone", "from the copy and the archive"] {
        let (began, cpu) = (Instant::now(), process_time());
        let archive = SqliteArchive::open(directory.path().join("holds.db")).expect("it opens");
        let ledger = open(&kafka, directory.path(), archive).await;
        let (elapsed, cpu) = (began.elapsed().as_secs_f64(), process_time() - cpu);
        println!("rebuild: {name}: {elapsed:.2} s, processor {cpu:.2} s; {} holds", ledger.holds_in_memory());
    }
}
