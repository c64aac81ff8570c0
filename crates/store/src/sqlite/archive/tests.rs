//! The archive against one in memory, over histories with restarts, runs of a few rows and many merges.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use firstcome_core::ids::{OfferId, OfferNumber, OrderId, PaymentId, RefundId, UserId};
use firstcome_core::ledger::{Command, HoldRequest, Record, ReleaseReason, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::OrderState;
use firstcome_core::ports::{HoldArchive, JournalEntry, OrderArchive, OrderQuery, PortError, StockLedger};
use firstcome_core::testkit::{MemoryArchive, TestClock};
use firstcome_core::time::Time;

use super::{SqliteArchive, rows_of_archive};
use crate::sqlite::SqliteLedger;
use crate::sqlite::ledger::LedgerOptions;

const PERSONS: u64 = 23;
const OFFERS: u32 = 3;

/// Numbers that look random, always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn person(number: u64) -> UserId {
    UserId::derived(&[&number.to_be_bytes()])
}

fn order(person: UserId, number: u64, offer: OfferNumber) -> OrderId {
    OrderId::of_request(person, &number.to_string(), number << 40, offer)
}

fn options(directory: &Path, clock: &TestClock, archive: Arc<dyn HoldArchive>) -> LedgerOptions {
    LedgerOptions::new(directory, Arc::new(clock.clone()), archive)
}

/// A journal of orders that are held, paid, declined, released, expired, reclaimed and returned; the ids of the orders.
async fn history(directory: &Path, seed: u64, commands: u64) -> (Vec<JournalEntry>, Vec<OrderId>) {
    let clock = TestClock::default();
    let ledger = SqliteLedger::open(options(directory, &clock, Arc::new(MemoryArchive::default()))).expect("it opens");
    let mut numbers = Numbers(seed);
    let mut orders: Vec<OrderId> = Vec::new();
    for offer in (1..=OFFERS).map(OfferNumber) {
        let terms = Terms {
            offer: OfferId::numbered(Time(0), offer, [0; 6]),
            version: 1,
            initial_stock: 1_000_000,
            price: Money::new(if offer.0 == OFFERS { 0 } else { 1_000 }, Currency::KRW),
            limit_per_person: None,
            max_per_order: 5,
            opens_at: Time(0),
            closes_at: None,
            hold_for_ms: 1_000,
            usable_until: None,
        };
        ledger.decide(offer, Command::SetTerms(terms)).await.expect("decided");
    }
    for number in 0..commands {
        let offer = OfferNumber(1 + numbers.below(u64::from(OFFERS)) as u32);
        let known = (!orders.is_empty()).then(|| orders[numbers.below(orders.len() as u64) as usize]);
        let attempt = PaymentId::derived(&[&known.map_or([0; 16], |order| order.0)]);
        let command = match (numbers.below(12), known) {
            (0..=5, _) | (_, None) => {
                let person = person(numbers.below(PERSONS));
                let order = order(person, number, offer);
                orders.push(order);
                let quantity = 1 + numbers.below(5) as u32;
                Command::Hold(HoldRequest {
                    order,
                    person,
                    quantity,
                    unit_price: None,
                    digest: number << 40,
                    discount: 0,
                    facts: None,
                })
            }
            (6, Some(order)) => Command::Release { order, reason: ReleaseReason::Canceled },
            (7, Some(order)) => Command::Reclaim { order, attempt: None },
            (8, Some(order)) => Command::EndPayment { order, attempt },
            (9, Some(order)) => {
                let return_id = RefundId::derived(&[&number.to_be_bytes()]);
                Command::Return { order, return_id, quantity: 1, restock: true }
            }
            (10, Some(order)) => Command::Commit { order, attempt },
            (_, Some(order)) => Command::BeginPayment { order, attempt },
        };
        let home = command.order().map_or(offer, OrderId::home);
        ledger.decide(home, command).await.expect("decided");
        if numbers.below(9) == 0 {
            clock.advance(std::time::Duration::from_millis(400));
        }
    }
    (ledger.entries(0, usize::MAX >> 1).await.expect("readable"), orders)
}

