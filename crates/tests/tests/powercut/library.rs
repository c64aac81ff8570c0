//! The library itself: it drops what was not synced, keeps what was, and leaves SQLite with a database that is whole.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use firstcome_tests::Random;
use tempfile::TempDir;

use super::{environment, forget_shared_memory};

/// How a scribe's life ended.
struct Life {
    /// The last number that it said was safe.
    said: i64,
    /// What it said when it died by itself.
    complaint: String,
}

/// Runs a scribe until it has said `until`, then cuts the power; or until it ends by itself.
fn live(file: &Path, how: &str, until: i64, settings: &[(&str, String)]) -> Life {
    let folder = file.parent().expect("a file in a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_scribe"))
        .arg(file)
        .arg(how)
        .envs(environment(folder, settings))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the scribe can be started");
    let mut said = 0;
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok) {
        said = line.parse().expect("a number");
        if said >= until {
            child.kill().expect("the scribe can be killed");
        }
    }
    let output = child.wait_with_output().expect("the scribe ends");
    forget_shared_memory(folder);
    Life { said, complaint: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// How many rows are in the database; it must be whole.
fn rows(file: &Path) -> i64 {
    let database = rusqlite::Connection::open(file).expect("the database can be opened");
    let whole: String = database.query_row("pragma integrity_check", [], |row| row.get(0)).expect("an integrity check");
    assert_eq!(whole, "ok");
    let table = "select count(*) from sqlite_schema where name = 'rows'";
    if database.query_row(table, [], |row| row.get::<_, i64>(0)).expect("a schema") == 0 {
        return 0;
    }
    database.query_row("select count(*) from rows", [], |row| row.get(0)).expect("a count")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn what_was_not_synced_is_gone() {
    let folder = folder();
    let (plain, synced) = (folder.path().join("plain"), folder.path().join("synced"));
    let life = live(&plain, "plain", 500, &[]);
    assert!(life.said >= 500, "{}", life.complaint);
    assert_eq!(fs::read(&plain).expect("its name is kept"), b"");
    let life = live(&synced, "synced", 500, &[]);
    let kept = fs::read_to_string(&synced).expect("the file").lines().count() as i64;
    assert!(kept >= life.said && kept <= life.said + 100, "{kept} lines of {}", life.said);
}

#[test]
fn sqlite_keeps_what_it_synced() {
    let folder = folder();
    let file = folder.path().join("rows.db");
    let mut least = 0;
    for round in 1..=20_i64 {
        let leak = if round % 2 == 0 { "30" } else { "0" };
        let life =
            live(&file, "full", round * 60, &[("POWERCUT_LEAK", leak.into()), ("POWERCUT_SEED", round.to_string())]);
        least = least.max(life.said);
        assert!(rows(&file) >= least, "round {round}: {} of {least} rows; {}", rows(&file), life.complaint);
    }
    assert!(least >= 1_200);
}

#[test]
fn sqlite_survives_a_cut_in_the_middle_of_a_sync() {
    let folder = folder();
    let file = folder.path().join("rows.db");
    let mut random = Random::new(7);
    let mut least = 0;
    for round in 0..40_i64 {
        let cut = (1 + random.below(60)).to_string();
        let life = live(&file, "full", i64::MAX, &[("POWERCUT_CUT", cut), ("POWERCUT_SEED", round.to_string())]);
        least = least.max(life.said);
        assert!(rows(&file) >= least, "round {round}: {} of {least} rows; {}", rows(&file), life.complaint);
    }
    assert!(least >= 100, "only {least} rows were written");
}

/// The negative control: where syncs are left out, or are lies, answered rows are lost, and this is seen.
#[test]
fn sqlite_without_syncs_loses_rows() {
    for (how, lie) in [("off", "0"), ("full", "1")] {
        let folder = folder();
        let file = folder.path().join("rows.db");
        let life = live(&file, how, 200, &[("POWERCUT_LIE", lie.into())]);
        assert!(life.said >= 200, "{}", life.complaint);
        assert!(rows(&file) < life.said, "{how} with lie {lie} lost nothing");
    }
}

#[test]
fn a_sync_that_fails_is_reported_and_forgets() {
    let folder = folder();
    let file = folder.path().join("rows.db");
    let life = live(&file, "full", i64::MAX, &[("POWERCUT_SYNC_FAILS", "30".into())]);
    assert!(life.complaint.contains("disk I/O error"), "{}", life.complaint);
    assert!(life.said > 0 && rows(&file) >= life.said);
}

#[test]
fn a_full_disk_is_reported() {
    let folder = folder();
    let file = folder.path().join("rows.db");
    let life = live(&file, "full", i64::MAX, &[("POWERCUT_FULL", "300000".into())]);
    assert!(life.complaint.contains("database or disk is full"), "{}", life.complaint);
    assert!(life.said > 0 && rows(&file) >= life.said);
}
