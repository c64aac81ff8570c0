//! `firstcome storm`: a sale under load, the figures it gives, and the audit at its end.
//!
//! The shop is a child process, as it would run for real, with its data on a disk. The load comes from one thread with a client of our own
//! that costs as little as possible. Beside the shop stands the floor, a server that does nothing ([`floor`]); figures are ratios to it.

mod arguments;
mod child;
mod client;
mod drive;
mod floor;
mod histogram;
mod machine;
mod measure;
mod progress;
mod report;
mod scenario;
mod shop;
mod tally;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};

use arguments::{Format, Scenario};
pub use arguments::{LoadOptions, StormArguments, StormOptions};
use child::Server;
use machine::Machine;
use measure::Stage;
use progress::Progress;
use report::{Check, Report};
use shop::Shop;

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
    /// Someone pressed Ctrl-C.
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

/// Runs a storm, prints its result, and leaves no process behind. Builds its own runtime: call it outside of one.
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
        let report = tokio::select! {
            report = load(&options, &progress) => report,
            _ = tokio::signal::ctrl_c() => Err(StormError::Interrupted),
        };
        progress.end();
        let report = report?;
        print(&report, options.format)?;
        Ok(if report.passed { Verdict::Passed } else { Verdict::Failed })
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

/// Opens the shop and the floor, measures, audits, closes.
async fn load(options: &LoadOptions, progress: &Progress) -> Result<Report, StormError> {
    progress.begin("opening the shop");
    progress.keep_moving();
    let floor = Server::start(&["storm", "--floor-server"]).await?;
    let mut shop = Shop::open(options).await?;
    let (mut rows, mut checks) = (Vec::new(), Vec::new());
    let stage = Stage { shop: &shop, floor: &floor, options, progress };
    for scenario in &options.scenarios {
        if *scenario == Scenario::Mixed {
            let (row, certificate) = stage.rehearse().await?;
            rows.push(row);
            checks.extend(certificate);
        } else {
            rows.push(stage.measure(*scenario).await?);
        }
    }
    let peak_bytes = shop.pid().and_then(machine::memory).map(|memory| memory.peak);
    progress.begin("audit");
    checks.push(audit(&shop).await?);
    let machine = Machine::here(shop.data());
    shop.close().await?;
    drop(floor);
    let passed = checks.iter().all(|check| check.holds) && rows.iter().all(|row| row.successes > 0);
    Ok(Report {
        machine,
        connections: options.plan.connections,
        arrivals_per_second: options.plan.rate,
        rounds: options.rounds,
        rows,
        checks,
        idle_bytes: shop.idle,
        peak_bytes,
        passed,
    })
}

/// Has the books read back.
async fn audit(shop: &Shop) -> Result<Check, StormError> {
    let what = "firstcome audit".to_owned();
    let Some(data) = shop.data() else {
        let detail = "not run: name the shop's data folder with --data, or run it there".to_owned();
        return Ok(Check { what, holds: true, detail });
    };
    let output = child::run(&["audit".as_ref(), "--data".as_ref(), data.as_os_str()], None).await?;
    let words = if output.status.success() { output.stdout } else { [output.stdout, output.stderr].concat() };
    let words = String::from_utf8_lossy(&words);
    let detail = if output.status.success() { words.lines().last().unwrap_or_default() } else { words.trim() };
    Ok(Check { what, holds: output.status.success(), detail: detail.to_owned() })
}