fn same(archive: &SqliteArchive, memory: &MemoryArchive, orders: &[OrderId]) {
    assert_eq!(archive.head().expect("head"), memory.head().expect("head"));
    assert_eq!(archive.offers().expect("offers"), memory.offers().expect("offers"));
    let sorted = |persons: hashbrown::HashMap<OfferNumber, firstcome_core::ledger::Persons>| {
        let mut all: Vec<_> =
            persons.into_iter().flat_map(|(offer, of)| of.into_iter().map(move |one| (offer, one))).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(sorted(archive.persons().expect("persons")), sorted(memory.persons().expect("persons")));
    for offer in (1..=OFFERS).map(OfferNumber) {
        let open = |archive: &dyn HoldArchive| {
            let mut holds = archive.open_holds(offer).expect("open");
            holds.sort_by_key(|hold| hold.granted_seq);
            holds
        };
        assert_eq!(open(archive), open(memory));
    }
    for order in orders {
        let found = memory.hold(order.home(), *order).expect("found");
        assert_eq!(archive.hold(order.home(), *order).expect("found"), found);
        assert!(found.is_none() || archive.may_contain(order.key_hash()));
        let by_key = archive.order_of_key(order.key_hash()).expect("found");
        assert_eq!(by_key, memory.order_of_key(order.key_hash()).expect("found"));
        assert_eq!(archive.hold(OfferNumber(99), *order).expect("found"), None);
    }
}

/// Every page of a list.
fn pages(archive: &SqliteArchive, query: &OrderQuery) -> Vec<OrderId> {
    let mut query = OrderQuery { limit: 7, ..query.clone() };
    let mut all = Vec::new();
    loop {
        let page = archive.list(&query).expect("listed");
        all.extend(page.iter().map(|listed| listed.hold.order));
        match page.last().filter(|_| page.len() == query.limit) {
            Some(last) => query.after = Some(last.place),
            None => return all,
        }
    }
}

#[tokio::test]
async fn it_is_what_the_journal_says_through_restarts_and_merges() {
    let directory = tempfile::tempdir().expect("a directory");
    let (entries, orders) = history(directory.path(), 7, 4_000).await;
    let path = directory.path().join("holds.db");
    let memory = MemoryArchive::default();
    let mut archive = SqliteArchive::open_with(path.clone(), 16).expect("it opens");
    let mut numbers = Numbers(1);
    let mut rest = &entries[..];
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(rest.len().min(1 + numbers.below(20) as usize));
        rest = later;
        archive.apply(batch).expect("applied");
        memory.apply(batch).expect("applied");
        if numbers.below(40) == 0 {
            drop(archive);
            archive = SqliteArchive::open_with(path.clone(), 16).expect("it opens");
            same(&archive, &memory, &orders);
        }
    }
    same(&archive, &memory, &orders);
    let unknown = (0..1_000).map(|number| order(person(1_000), number, OfferNumber(1)));
    assert!(unknown.clone().filter(|order| archive.may_contain(order.key_hash())).count() < 50);
    assert!(unknown.clone().all(|order| archive.hold(OfferNumber(1), order).expect("looked up").is_none()));
    lists(&archive, &memory, &orders);
    let mut rows = 0;
    let (head, offers) =
        rows_of_archive(&path, |number, row| rows += i64::from(row.is_ok_and(|row| row.row == number)))
            .expect("readable");
    assert_eq!(
        (head, offers.len(), rows),
        (archive.head().expect("head"), OFFERS as usize, archive.writer.lock().last_row)
    );
}

/// Lists against all orders in the order of the journal.
fn lists(archive: &SqliteArchive, memory: &MemoryArchive, orders: &[OrderId]) {
    let all = pages(archive, &OrderQuery::default());
    let mut granted: Vec<_> =
        orders.iter().filter(|order| memory.hold(order.home(), **order).expect("found").is_some()).copied().collect();
    granted.reverse();
    assert_eq!(all, granted, "the latest first, however records came together");
    let hold = |order: &OrderId| memory.hold(order.home(), *order).expect("found").expect("granted");
    let filtered = |query: OrderQuery| {
        let wanted = all.iter().filter(|order| {
            let hold = hold(order);
            query.person.is_none_or(|person| hold.person == person)
                && query.offer.is_none_or(|offer| order.home() == offer)
                && query.state.is_none_or(|state| OrderState::of(&hold) == state)
                && query.granted_from.is_none_or(|time| hold.created_at >= time)
                && query.granted_before.is_none_or(|time| hold.created_at < time)
        });
        let wanted: Vec<_> = wanted.copied().collect();
        assert_eq!(pages(archive, &query), wanted, "{query:?}");
        wanted.len()
    };
    let (state, offer) = (Some(OrderState::Completed), Some(OfferNumber(2)));
    let mut found = vec![
        filtered(OrderQuery { state, ..OrderQuery::default() }),
        filtered(OrderQuery { state: Some(OrderState::Paying), ..OrderQuery::default() }),
        filtered(OrderQuery { offer, ..OrderQuery::default() }),
        filtered(OrderQuery { state: Some(OrderState::Pending), offer, ..OrderQuery::default() }),
        filtered(OrderQuery { granted_before: Some(hold(&all[all.len() / 2]).created_at), ..OrderQuery::default() }),
        filtered(OrderQuery { granted_from: Some(hold(&all[all.len() / 2]).created_at), ..OrderQuery::default() }),
        filtered(OrderQuery {
            granted_from: Some(hold(&all[all.len() * 3 / 4]).created_at),
            granted_before: Some(hold(&all[all.len() / 4]).created_at),
            offer,
            ..OrderQuery::default()
        }),
        filtered(OrderQuery { state: Some(OrderState::PartiallyCanceled), ..OrderQuery::default() }),
    ];
    for number in 0..PERSONS {
        let person = Some(person(number));
        found.push(filtered(OrderQuery { person, ..OrderQuery::default() }));
        found.push(filtered(OrderQuery { person, state, ..OrderQuery::default() }));
    }
    assert!(found.iter().all(|count| *count > 0), "a list that finds nothing shows nothing: {found:?}");
    assert_eq!(filtered(OrderQuery { person: Some(person(1_000)), ..OrderQuery::default() }), 0);
}

