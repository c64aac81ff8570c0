//! The rehearsal passes a shop that is right and catches those that are not: a check that has never caught anything proves nothing. And
//! it ends, whatever the shop does.

use std::time::Duration;

use tokio::task::LocalSet;

use super::pretended::{self, Flaw};
use crate::storm::arguments::{Format, LoadOptions, Scenario, Target};
use crate::storm::drive::Plan;
use crate::storm::progress::Progress;
use crate::storm::report::Check;
use crate::storm::scenario::rehearsal;
use crate::storm::shop::Shop;

/// Far more than a rehearsal may need that waits for nothing.
const FOR_EVER: Duration = Duration::from_secs(60 * 60);
/// A test that lasts longer waits for what will not come.
const HANGS: Duration = Duration::from_secs(60);

async fn rehearse(flaw: Flaw) -> Vec<Check> {
    rehearse_for(flaw, Duration::from_secs(1)).await
}

async fn rehearse_for(flaw: Flaw, settled_within: Duration) -> Vec<Check> {
    let buyers = (0..100).map(|number| format!("buyer-{number}")).collect();
    let target =
        Target { address: pretended::open(flaw).await, buyers, seller: "seller".to_owned(), merchants: vec![] };
    let options = LoadOptions {
        scenarios: vec![Scenario::Mixed],
        plan: Plan { connections: 16, duration: Duration::from_secs(1), limit: u64::MAX, rate: None },
        rounds: 1,
        buyers: 0,
        stock: 20,
        books: None,
        data: None,
        target: Some(target),
        format: Format::Json,
    };
    let rehearsal = async {
        let shop = Shop::open(&options, None).await.expect("open");
        let timing = rehearsal::Timing {
            opens_in: Duration::ZERO,
            hold_seconds: 0,
            gone_within: Duration::from_secs(30),
            settled_within,
            read_within: Duration::from_secs(1),
        };
        let sold = rehearsal::sell(&shop, &options, timing, &Progress::new(false)).await.expect("opened");
        (sold.run.tally.requests, sold.settle(&shop).await.0)
    };
    let (requests, checks) = tokio::time::timeout(HANGS, LocalSet::new().run_until(rehearsal)).await.expect("it ends");
    assert_eq!(requests, 100);
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

#[tokio::test]
async fn a_unit_that_comes_back_between_two_presses_is_no_fault_and_nothing_is_waited_for() {
    let checks = rehearse_for(Flaw::Wavers, FOR_EVER).await;
    assert!(failed(&checks).is_empty(), "{checks:#?}");
}

#[tokio::test]
async fn a_shop_that_denies_an_order_is_caught_and_not_waited_for() {
    let checks = rehearse_for(Flaw::Denies, FOR_EVER).await;
    assert_eq!(failed(&checks), ["the same key gave the same answer"], "{checks:#?}");
}

#[tokio::test]
async fn what_does_not_come_to_its_end_is_named_with_its_state() {
    let checks = rehearse(Flaw::Dawdles).await;
    let open = checks.iter().find(|check| check.what == "every order has come to its end").expect("made");
    assert!(!open.holds && open.detail.contains("ord_") && open.detail.contains("(PENDING)"), "{checks:#?}");
    assert!(failed(&checks).contains(&"everything came to its end in time"), "{checks:#?}");
}

#[tokio::test]
async fn a_shop_that_falls_silent_does_not_cost_the_report() {
    let checks = rehearse(Flaw::FallsSilent).await;
    let given_up = checks.iter().find(|check| check.what == "everything came to its end in time").expect("made");
    assert!(given_up.detail.contains("the books could not be read back"), "{checks:#?}");
}
