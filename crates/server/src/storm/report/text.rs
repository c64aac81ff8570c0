//! The result for people.

use std::fmt;

use super::Report;
use super::table::{write_remarks, write_table};
use crate::storm::books::{Books, Start};
use crate::storm::machine::Machine;

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, processor, kernel, file_system } = &self.machine;
        writeln!(out, "{cores} cores, {processor}, Linux {kernel}, data on {file_system}")?;
        if self.debug_build {
            writeln!(out, "A DEBUG BUILD: its figures say nothing; build with --release to measure")?;
        }
        match self.arrivals_per_second {
            Some(rate) => writeln!(out, "open loop, {rate} arrivals a second, at most {} in flight", self.connections)?,
            None => writeln!(out, "closed loop, {} connections, {} rounds", self.connections, self.rounds)?,
        }
        if !self.rows.is_empty() {
            writeln!(out)?;
            write_table(out, &self.rows)?;
        }
        for row in &self.rows {
            write_remarks(out, row)?;
        }
        if let Some(books) = &self.books {
            write_books(out, books)?;
        }
        let (idle, peak) = (mebibytes(self.idle_bytes), mebibytes(self.peak_bytes));
        writeln!(out, "\nshop's memory: idle {idle} (aim 40 MiB), peak {peak}")?;
        for check in &self.checks {
            writeln!(out, "{}  {}: {}", if check.holds { "ok  " } else { "FAIL" }, check.what, check.detail)?;
        }
        if !self.audited && self.stopped.is_none() {
            writeln!(out, "--    firstcome audit: left out; run it on the shop's data")?;
        }
        for folder in &self.kept {
            writeln!(out, "the shop's data is kept in {}; look at it with firstcome audit --data", folder.display())?;
        }
        match &self.stopped {
            Some(why) => writeln!(out, "\nNOT FINISHED: {why}"),
            None => writeln!(out, "\n{}", if self.passed { "PASSED" } else { "FAILED" }),
        }
    }
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
}

fn write_books(out: &mut fmt::Formatter<'_>, books: &Books) -> fmt::Result {
    let Books { orders, persons, offers, canceled, events, fill_seconds, .. } = books;
    let granted = orders - canceled;
    let size = mebibytes(Some(books.journal_bytes));
    writeln!(
        out,
        "\nfull books: {orders} orders of {persons} persons for {offers} offers, all settled: {canceled} held and"
    )?;
    writeln!(out, "  canceled, {granted} goods granted for nothing (so there are no payments and no vouchers);")?;
    writeln!(out, "  a journal of {events} events, {size}, filled in {fill_seconds:.1} s")?;
    let starts = [("first start, catching up", &books.catching_up), ("start again (aim 10 s)", &books.again)];
    for (what, start) in starts.into_iter().filter_map(|(what, start)| Some((what, start.as_ref()?))) {
        write_start(out, what, start)?;
    }
    for ratio in &books.ratios {
        let (scenario, to_floor, per_second) = (ratio.scenario, ratio.to_floor, ratio.per_second);
        writeln!(
            out,
            "  {scenario}, full to empty books: {to_floor:.2} by ratios to the floor, {per_second:.2} by rates (aim 0.95)"
        )?;
    }
    Ok(())
}

fn write_start(out: &mut fmt::Formatter<'_>, what: &str, start: &Start) -> fmt::Result {
    let memory = start.memory.map_or_else(
        || "unknown".to_owned(),
        |memory| format!("{}, peak {}", mebibytes(Some(memory.resident)), mebibytes(Some(memory.peak))),
    );
    let quiet = match start.quiet_seconds {
        Some(seconds) => format!("at rest {seconds:.1} s later"),
        None => "not at rest when patience ended".to_owned(),
    };
    writeln!(out, "  {what}: ready after {:.1} s, {quiet}; memory {memory}", start.ready_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::books::Ratio;
    use crate::storm::report::Check;

    #[test]
    fn a_result_says_what_was_found_and_why_it_ends_there() {
        let start = Start { ready_seconds: 61.5, quiet_seconds: None, memory: None };
        let ratio = Ratio { scenario: "accepted", per_second: 0.9, to_floor: 0.97 };
        let books =
            Books { orders: 10, canceled: 5, catching_up: Some(start), ratios: vec![ratio], ..Books::default() };
        let failed =
            Check { what: "firstcome audit".to_owned(), holds: false, detail: "an order is missing".to_owned() };
        let report = Report {
            machine: Machine::here(None),
            debug_build: false,
            connections: 64,
            arrivals_per_second: None,
            rounds: 3,
            rows: Vec::new(),
            books: Some(books),
            checks: vec![failed],
            audited: true,
            idle_bytes: Some(43 << 20),
            peak_bytes: None,
            kept: vec!["target/storm-x".into()],
            stopped: Some("interrupted".to_owned()),
            passed: false,
        };
        let text = report.to_string();
        for part in [
            "full books: 10 orders",
            "first start, catching up: ready after 61.5 s, not at rest",
            "full to empty books: 0.97 by ratios to the floor, 0.90 by rates (aim 0.95)",
            "idle 43 MiB (aim 40 MiB), peak unknown",
            "FAIL  firstcome audit: an order is missing",
            "kept in target/storm-x",
            "NOT FINISHED: interrupted",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