#[tokio::test]
async fn what_comes_twice_is_taken_once_and_what_does_not_fit_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (entries, orders) = history(directory.path(), 8, 300).await;
    let archive = SqliteArchive::open_with(directory.path().join("holds.db"), 16).expect("it opens");
    let memory = MemoryArchive::default();
    memory.apply(&entries).expect("applied");
    archive.apply(&entries[..100]).expect("applied");
    let gap = archive.apply(&entries[110..120]);
    assert!(matches!(&gap, Err(PortError::Corrupt(reason)) if reason.contains("holds.db")), "{gap:?}");
    assert_eq!(archive.head().expect("head").position, 100);
    archive.apply(&entries[50..200]).expect("applied");
    archive.apply(&entries[50..200]).expect("applied");
    archive.apply(&entries[200..]).expect("applied");
    same(&archive, &memory, &orders);
}

#[tokio::test]
async fn a_change_of_an_order_that_nobody_was_granted_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (entries, _) = history(directory.path(), 9, 10).await;
    let archive = SqliteArchive::open(directory.path().join("holds.db")).expect("it opens");
    archive.apply(&entries).expect("applied");
    let last = entries.iter().rev().find(|entry| entry.record.offer == OfferNumber(1)).expect("there");
    let never = order(person(1), 1_000_000, OfferNumber(1));
    let record = Record {
        first_seq: last.record.last_seq() + 1,
        events: vec![firstcome_core::ledger::Event::Released { order: never, reason: ReleaseReason::Expired }],
        ..(*last.record).clone()
    };
    let entry = JournalEntry { position: entries.len() as i64 + 1, record: Arc::new(record), hash: [0; 32] };
    let refused = archive.apply(&[entry]);
    assert!(matches!(&refused, Err(PortError::Corrupt(reason)) if reason.contains("never granted")), "{refused:?}");
}

#[tokio::test]
async fn a_removed_archive_is_made_again_at_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let (entries, orders) = history(directory.path(), 10, 500).await;
    let memory = MemoryArchive::default();
    memory.apply(&entries).expect("applied");
    let archive = SqliteArchive::open(directory.path().join("holds.db")).expect("it opens");
    archive.apply(&entries[..10]).expect("applied");
    for path in ["holds.db", "other.db"] {
        let archive = SqliteArchive::open(directory.path().join(path)).expect("it opens");
        let ledger =
            SqliteLedger::open(options(directory.path(), &TestClock::default(), archive.clone())).expect("it opens");
        same(&archive, &memory, &orders);
        for order in &orders {
            let there = memory.hold(order.home(), *order).expect("found");
            assert_eq!(ledger.find(*order).await.expect("found"), there);
        }
    }
}

#[tokio::test]
async fn what_is_there_is_found_while_runs_are_written_and_merged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (entries, orders) = history(directory.path(), 11, 3_000).await;
    let archive = SqliteArchive::open_with(directory.path().join("holds.db"), 16).expect("it opens");
    let (early, late) = entries.split_at(entries.len() / 2);
    archive.apply(early).expect("applied");
    let there: Vec<OrderId> =
        orders.iter().filter(|order| archive.hold(order.home(), **order).expect("found").is_some()).copied().collect();
    assert!(there.len() > 300);
    let (done, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for order in &there {
                        let hold = archive.hold(order.home(), *order).expect("readable").expect("still there");
                        let query = OrderQuery { person: Some(hold.person), limit: 3, ..OrderQuery::default() };
                        assert!(!archive.list(&query).expect("listed").is_empty());
                        looks.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for entry in late {
            archive.apply(std::slice::from_ref(entry)).expect("applied");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(looks.into_inner() > there.len());
}

#[tokio::test]
async fn cleared_it_is_as_new() {
    let directory = tempfile::tempdir().expect("a directory");
    let (entries, orders) = history(directory.path(), 5, 400).await;
    let path = directory.path().join("holds.db");
    let archive = SqliteArchive::open_with(path.clone(), 16).expect("it opens");
    let memory = MemoryArchive::default();
    memory.apply(&entries).expect("in memory");
    for _ in 0..2 {
        for chunk in entries.chunks(7) {
            archive.apply(chunk).expect("taken");
        }
        same(&archive, &memory, &orders);
        archive.clear().expect("emptied");
        assert_eq!(archive.head().expect("known"), firstcome_core::ports::ArchiveHead::default());
        assert!(!orders.iter().any(|order| archive.may_contain(order.key_hash())));
        assert_eq!(archive.offers().expect("known"), []);
    }
    drop(archive);
    let archive = SqliteArchive::open_with(path, 16).expect("it opens");
    assert_eq!(archive.persons().expect("known").len(), 0);
    archive.apply(&entries).expect("taken");
    same(&archive, &memory, &orders);
}
