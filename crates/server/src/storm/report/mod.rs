//! What a storm came to, for people and for programs.

mod table;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::books::Books;
use super::histogram::Histogram;
use super::machine::Machine;

/// One scenario's figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    /// What is wanted of it. Nothing fails when it is missed: an aim is for an idle machine and a release build.
    pub(crate) aim: Option<&'static str>,
    /// Orders that were put into the books before.
    pub(crate) books: Option<u64>,
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

impl Row {
    /// The scenario, and whether the books were full.
    fn name(&self) -> String {
        let full = if self.books.is_some() { ", full books" } else { "" };
        format!("{}{full}", self.scenario)
    }
}

/// The whole result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Whether the program is a debug build, whose figures say nothing.
    pub(crate) debug_build: bool,
    pub(crate) connections: usize,
    pub(crate) arrivals_per_second: Option<f64>,
    pub(crate) rounds: u8,
    pub(crate) rows: Vec<Row>,
    /// The full books, if there are any.
    pub(crate) books: Option<Books>,
    pub(crate) checks: Vec<Check>,
    /// Whether the audit was among the checks.
    pub(crate) audited: bool,
    /// Bytes in memory of the shop before anyone came.
    pub(crate) idle_bytes: Option<u64>,
    /// The most that were.
    pub(crate) peak_bytes: Option<u64>,
    /// Data of a shop in which something is wrong: kept, to be looked at.
    pub(crate) kept: Vec<PathBuf>,
    /// Why it did not come to its end.
    pub(crate) stopped: Option<String>,
    pub(crate) passed: bool,
}

impl Report {
    /// Whether nothing was found out.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.checks.is_empty() && self.books.is_none() && self.kept.is_empty()
    }
}
