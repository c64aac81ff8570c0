//! What is done to the shop: one file each.

mod accepted;
pub(crate) mod floor;
mod orders;
mod purchase;
pub(crate) mod rehearsal;
mod sold_out;

use super::StormError;
use super::arguments::Scenario;
use super::drive::{Plan, Run};
use super::progress::Progress;
use super::shop::Shop;

/// Seconds that holds last while speed is measured: longer than any measurement.
const HOLD: u32 = 86_400;

/// One round of a scenario, and what is to be known about it.
pub(crate) struct Round {
    /// The run.
    pub(crate) run: Run,
    /// What a reader of the figures must know.
    pub(crate) note: Option<String>,
}

/// Measures one round.
pub(crate) async fn round(
    scenario: Scenario,
    shop: &Shop,
    plan: Plan,
    progress: &Progress,
) -> Result<Round, StormError> {
    match scenario {
        Scenario::Accepted => accepted::round(shop, plan, progress).await,
        Scenario::SoldOut => sold_out::round(shop, plan, progress).await,
        Scenario::Purchase | Scenario::Mixed => purchase::round(shop, plan, progress).await,
    }
}

/// How many of a run's requests did what the scenario is about.
pub(crate) fn successes(scenario: Scenario, run: &Run) -> u64 {
    match scenario {
        Scenario::SoldOut => run.tally.refused_with("sold_out"),
        _ => run.tally.ok,
    }
}
