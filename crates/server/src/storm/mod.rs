//! `firstcome storm`: a sale under load, the figures it gives, and the audit at its end.
//!
//! The shop is a child process, as it would run for real, with its data on a disk. The load comes from one thread with a client of our own
//! that costs as little as possible. Beside the shop stands the floor, a server that does nothing ([`floor`]); figures are ratios to it.

mod arguments;
mod books;
mod child;
mod client;
mod course;
mod drive;
mod floor;
mod histogram;
mod machine;
mod measure;
mod meter;
mod progress;
mod report;
mod scenario;
mod server;
mod shop;
mod tally;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};

use arguments::Format;
pub use arguments::{LoadOptions, StormArguments, StormOptions};
use course::Course;
use progress::Progress;
use report::Report;

use crate::lifecycle::stop_requested;

/// Why a storm could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum StormError {
    /// It was asked for in a way that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A process that it started did not do its part.
    #[error("`firstcome {name}` failed: {why}")]
    Child {
        /// Its arguments.
        name: String,
        /// What it said.
        why: String,
    },
    /// The shop did not do what a storm depends on.
    #[error("{0}")]
    Shop(String),
    /// Files, processes or connections failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Someone pressed Ctrl-C, or sent SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl StormError {
    fn answer(doing: &str, answer: &client::json::Answer) -> Self {
        Self::Shop(format!("{doing}: the shop answered {} {}", answer.status, answer.body))
    }
}

impl From<client::ClientError> for StormError {
    fn from(error: client::ClientError) -> Self {
        Self::Shop(error.to_string())
    }
}

/// How a storm ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The audit agrees and every scenario had successes.
    Passed,
    /// The audit disagrees, or a scenario had no success.
    Failed,
}

/// Runs a storm, prints what it found out also when it does not come to its end, and leaves no process behind. Builds its own runtime:
/// call it outside of one.
pub fn run(options: StormOptions) -> Result<Verdict, StormError> {
    let options = match options {
        StormOptions::FloorServer => {
            floor::serve_until_stdin_ends()?;
            return Ok(Verdict::Passed);
        }
        StormOptions::Load(options) => options,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let progress = Progress::new(options.format == Format::Text);
        let mut course = Course::new(&options, &progress);
        let ended = tokio::select! {
            ended = course.run() => ended,
            () = stop_requested() => Err(StormError::Interrupted),
        };
        progress.end();
        let report = course.end(ended.as_ref().err());
        if ended.is_ok() || !report.is_empty() {
            print(&report, options.format)?;
        }
        ended.map(|()| if report.passed { Verdict::Passed } else { Verdict::Failed })
    })
}

fn print(report: &Report, format: Format) -> io::Result<()> {
    match format {
        Format::Text => write!(io::stdout(), "{report}"),
        Format::Json => {
            serde_json::to_writer_pretty(io::stdout(), report)?;
            writeln!(io::stdout())
        }
    }
}
