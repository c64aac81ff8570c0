//! Hold, pay and deliver together, under a seed: many buyers, small stock, crashes, lost answers, a slow disk, a provider
//! that is silent. One seed is one history, the same each time; whatever order things can happen in, some seed has it.
//!
//! # What is real
//! - The roles orders, payments and vouchers: their routes, which take every request, and their workers.
//! - The embedded ledger: its lanes, its engine, its journal and witness in files, its start on what a crash left. The
//!   engine is stepped by the [director] instead of by its thread, and dies where the director wants it to: in a batch
//!   before the journal, between journal and witness, before the answer.
//! - The rows: in memory as a rule, because that is quick, and in the SQLite files of the product in
//!   [`both_storages_tell_the_same_history`], which must come to the same in everything.
//!
//! # What is not
//! - Time: the runtime's clock is paused and goes on when nobody can run; the shop's clock jumps and is set back.
//! - The order of things: every call to a port waits at a [gate](gates) before its effect and at another before its
//!   answer; the director opens one at a time. So tasks are never interleaved between two calls, as real threads are.
//! - The disk: files are in memory, and a crash keeps what was written. That a sync is a sync, `powercut` shows.
//! - The [provider], the gateway (who calls is put into the request), accounts and the catalog (its one announcement of
//!   each offer is written by hand), the wake-up of consumers.
//!
//! # What must hold
//! The [checks](check) read the journal, all books and what everyone was told; after every crash what was seen and
//! answered before must be there. `controls` shows that each check notices what it is for.

mod books;
mod charges;
mod check;
mod client;
mod controls;
mod director;
mod faults;
mod gates;
mod lane;
mod life;
mod opening;
mod postman;
mod provider;
mod purchase;
mod shop;
mod storage;
mod story;
mod tally;
mod visit;
mod world;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use firstcome_tests::Random;
use parking_lot::Mutex;

use director::{Ended, Script, play};
use tally::Tally;
use world::Storage;

/// Histories in a run that does not say how many.
const HISTORIES: u64 = 24;
/// Histories that are played at the same moment.
const AT_ONCE: usize = 2;

/// `FIRSTCOME_SIMULATION_SEEDS` says how many histories, `FIRSTCOME_SEED` which one alone.
#[test]
fn histories() {
    let first = Random::seed("FIRSTCOME_SEED");
    let alone = std::env::var_os("FIRSTCOME_SEED").is_some();
    let many = std::env::var("FIRSTCOME_SIMULATION_SEEDS").map_or(HISTORIES, |many| many.parse().expect("a number"));
    let end = first + if alone { 1 } else { many };
    let next = AtomicU64::new(first);
    let all = Mutex::new((Tally::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end) {
                    let ended = play(Script { seed, storage: Storage::Memory, harm: None });
                    let mut all = all.lock();
                    all.0 = all.0.and(ended.tally);
                    all.1.extend(complaint(seed, &ended));
                }
            });
        }
    });
    let (tally, complaints) = all.into_inner();
    assert!(complaints.is_empty(), "{} of the seeds from {first} on:\n{}", complaints.len(), complaints.join("\n"));
    if !alone {
        tally.assert_that_something_happened(first);
    }
}

/// What is wrong with a history; the history itself goes to a file.
fn complaint(seed: u64, ended: &Ended) -> Option<String> {
    if ended.findings.is_empty() {
        return None;
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simulation-{seed}.log"));
    std::fs::write(&file, &ended.log).expect("the history can be written");
    let some: Vec<_> = ended.findings.iter().take(5).collect();
    Some(format!("FIRSTCOME_SEED={seed}, its history is in {}: {some:#?}", file.display()))
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 1..=6 {
        let script = Script { seed, storage: Storage::Memory, harm: None };
        let (first, second) = (play(script), play(script));
        assert!(first.log == second.log, "seed {seed}: {:?}", parting(&first.log, &second.log));
        assert_eq!(first.head, second.head, "seed {seed}");
    }
}

#[test]
fn both_storages_tell_the_same_history() {
    for seed in 1..=6 {
        let ended = |storage| play(Script { seed, storage, harm: None });
        let (memory, files) = (ended(Storage::Memory), ended(Storage::Sqlite));
        assert_eq!(complaint(seed, &files), None);
        assert!(memory.log == files.log, "seed {seed}: {:?}", parting(&memory.log, &files.log));
        assert_eq!(memory.head, files.head, "seed {seed}");
    }
}

/// Where two histories part.
fn parting<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    one.lines().zip(other.lines()).find(|(one, other)| one != other)
}
