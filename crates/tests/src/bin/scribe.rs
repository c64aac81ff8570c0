//! Writes rows, one after the other, and says which of them it believes to be safe: what the power-cut library is tested with.
//!
//! `scribe FILE SYNCHRONOUS` writes rows into a SQLite database in WAL mode with that `synchronous` setting; `scribe FILE plain`
//! writes lines into a file and never syncs; `scribe FILE synced` syncs after each line.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, how] = arguments.as_slice() else { return Err("scribe FILE HOW".into()) };
    match how.as_str() {
        "plain" => lines(path, false),
        "synced" => lines(path, true),
        synchronous => rows(path, synchronous),
    }
}

fn lines(path: &str, syncs: bool) -> Result<(), Box<dyn Error>> {
    let mut file = File::options().create(true).append(true).open(path)?;
    for number in 1_i64.. {
        writeln!(file, "{number:08}")?;
        if syncs {
            file.sync_data()?;
        }
        say(number)?;
    }
    Ok(())
}

fn rows(path: &str, synchronous: &str) -> Result<(), Box<dyn Error>> {
    let database = rusqlite::Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", synchronous)?;
    database.pragma_update(None, "wal_autocheckpoint", 40)?;
    database.execute("create table if not exists rows (number integer primary key, filling text not null)", [])?;
    let last: i64 = database.query_row("select coalesce(max(number), 0) from rows", [], |row| row.get(0))?;
    for number in last + 1.. {
        database.execute("insert into rows values (?1, ?2)", (number, "filling ".repeat(30)))?;
        say(number)?;
    }
    Ok(())
}

/// Told to whoever listens, only now: everything up to here is safe.
fn say(number: i64) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{number}")?;
    out.flush()
}
