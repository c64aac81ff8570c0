//! The rehearsal passes a shop that is right and catches two that are not: a check that has never caught anything proves nothing.

use std::time::Duration;

use tokio::task::LocalSet;

use super::pretended::{self, Flaw};
use crate::storm::arguments::{Format, LoadOptions, Scenario, Target};
use crate::storm::drive::Plan;
use crate::storm::progress::Progress;
use crate::storm::report::Check;
use crate::storm::scenario::rehearsal;
use crate::storm::shop::Shop;

async fn rehearse(flaw: Flaw) -> Vec<Check> {
    let buyers = (0..100).map(|number| format!("buyer-{number}")).collect();
    let target = Target { address: pretended::open(flaw).await, buyers, seller: "seller".to_owned() };
    let options = LoadOptions {
        scenarios: vec![Scenario::Mixed],
        plan: Plan { connections: 16, duration: Duration::from_secs(1), limit: u64::MAX, rate: None },
        rounds: 1,
        buyers: 0,
        stock: 20,
        data: None,
        target: Some(target),
        format: Format::Json,
    };
    let rehearsal = async {
        let shop = Shop::open(&options).await.expect("open");
        let timing =
            rehearsal::Timing { opens_in: Duration::ZERO, hold_seconds: 0, settled_within: Duration::from_secs(1) };
        rehearsal::rehearse(&shop, &options, timing, &Progress::new(false)).await.expect("rehearsed")
    };
    let (run, checks) = LocalSet::new().run_until(rehearsal).await;
    assert_eq!(run.tally.requests, 100);
    checks
}

fn failed(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| !check.holds).map(|check| check.what.as_str()).collect()
}

#[tokio::test]
async fn a_shop_that_is_right_passes() {
    let checks = rehearse(Flaw::None).await;
    assert!(failed(&checks).is_empty(), "{checks:#?}");
}

#[tokio::test]
async fn a_shop_that_oversells_is_caught() {
    let checks = rehearse(Flaw::Oversells).await;
    assert!(failed(&checks).contains(&"nothing is oversold"), "{checks:#?}");
}

#[tokio::test]
async fn a_shop_that_keeps_money_without_delivering_is_caught() {
    let checks = rehearse(Flaw::Forgets).await;
    let failed = failed(&checks);
    assert!(failed.contains(&"every charge that was kept paid one completed order"), "{checks:#?}");
    assert!(failed.contains(&"every confirmed payment has its voucher"), "{checks:#?}");
}
