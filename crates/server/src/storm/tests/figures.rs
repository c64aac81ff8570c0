//! The measurements against a shop that is only pretended: they count what it did, and catch one that did something else.

use std::time::Duration;

use tokio::task::LocalSet;

use super::pretended::{self, Flaw};
use crate::storm::StormError;
use crate::storm::arguments::{Format, LoadOptions, Scenario, Target};
use crate::storm::drive::Plan;
use crate::storm::progress::Progress;
use crate::storm::scenario::{self, Round};
use crate::storm::shop::Shop;

const LIMIT: u64 = 200;
const PLAN: Plan = Plan { connections: 8, duration: Duration::from_secs(20), limit: LIMIT, rate: None };

/// One round against a shop with this flaw.
async fn measure(scenario: Scenario, flaw: Flaw, plan: Plan) -> Result<Round, StormError> {
    let buyers = (0..50).map(|number| format!("buyer-{number}")).collect();
    let merchants = vec!["till-1".to_owned(), "till-2".to_owned()];
    let target = Target { address: pretended::open(flaw).await, buyers, seller: "seller".to_owned(), merchants };
    let options = LoadOptions {
        scenarios: vec![scenario],
        plan,
        rounds: 1,
        buyers: 0,
        stock: 0,
        books: None,
        data: None,
        target: Some(target),
        format: Format::Json,
    };
    let round = async {
        let shop = Shop::open(&options, None).await?;
        scenario::round(scenario, &shop, plan, &Progress::new(false)).await
    };
    LocalSet::new().run_until(round).await
}

async fn whole(scenario: Scenario) -> Round {
    let round = measure(scenario, Flaw::None, PLAN).await.expect("measured");
    let tally = &round.run.tally;
    assert_eq!((tally.errors, tally.refused.len()), (0, 0), "{tally:?}");
    assert!(round.checks.iter().all(|check| check.holds), "{:?}", round.checks);
    round
}

async fn fails(scenario: Scenario, flaw: Flaw) -> String {
    let round = measure(scenario, flaw, PLAN).await.expect("measured");
    let check = round.checks.into_iter().find(|check| !check.holds).expect("it is caught");
    check.detail
}

#[tokio::test]
async fn a_campaign_gives_everyone_one_of_each() {
    let round = whole(Scenario::Campaign).await;
    assert_eq!((round.run.tally.ok, round.checks.len()), (LIMIT, 1));
    assert!(round.note.expect("said").starts_with("50 people"));
}

#[tokio::test]
async fn carts_are_checked_out_once_each() {
    assert_eq!(whole(Scenario::Checkout).await.run.tally.ok, 50, "as many as there are people");
}

#[tokio::test]
async fn a_cart_that_is_not_ordered_whole_is_caught() {
    let detail = fails(Scenario::Checkout, Flaw::Halves).await;
    assert!(detail.ends_with("[50, 50, 0]"), "{detail}");
}

#[tokio::test]
async fn tills_take_from_many_cards_and_from_one() {
    for scenario in [Scenario::Redeem, Scenario::RedeemOne] {
        let round = whole(scenario).await;
        assert!(round.checks[0].detail.starts_with("200 won are gone"), "{:?}", round.checks);
    }
}

#[tokio::test]
async fn a_till_that_takes_nothing_is_caught() {
    for scenario in [Scenario::Redeem, Scenario::RedeemOne] {
        assert!(fails(scenario, Flaw::Gives).await.starts_with("0 won are gone"));
    }
}

#[tokio::test]
async fn everyone_has_a_page_of_orders_to_look_at() {
    let round = whole(Scenario::OwnOrders).await;
    assert_eq!(round.run.tally.ok, LIMIT);
    assert!(round.note.expect("said").starts_with("50 buyers; a page has 20 orders"));
}

#[tokio::test]
async fn people_sign_up_beside_the_sale() {
    let plan = Plan { duration: Duration::from_millis(100), ..PLAN };
    let round = measure(Scenario::LogIns, Flaw::None, plan).await.expect("measured");
    assert!(round.run.tally.ok > 0 && round.run.tally.ok <= LIMIT, "the sale: {:?}", round.run.tally);
    let note = round.note.expect("said");
    assert!(note.contains("people signed up and logged in meanwhile") && !note.contains("refused"), "{note}");
}
