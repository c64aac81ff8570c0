//! What a buyer must be or have to order an offer: looked up before any lane is asked. An order that exists is answered
//! all the same.

use std::collections::HashSet;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OfferNumber, OrderId, ProductId, UserId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::ports::{OrderArchive, OrderQuery, PortError};
use firstcome_core::product::Condition;
use tokio::time::Instant;

use super::Orders;
use super::facts::OfferFacts;
use crate::http::{Outcome, Problem};

const DAY: Duration = Duration::from_secs(86_400);
/// Orders of a person looked at together.
const PAGE: usize = 100;
/// How long rows that are not written yet are waited for.
const WRITTEN_WITHIN: Duration = Duration::from_millis(500);
/// How often they are looked for.
const LOOK: Duration = Duration::from_millis(20);

impl Orders {
    /// Refuses whoever does not meet every condition of an offer.
    pub(super) async fn check_conditions(&self, buyer: UserId, offer: &OfferFacts) -> Outcome<()> {
        for condition in offer.conditions() {
            if !self.meets(buyer, *condition).await? {
                return Err(Problem::new(ErrorCode::NotEligible)
                    .detail(explained(*condition))
                    .with("condition", condition)
                    .with("offer_id", offer.offer));
            }
        }
        Ok(())
    }

    /// The same, unless the order exists already.
    pub(super) async fn check_conditions_of_new(
        &self,
        buyer: UserId,
        offer: &OfferFacts,
        order: OrderId,
    ) -> Outcome<()> {
        match self.check_conditions(buyer, offer).await {
            Err(problem) if self.ports.ledger.find(order).await?.is_none() => Err(problem),
            _ => Ok(()),
        }
    }

    async fn meets(&self, buyer: UserId, condition: Condition) -> Outcome<bool> {
        match condition {
            // Nobody registers without.
            Condition::EmailVerified(_) => Ok(self.facts.is_registered(buyer).await?),
            Condition::AccountOlderThanDays(days) => {
                let now = self.ports.clock.now();
                Ok(buyer.created_at().is_some_and(|at| now.since(at) >= DAY * days))
            }
            Condition::OwnsProduct(product) => self.owns(buyer, product).await,
            Condition::IdentityVerified(_) => Ok(self.facts.is_identified(buyer).await?),
        }
    }

    /// Whether the person has bought the product and has some of it still. What was paid in this moment may not be in the
    /// rows yet.
    async fn owns(&self, buyer: UserId, product: ProductId) -> Outcome<bool> {
        let since = Instant::now();
        loop {
            let written = self.ports.archive.head()?.position;
            let is_behind = !self.ports.ledger.entries(written, 1).await?.is_empty();
            let offers = self.facts.offers_of(product);
            let archive = self.ports.archive.clone();
            let found = tokio::task::spawn_blocking(move || owns(&*archive, buyer, &offers)).await;
            let found = found.map_err(|error| PortError::Unavailable(error.to_string()))??;
            if found || !is_behind || since.elapsed() >= WRITTEN_WITHIN {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn owns(archive: &dyn OrderArchive, buyer: UserId, offers: &HashSet<OfferNumber>) -> Result<bool, PortError> {
    let has_units = |hold: &Hold| hold.state == HoldState::Sold && hold.units() > 0;
    let mut after = None;
    loop {
        let query = OrderQuery { person: Some(buyer), after, limit: PAGE, ..OrderQuery::default() };
        let orders = archive.list(&query)?;
        for hold in orders.iter().map(|order| &order.hold) {
            if offers.contains(&hold.order.home()) && has_units(hold) {
                return Ok(true);
            }
            for line in hold.lines_elsewhere().filter(|line| offers.contains(&line.offer.number())) {
                if archive.hold(line.offer.number(), hold.order)?.as_ref().is_some_and(has_units) {
                    return Ok(true);
                }
            }
        }
        match orders.last() {
            Some(last) if orders.len() == PAGE => after = Some(last.place),
            _ => return Ok(false),
        }
    }
}

fn explained(condition: Condition) -> String {
    match condition {
        Condition::EmailVerified(_) => "Only for accounts with a verified e-mail".to_owned(),
        Condition::AccountOlderThanDays(days) => format!("Only for accounts that are {days} days old or older"),
        Condition::OwnsProduct(product) => format!("Only for those who have bought {product}"),
        Condition::IdentityVerified(_) => "Only for accounts of which it is verified whose they are".to_owned(),
    }
}
