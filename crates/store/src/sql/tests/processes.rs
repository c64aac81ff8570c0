//! Several processes on one database, one of which is killed.
//!
//! A process is this program again, with one test and the address of a database.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use firstcome_core::ports::{Committed, Records as _};
use firstcome_core::records::{Query, Record as _};
use firstcome_core::testkit::records::{Number, TABLES};
use secrecy::ExposeSecret as _;

use super::database::{Database, Place, ROLE};
use super::on_both_engines;
use super::outbox::unit;
use crate::outbox::Outbox as _;
use crate::sql::{SqlOptions, SqlRecords};

on_both_engines! { process_commits killed_process_leaves_no_gap }

/// The database that a process is to write, and the first number that it writes.
const DATABASE: &str = "FIRSTCOME_TEST_DATABASE";
const FIRST: &str = "FIRSTCOME_TEST_FIRST";
/// What a process writes before it ends.
const EACH: i64 = 400;

/// Commits one unit after the other and says so. Without an address it does that for itself, on its own database.
async fn process_commits<P: Place>() {
    if let Ok(url) = std::env::var(DATABASE) {
        let first = std::env::var(FIRST).expect("a number").parse().expect("a number");
        return commit_all(SqlOptions::new(url), first).await;
    }
    let database = Database::<P>::new().await;
    commit_all(database.options(), 0).await;
    assert_eq!(database.records().await.last().await.expect("reads"), EACH);
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
async fn commit_all(options: SqlOptions, first: i64) {
    let records = SqlRecords::open(options, ROLE, TABLES).await.expect("opens");
    for number in first..first + EACH {
        assert_eq!(records.commit(unit(number)).await.expect("commits"), Committed::Done);
        println!("committed {number}");
    }
}

/// A process that dies in the middle of its commits holds up nobody, what it had answered is there, and the numbers of
/// events have no gap.
async fn killed_process_leaves_no_gap<P: Place>() {
    let database = Database::<P>::new().await;
    let start = |first: i64| {
        let test = format!("sql::tests::processes::{}::process_commits", P::MODULE);
        let options = database.options();
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args([&test, "--exact", "--nocapture"]).env(DATABASE, options.url.expose_secret());
        command.env(FIRST, first.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("starts")
    };
    let (victim, witness) = (start(0), start(10_000));
    let mut answered = tokio::task::spawn_blocking(move || {
        let witness = std::thread::spawn(move || read(witness, usize::MAX));
        let mut answered = read(victim, 150);
        answered.extend(witness.join().expect("ends"));
        answered
    })
    .await
    .expect("ends");
    assert!(answered.len() >= 150 + EACH as usize, "{} were answered", answered.len());
    let records = database.records().await;
    let mut events = records.after(0, 10_000).await.expect("reads");
    assert!(events.iter().zip(1..).all(|(event, position)| event.position == position));
    let mut rows: Vec<i64> = (records.select(Query::all(Number::TABLE, 10_000)).await.expect("reads").into_iter())
        .map(|row| Number::from_values(row.values).expect("a row").number)
        .collect();
    rows.sort_unstable();
    events.sort_unstable_by_key(|event| event.at);
    assert_eq!(rows, events.iter().map(|event| event.at.0).collect::<Vec<_>>());
    answered.retain(|number| rows.binary_search(number).is_err());
    assert_eq!(answered, [0; 0], "were answered and are not there");
}

/// The numbers that a process says it has committed. After so many it is killed.
fn read(mut process: Child, most: usize) -> Vec<i64> {
    let mut numbers = Vec::new();
    for line in BufReader::new(process.stdout.take().expect("is read")).lines().map_while(Result::ok) {
        numbers.extend(line.rsplit_once("committed ").and_then(|(_, number)| number.parse::<i64>().ok()));
        if numbers.len() == most {
            process.kill().expect("is killed");
        }
    }
    process.wait().expect("has ended");
    numbers
}
