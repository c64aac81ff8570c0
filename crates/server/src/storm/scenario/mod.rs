//! What is done to the shop: one file each.

mod accepted;
mod campaign;
mod checkout;
pub(crate) mod floor;
mod log_ins;
mod orders;
mod own_orders;
mod purchase;
mod redeem;
pub(crate) mod rehearsal;
mod sold_out;
mod visitor;

use super::StormError;
use super::arguments::Scenario;
use super::drive::{Plan, Run};
use super::meter::Cost;
use super::progress::Progress;
use super::report::Check;
use super::shop::Shop;

/// Seconds that holds last while speed is measured: longer than any measurement.
const HOLD: u32 = 86_400;

/// One round of a scenario, and what is to be known about it.
pub(crate) struct Round {
    /// The run.
    pub(crate) run: Run,
    /// What it cost, without what was prepared for it.
    pub(crate) cost: Cost,
    /// What a reader of the figures must know.
    pub(crate) note: Option<String>,
    /// What was found right or wrong after it.
    pub(crate) checks: Vec<Check>,
}

impl Round {
    /// A round of which nothing else is to be said.
    fn new(run: Run, cost: Cost) -> Self {
        Self { run, cost, note: None, checks: Vec::new() }
    }
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
        Scenario::Campaign => campaign::round(shop, plan, progress).await,
        Scenario::Checkout => checkout::round(shop, plan, progress).await,
        Scenario::Redeem => redeem::round(redeem::Cards::Many, shop, plan, progress).await,
        Scenario::RedeemOne => redeem::round(redeem::Cards::One, shop, plan, progress).await,
        Scenario::OwnOrders => own_orders::round(shop, plan, progress).await,
        Scenario::LogIns => log_ins::round(shop, plan, progress).await,
    }
}

/// How many of a run's requests did what the scenario is about.
pub(crate) fn successes(scenario: Scenario, run: &Run) -> u64 {
    match scenario {
        Scenario::SoldOut => run.tally.refused_with("sold_out"),
        _ => run.tally.ok,
    }
}
