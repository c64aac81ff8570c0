//! What came of the requests of one run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::{Response, text_after};
use super::histogram::Histogram;

/// Kinds of errors that are kept by their words; the rest are only counted.
const ERRORS_KEPT: usize = 5;

/// Counts of one run.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    /// Pieces of work that were begun and ended.
    pub(crate) requests: u64,
    /// Those that succeeded.
    pub(crate) ok: u64,
    /// Those that were refused, by status and code.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Those without an answer, or with one that should not be.
    pub(crate) errors: u64,
    /// The words of some errors.
    pub(crate) error_words: Vec<String>,
    /// Arrivals that had to wait because too many were in flight.
    pub(crate) late: u64,
    /// How long each took.
    pub(crate) latency: Histogram,
}

impl Tally {
    /// Counts a refusal by its code, or by its status when it has none.
    pub(crate) fn refuse(&mut self, response: Response<'_>) {
        if response.status >= 500 && response.status != 503 {
            self.error(&format!("status {}: {}", response.status, String::from_utf8_lossy(response.body)));
            return;
        }
        match text_after(response.body, r#""code":""#) {
            Some(code) => self.refuse_as(code),
            None => self.refuse_as(&response.status.to_string()),
        }
    }

    /// Counts a refusal.
    pub(crate) fn refuse_as(&mut self, code: &str) {
        match self.refused.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.refused.insert(code.to_owned(), 1)),
        }
    }

    /// Counts an error.
    pub(crate) fn error(&mut self, words: &str) {
        self.errors += 1;
        if self.error_words.len() < ERRORS_KEPT && !self.error_words.iter().any(|known| known == words) {
            self.error_words.push(words.to_owned());
        }
    }

    /// Counts that a piece of work has ended.
    pub(crate) fn done(&mut self, took: Duration) {
        self.requests += 1;
        self.latency.record(took);
    }

    /// Refusals with this code.
    pub(crate) fn refused_with(&self, code: &str) -> u64 {
        self.refused.get(code).copied().unwrap_or(0)
    }

    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.ok += other.ok;
        self.errors += other.errors;
        self.late += other.late;
        self.latency.add(&other.latency);
        for (code, count) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
        for words in &other.error_words {
            if self.error_words.len() < ERRORS_KEPT && !self.error_words.contains(words) {
                self.error_words.push(words.clone());
            }
        }
    }
}
