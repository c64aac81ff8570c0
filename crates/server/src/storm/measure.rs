//! A scenario measured several times, each time between two measurements of the floor: the machine's mood changes, and a ratio to a
//! floor of another minute says little.

use std::time::Duration;

use super::StormError;
use super::arguments::{LoadOptions, Scenario};
use super::drive::{Plan, Run};
use super::meter::{Cost, Meter};
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
    cost: Cost,
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
            return self.measure(scenario, rows, checks).await;
        }
        self.rehearse(rows, checks).await
    }

    /// Measures one scenario. Its row is there, and better, after each round.
    async fn measure(
        &self,
        scenario: Scenario,
        rows: &mut Vec<Row>,
        checks: &mut Vec<Check>,
    ) -> Result<(), StormError> {
        let place = rows.len();
        let rounds = self.options.rounds;
        let (mut shop, mut floor) = (Measured::default(), Measured::default());
        let mut note = None;
        self.measure_floor(scenario, &mut floor).await?;
        for number in 1..=rounds {
            self.progress.begin(&format!("{} {number}/{rounds}", scenario.name()));
            let round = scenario::round(scenario, self.shop, self.options.plan, self.progress).await?;
            shop.add(round.run, round.cost);
            note = round.note.or(note);
            round.checks.into_iter().for_each(|check| add_check(checks, check));
            self.measure_floor(scenario, &mut floor).await?;
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
        let meter = Meter::start(self.shop.pid());
        let sold = rehearsal::sell(self.shop, self.options, Timing::default(), self.progress).await?;
        measured.add(sold.run.clone(), meter.stop());
        let place = rows.len();
        rows.push(row(Scenario::Mixed, &measured));
        let (certificate, note) = sold.settle(self.shop).await;
        checks.extend(certificate);
        rows[place].note = Some(note);
        Ok(())
    }

    /// Measures what a scenario is set against: the floor, or the same sale without what happens beside it.
    async fn measure_floor(&self, scenario: Scenario, floor: &mut Measured) -> Result<(), StormError> {
        if scenario == Scenario::LogIns {
            self.progress.begin("the sale alone");
            let Round { run, cost, .. } =
                scenario::round(Scenario::Accepted, self.shop, self.options.plan, self.progress).await?;
            floor.add(run, cost);
            return Ok(());
        }
        self.progress.begin("floor");
        let plan = Plan { duration: self.options.plan.duration.min(FLOOR), ..self.options.plan };
        let meter = Meter::start(self.floor.pid());
        let run = scenario::floor::run(self.floor.address, &self.shop.buyers, plan, self.progress).await;
        floor.add(run, meter.stop());
        Ok(())
    }
}

/// Adds what was checked; in the place of the same of an earlier round if that held.
fn add_check(checks: &mut Vec<Check>, check: Check) {
    checks.retain(|known| known.what != check.what || !known.holds);
    checks.push(check);
}

impl Measured {
    fn add(&mut self, run: Run, cost: Cost) {
        self.runs.push(run);
        if let Some(server) = cost.server {
            *self.cost.server.get_or_insert(0) += server;
        }
        self.cost.generator += cost.generator;
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
        shop_micros: measured.cost.server.map(|micros| measured.per_request(micros)),
        generator_micros: measured.per_request(measured.cost.generator),
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
        server_micros: floor.cost.server.map_or(0.0, |micros| floor.per_request(micros)),
        generator_micros: floor.per_request(floor.cost.generator),
    });
}
