//! What buyers are told of what the ledger decided.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Command, HoldRequest};
use firstcome_core::money::{Currency, Money};
use firstcome_core::step::{Step, StepLine};

use super::shop::{BUYER, HOME, Shop};
use crate::consumer::Handler as _;
use crate::orders::steps::consumer;

/// A sale in one event says all that its buyer is told: the ledger is not asked, which here does not know it.
#[tokio::test]
async fn a_sale_that_says_all_is_told_without_the_ledger() {
    let (shop, elsewhere) = (Shop::open([0, 0, 0]).await, Shop::open([0, 0, 0]).await);
    let order = OrderId::of_request(BUYER, "free", 0, HOME);
    let request =
        HoldRequest { order, person: BUYER, quantity: 2, unit_price: None, digest: 0, discount: 0, facts: None };
    shop.decide(HOME, Command::Hold(request)).await;
    let entries = shop.ports.ledger.entries(0, 100).await.expect("the journal");
    let unit = consumer(&elsewhere.ports).handler.handle(&entries).await.expect("told");
    let told = unit.events.iter().map(|event| RoleEvent::parse(&event.kind, &event.data).expect("readable"));
    let told: Vec<RoleEvent> = told.collect();
    let won = |amount| Money::new(amount, Currency::KRW);
    let lines = vec![StepLine { offer: HOME, quantity: 2, unit_price: won(0) }];
    let step = Step::Completed { lines, discount: 0, by_card: 0, total: won(0) };
    assert_eq!(told, [RoleEvent::OrderStep { order, user: BUYER, step }]);
}
