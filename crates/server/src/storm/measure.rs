//! A scenario measured several times, each time between two measurements of the floor: the machine's mood changes, and a ratio to a
//! floor of another minute says little.

use std::time::Duration;

use super::StormError;
use super::arguments::{LoadOptions, Scenario};
use super::child::Server;
use super::drive::{Plan, Run};
use super::machine;
use super::progress::Progress;
use super::report::{Latencies, Row};
use super::scenario::{self, Round};
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
}

impl Stage<'_> {
    /// Measures one scenario.
    pub(crate) async fn measure(&self, scenario: Scenario) -> Result<Row, StormError> {
        let rounds = self.options.rounds;
        let mut floors = vec![self.floor().await];
        let mut runs = Vec::new();
        let mut note = None;
        let (mut shop_time, mut own_time) = (0, 0);
        for number in 1..=rounds {
            self.progress.begin(&format!("{} {number}/{rounds}", scenario.name()));
            let before = (self.shop_time(), own_processor_time());
            let round = scenario::round(scenario, self.shop, self.options.plan, self.progress).await?;
            shop_time += self.shop_time().saturating_sub(before.0);
            own_time += own_processor_time().saturating_sub(before.1);
            note = note.or(round.note);
            runs.push(round);
            floors.push(self.floor().await);
        }
        let requests: u64 = runs.iter().map(|round| round.run.tally.requests).sum();
        let each = |total: u64| total as f64 / requests.max(1) as f64;
        let mut row = row(scenario, &runs, &floors);
        row.shop_micros = self.shop.pid().map(|_| each(shop_time));
        row.generator_micros = each(own_time);
        row.note = note;
        Ok(row)
    }

    /// Measures the floor once, in successes per second.
    async fn floor(&self) -> f64 {
        self.progress.begin("floor");
        let plan = Plan { duration: self.options.plan.duration.min(FLOOR), ..self.options.plan };
        let run = scenario::floor::run(self.floor.address, &self.shop.buyers, plan, self.progress).await;
        per_second(run.tally.ok, &run)
    }

    fn shop_time(&self) -> u64 {
        self.shop.pid().and_then(machine::processor_time).unwrap_or(0)
    }
}

fn own_processor_time() -> u64 {
    machine::processor_time(std::process::id()).unwrap_or(0)
}

fn per_second(count: u64, run: &Run) -> f64 {
    count as f64 / run.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Puts the runs of a scenario and the floors around them together.
fn row(scenario: Scenario, rounds: &[Round], floors: &[f64]) -> Row {
    let mut total = Run::default();
    let mut ratios = Vec::new();
    for (round, around) in rounds.iter().zip(floors.windows(2)) {
        let floor = f64::midpoint(around[0], around[1]);
        ratios.push(per_second(scenario::successes(scenario, &round.run), &round.run) / floor.max(1.0));
        total.tally.add(&round.run.tally);
        total.elapsed += round.run.elapsed;
    }
    let successes = scenario::successes(scenario, &total);
    let tally = &total.tally;
    Row {
        scenario: scenario.name().to_owned(),
        requests: tally.requests,
        ok: tally.ok,
        refused: tally.refused.clone(),
        errors: tally.errors,
        error_words: tally.error_words.clone(),
        late: tally.late,
        successes,
        seconds: total.elapsed.as_secs_f64(),
        per_second: per_second(successes, &total),
        floor_per_second: floors.iter().sum::<f64>() / floors.len() as f64,
        ratio: ratios.iter().sum::<f64>() / ratios.len().max(1) as f64,
        ratios,
        latency: Latencies::of(&tally.latency),
        shop_micros: None,
        generator_micros: 0.0,
        note: None,
    }
}
