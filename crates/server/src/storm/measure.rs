//! A scenario measured several times, each time between two measurements of the floor: the machine's mood changes, and a ratio to a
//! floor of another minute says little.

use std::future::Future;
use std::time::Duration;

use super::StormError;
use super::arguments::{LoadOptions, Scenario};
use super::drive::{Plan, Run};
use super::machine;
use super::progress::Progress;
use super::report::{Check, Latencies, Row};
use super::scenario::rehearsal::{self, Timing};
use super::scenario::{self, Round};
use super::server::Server;
use super::shop::Shop;

/// The floor is steady and needs no more than this.
const FLOOR: Duration = Duration::from_secs(3);

/// Everything a measurement needs.
pub(crate) struct Stage<'a> {
    /// The shop.
    pub(crate) shop: &'a Shop,
    /// The floor.
    pub(crate) floor: &'a Server,
    /// How to drive.
    pub(crate) options: &'a LoadOptions,
    /// Where to show it.
    pub(crate) progress: &'a Progress,
    /// Orders that were put into the books before.
    pub(crate) books: Option<u64>,
}

/// Runs and what they cost.
#[derive(Default)]
struct Measured {
    runs: Vec<Run>,
    server_micros: Option<u64>,
    generator_micros: u64,
}

impl Stage<'_> {
    /// Performs one scenario; adds its row and what was checked.
    pub(crate) async fn perform(
        &self,
        scenario: Scenario,
        rows: &mut Vec<Row>,
        checks: &mut Vec<Check>,
    ) -> Result<(), StormError> {
        if scenario != Scenario::Mixed {
            return self.measure(scenario, rows).await;
        }
        self.rehearse(rows, checks).await
    }

    /// Measures one scenario. Its row is there, and better, after each round.
    async fn measure(&self, scenario: Scenario, rows: &mut Vec<Row>) -> Result<(), StormError> {
        let place = rows.len();
        let rounds = self.options.rounds;
        let (mut shop, mut floor) = (Measured::default(), Measured::default());
        let mut note = None;
        self.measure_floor(&mut floor).await?;
        for number in 1..=rounds {
            self.progress.begin(&format!("{} {number}/{rounds}", scenario.name()));
            let round = async {
                let Round { run, note: said } =
                    scenario::round(scenario, self.shop, self.options.plan, self.progress).await?;
                note = note.take().or(said);
                Ok(run)
            };
            shop.add(self.shop.pid(), round).await?;
            self.measure_floor(&mut floor).await?;
            let mut row = Row { books: self.books, note: note.clone(), ..row(scenario, &shop) };
            compare(&mut row, scenario, &shop, &floor);
            rows.truncate(place);
            rows.push(row);
        }
        Ok(())
    }

    /// Rehearses a sale, once and without a floor: it is about what is right. Its row is there before it is settled.
    async fn rehearse(&self, rows: &mut Vec<Row>, checks: &mut Vec<Check>) -> Result<(), StormError> {
        let mut measured = Measured::default();
        let mut sold = None;
        let sale = async {
            let held = rehearsal::sell(self.shop, self.options, Timing::default(), self.progress).await?;
            let run = held.run.clone();
            sold = Some(held);
            Ok(run)
        };
        measured.add(self.shop.pid(), sale).await?;
        rows.push(row(Scenario::Mixed, &measured));
        if let (Some(sold), Some(row)) = (sold, rows.last_mut()) {
            let (certificate, note) = sold.settle(self.shop).await;
            checks.extend(certificate);
            row.note = Some(note);
        }
        Ok(())
    }

    async fn measure_floor(&self, floor: &mut Measured) -> Result<(), StormError> {
        self.progress.begin("floor");
        let plan = Plan { duration: self.options.plan.duration.min(FLOOR), ..self.options.plan };
        let run = async { Ok(scenario::floor::run(self.floor.address, &self.shop.buyers, plan, self.progress).await) };
        floor.add(self.floor.pid(), run).await
    }
}

impl Measured {
    /// Adds a run against a process.
    async fn add(
        &mut self,
        pid: Option<u32>,
        run: impl Future<Output = Result<Run, StormError>>,
    ) -> Result<(), StormError> {
        let own = || machine::processor_time(std::process::id()).unwrap_or(0);
        let server = || pid.and_then(machine::processor_time);
        let before = (server(), own());
        self.runs.push(run.await?);
        if let (Some(before), Some(after)) = (before.0, server()) {
            *self.server_micros.get_or_insert(0) += after.saturating_sub(before);
        }
        self.generator_micros += own().saturating_sub(before.1);
        Ok(())
    }

    fn per_request(&self, micros: u64) -> f64 {
        let requests: u64 = self.runs.iter().map(|run| run.tally.requests).sum();
        micros as f64 / requests.max(1) as f64
    }
}

fn rate(count: u64, run: &Run) -> f64 {
    count as f64 / run.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// The runs of a scenario put together.
fn row(scenario: Scenario, measured: &Measured) -> Row {
    let mut total = Run::default();
    for run in &measured.runs {
        total.tally.add(&run.tally);
        total.elapsed += run.elapsed;
    }
    let successes = scenario::successes(scenario, &total);
    Row {
        scenario: scenario.name(),
        aim: scenario.aim(),
        books: None,
        successes,
        seconds: total.elapsed.as_secs_f64(),
        per_second: rate(successes, &total),
        latency: Latencies::of(&total.tally.latency),
        shop_micros: measured.server_micros.map(|micros| measured.per_request(micros)),
        generator_micros: measured.per_request(measured.generator_micros),
        requests: total.tally.requests,
        ok: total.tally.ok,
        refused: total.tally.refused,
        errors: total.tally.errors,
        error_words: total.tally.error_words,
        late: total.tally.late,
        floor: None,
        note: None,
    }
}

/// Sets each run against the mean of the two floors around it.
fn compare(row: &mut Row, scenario: Scenario, shop: &Measured, floor: &Measured) {
    let floors: Vec<f64> = floor.runs.iter().map(|run| rate(run.tally.ok, run)).collect();
    let against = |(run, around): (&Run, &[f64])| {
        rate(scenario::successes(scenario, run), run) / f64::midpoint(around[0], around[1]).max(f64::MIN_POSITIVE)
    };
    let ratios: Vec<f64> = shop.runs.iter().zip(floors.windows(2)).map(against).collect();
    row.floor = Some(super::report::Floor {
        per_second: floors.iter().sum::<f64>() / floors.len().max(1) as f64,
        ratio: ratios.iter().sum::<f64>() / ratios.len().max(1) as f64,
        ratios,
        server_micros: floor.server_micros.map_or(0.0, |micros| floor.per_request(micros)),
        generator_micros: floor.per_request(floor.generator_micros),
    });
}
