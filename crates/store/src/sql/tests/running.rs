//! Servers that stop, rows that others hold, and too much work.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firstcome_core::ports::{Committed, PortError, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit, Value};
use firstcome_core::testkit::records::{Number, TABLES};
use tokio::task::JoinSet;

use super::database::{Database, Place, ROLE};
use super::on_both_engines;
use super::outbox::unit;
use crate::outbox::Outbox as _;
use crate::sql::SqlRecords;

on_both_engines! { server_may_stop_and_start row_held_by_another_is_an_error_in_time overload_is_refused_at_once refused_connections_are_unavailable }

/// A server of its own, which ends with the value.
struct Server {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl Server {
    fn script(&self, command: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
        let mut run = Command::new(script);
        run.args([command, self.name]).env("FIRSTCOME_SERVERS", self.folder.path());
        let output = run.output().expect("runs");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts it and returns its address.
    fn start<P: Place>() -> (Self, String) {
        let server = Self { folder: tempfile::tempdir().expect("a folder"), name: P::SERVER };
        let exports = server.script("up");
        let line = exports.lines().find_map(|line| line.split_once(&format!("{}=", P::VARIABLE)));
        let url = line.expect("an address").1.trim_matches(['"', '\'']).to_owned();
        (server, url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
        // What matters was said already.
        let _ = Command::new(script).arg("down").env("FIRSTCOME_SERVERS", self.folder.path()).output();
    }
}

async fn retried(records: &SqlRecords, unit: &Unit) -> Committed {
    for _ in 0..600 {
        match records.commit(unit.clone()).await {
            Ok(committed) => return committed,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server did not come back");
}

/// While the server is away every call says so; afterwards everything goes on, and whatever was answered is there.
async fn server_may_stop_and_start<P: Place>() {
    let (server, url) = Server::start::<P>();
    let database = Database::<P>::on(url).await;
    let records = database.records().await;
    for (round, way) in (0..).zip(["stop", "kill"]) {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let (records, stop) = (Arc::clone(&records), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut done = Vec::new();
                let first = round * 10_000_000 + task * 1_000_000;
                for number in first..first + 1_000_000 {
                    match records.commit(unit(number)).await {
                        Ok(committed) => {
                            assert_eq!(committed, Committed::Done);
                            done.push(number);
                        }
                        Err(error) => assert!(error.is_retryable(), "{error:?}"),
                    }
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                }
                done
            });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.script(way);
        stop.store(true, Ordering::SeqCst);
        let answered: Vec<i64> = tasks.join_all().await.into_iter().flatten().collect();
        let refused = records.commit(unit(-1 - round)).await;
        assert!(matches!(refused, Err(PortError::Unavailable(_))), "{refused:?}");
        let refused = records.get(Number::TABLE, Value::Integer(1)).await;
        assert!(matches!(refused, Err(PortError::Unavailable(_))), "{refused:?}");
        server.script("start");
        retried(&records, &unit(-1 - round)).await;
        let keys = answered.iter().map(|number| Value::Integer(*number)).collect();
        let found = records.get_many(Number::TABLE, keys).await.expect("reads");
        assert_eq!(found.len(), answered.len(), "some that were answered are gone after {way}");
        let events = records.after(0, 1_000_000).await.expect("reads");
        assert!(events.iter().zip(1..).all(|(event, position)| event.position == position));
        let rows = records.select(Query::all(Number::TABLE, 1_000_000)).await.expect("reads");
        assert_eq!(rows.len(), events.len());
    }
}

/// A row that another transaction keeps is waited for, but not for ever; then the unit can be committed.
async fn row_held_by_another_is_an_error_in_time<P: Place>() {
    let database = Database::<P>::new().await;
    let mut options = database.options();
    options.timeout = Duration::from_secs(2);
    let records = SqlRecords::open(options, ROLE, TABLES).await.expect("opens");
    let number = Number { number: 1, place: None };
    assert_eq!(records.commit(Unit::new().insert(&number)).await.expect("commits"), Committed::Done);
    let mut session = database.session().await;
    session.plain("BEGIN").await.expect("begins");
    session.plain("UPDATE numbers SET place = 7 WHERE number = 1").await.expect("locks");
    let update = Unit::new().update(&Stored { record: Number { place: Some(2), ..number.clone() }, version: 1 });
    let answer = records.commit(update.clone()).await;
    assert!(matches!(answer, Err(PortError::Unavailable(_))), "{answer:?}");
    assert!(records.load::<Number>(1_i64).await.expect("reads").is_some_and(|stored| stored.record.place.is_none()));
    session.plain("ROLLBACK").await.expect("lets go");
    assert_eq!(retried(&records, &update).await, Committed::Done);
}

/// More than fits in the queue is refused at once, and nothing of it happens.
async fn overload_is_refused_at_once<P: Place>() {
    let database = Database::<P>::new().await;
    let mut options = database.options();
    options.writers = 1;
    let records = SqlRecords::open(options, ROLE, TABLES).await.expect("opens");
    let mut session = database.session().await;
    session.plain("BEGIN").await.expect("begins");
    session.plain("UPDATE positions SET version = version WHERE consumer = '#outbox'").await.expect("locks");
    let mut tasks = JoinSet::new();
    let mut commit = |unit: Unit| {
        let records = Arc::clone(&records);
        tasks.spawn(async move { records.commit(unit).await })
    };
    commit(unit(-1));
    for task in 0..5 {
        let numbers = task * 20_000..(task + 1) * 20_000;
        commit(numbers.fold(Unit::new(), |unit, number| unit.insert(&Number { number, place: None })));
    }
    let first = tasks.join_next().await.expect("a task").expect("ends");
    assert!(matches!(first, Err(PortError::Overloaded)), "{first:?}");
    session.plain("ROLLBACK").await.expect("lets go");
    let (mut done, mut refused) = (0, 1);
    for answer in tasks.join_all().await {
        match answer {
            Ok(Committed::Done) => done += 1,
            Err(PortError::Overloaded) => refused += 1,
            answer => panic!("{answer:?}"),
        }
    }
    assert!(done + refused == 6 && done >= 3, "{done} done, {refused} refused");
    let rows = records.select(Query::all(Number::TABLE, 1_000_000)).await.expect("reads");
    assert_eq!(rows.len(), (done - 1) * 20_000 + 1);
}

/// A server that is not there, or does not know us, is an error that names it and not the password.
async fn refused_connections_are_unavailable<P: Place>() {
    let database = Database::<P>::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("a port").port();
    drop(free);
    let kind = if P::SERVER == "mariadb" { "mysql" } else { "postgres" };
    let mut options = database.options();
    options.url = format!("{kind}://nobody:pa55word@127.0.0.1:{port}/nothing").into();
    let refusal = SqlRecords::open(options, ROLE, TABLES).await.map(drop).expect_err("is not there");
    assert!(matches!(&refusal, PortError::Unavailable(reason) if reason.contains(&port.to_string())), "{refusal:?}");
    assert!(!refusal.to_string().contains("pa55word"));
}
