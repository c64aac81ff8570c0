//! What a storm came to, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::histogram::Histogram;
use super::machine::Machine;

/// One scenario's figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) requests: u64,
    pub(crate) ok: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) errors: u64,
    pub(crate) error_words: Vec<String>,
    pub(crate) late: u64,
    /// Requests that did what the scenario is about: for `sold-out` the refusals.
    pub(crate) successes: u64,
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    pub(crate) latency: Latencies,
    /// Processor time of the shop per request.
    pub(crate) shop_micros: Option<f64>,
    /// Processor time of the load generator per request.
    pub(crate) generator_micros: f64,
    pub(crate) floor: Option<Floor>,
    pub(crate) note: Option<String>,
}

/// The floor beside a scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) per_second: f64,
    /// The mean of the ratios.
    pub(crate) ratio: f64,
    /// Of each round, to the floors before and after it.
    pub(crate) ratios: Vec<f64>,
    pub(crate) server_micros: f64,
    pub(crate) generator_micros: f64,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latencies {
    pub(crate) p50_micros: f64,
    pub(crate) p95_micros: f64,
    pub(crate) p99_micros: f64,
    pub(crate) max_micros: f64,
}

impl Latencies {
    /// The percentiles of a histogram.
    pub(crate) fn of(histogram: &Histogram) -> Self {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        Self {
            p50_micros: micros(histogram.percentile(50.0)),
            p95_micros: micros(histogram.percentile(95.0)),
            p99_micros: micros(histogram.percentile(99.0)),
            max_micros: micros(histogram.max()),
        }
    }
}

/// One thing that was checked, and whether it holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) holds: bool,
    pub(crate) detail: String,
}

/// The whole result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) connections: usize,
    pub(crate) arrivals_per_second: Option<f64>,
    pub(crate) rounds: u8,
    pub(crate) rows: Vec<Row>,
    pub(crate) checks: Vec<Check>,
    /// Bytes in memory of the shop before anyone came.
    pub(crate) idle_bytes: Option<u64>,
    /// The most that were.
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) passed: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, processor, kernel, file_system } = &self.machine;
        writeln!(out, "{cores} cores, {processor}, Linux {kernel}, data on {file_system}")?;
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
        let mebibytes = |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        writeln!(out, "\nshop's memory: idle {}, peak {}", mebibytes(self.idle_bytes), mebibytes(self.peak_bytes))?;
        for check in &self.checks {
            writeln!(out, "{}  {}: {}", if check.holds { "ok  " } else { "FAIL" }, check.what, check.detail)?;
        }
        writeln!(out, "\n{}", if self.passed { "PASSED" } else { "FAILED" })
    }
}

fn write_table(out: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let head =
        ["scenario", "requests", "ok", "refused", "errors", "per s", "floor/s", "ratio", "p50", "p95", "p99", "max"];
    let mut table = vec![head.map(ToOwned::to_owned)];
    for row in rows {
        let latency = row.latency;
        table.push([
            row.scenario.to_owned(),
            row.requests.to_string(),
            row.ok.to_string(),
            row.refused.values().sum::<u64>().to_string(),
            row.errors.to_string(),
            format!("{:.0}", row.per_second),
            row.floor.as_ref().map_or_else(String::new, |floor| format!("{:.0}", floor.per_second)),
            row.floor.as_ref().map_or_else(String::new, |floor| format!("{:.2}", floor.ratio)),
            duration(latency.p50_micros),
            duration(latency.p95_micros),
            duration(latency.p99_micros),
            duration(latency.max_micros),
        ]);
    }
    for cells in &table {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let width = table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
            let padding = " ".repeat(width - cell.chars().count());
            // Names to the left, figures to the right.
            let _ = if column == 0 { write!(line, "{cell}{padding}") } else { write!(line, "  {padding}{cell}") };
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn write_remarks(out: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    write!(out, "{}: ", row.scenario)?;
    let micros = |micros: Option<f64>| micros.map_or("unknown".to_owned(), |micros| format!("{micros:.1} µs"));
    write!(
        out,
        "processor time per request {} shop, {:.1} µs generator",
        micros(row.shop_micros),
        row.generator_micros
    )?;
    if let Some(floor) = &row.floor {
        let ratios: Vec<String> = floor.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        write!(
            out,
            "; floor {:.1} µs, {:.1} µs; ratios {}",
            floor.server_micros,
            floor.generator_micros,
            ratios.join(" ")
        )?;
    }
    writeln!(out)?;
    for (code, count) in &row.refused {
        writeln!(out, "  refused {count} with {code}")?;
    }
    if row.late > 0 {
        writeln!(out, "  {} times someone had to wait for a connection", row.late)?;
    }
    for words in &row.error_words {
        writeln!(out, "  error: {words}")?;
    }
    if let Some(note) = &row.note {
        writeln!(out, "  note: {note}")?;
    }
    Ok(())
}

/// A duration in the unit that fits.
fn duration(micros: f64) -> String {
    match micros {
        micros if micros < 1_000.0 => format!("{micros:.0} µs"),
        micros if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        micros => format!("{:.1} s", micros / 1e6),
    }
}
