//! Placing an order over several offers, or with a coupon or a gift card. [`super::lines`] has the steps and what a crash
//! between them leaves; [`super::hold_all`] does them.
//!
//! A refusal is decided anew when the same request comes again, but an aborted order is aborted for ever. So a request
//! has several names, one after the other: the first whose order was not aborted is the one that counts.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, OfferNumber, OrderId, UserId, body_digest};
use firstcome_core::ledger::Hold;
use firstcome_core::product::ProductKind;
use tokio::time::Instant;

use super::Orders;
use super::addresses::ShipTo;
use super::facts::OfferFacts;
use super::hold_all::Came;
use super::keys::End;
use super::place::Finish;
use super::view::OrderView;
use crate::http::{Outcome, Problem};

/// Names that a request has: how often it may be aborted and decided anew. What is foreseen to be refused aborts nothing, so
/// so often others were faster in that very moment. The archive finds the lines of so many orders under one key.
const NAMES: u32 = 64;
/// How long a twin that is being aborted is waited for.
const TWIN: Duration = Duration::from_secs(2);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What a buyer wants.
pub(super) struct Basket {
    pub(super) buyer: UserId,
    pub(super) key: String,
    pub(super) digest: BodyDigest,
    /// Offers and units, each offer once, sorted by number. The first is the order's home: the same for everybody who wants
    /// the same offers, in whichever order they ask for them.
    pub(super) lines: Vec<(OfferFacts, u32)>,
    /// The code of a coupon.
    pub(super) coupon: Option<String>,
    /// The code of a gift card.
    pub(super) gift_card: Option<String>,
    pub(super) ship_to: Option<ShipTo>,
}

/// A name of a request, with the digest that goes with it.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) order: OrderId,
    pub(super) digest: BodyDigest,
}

impl Basket {
    /// These units of these offers, with no coupon and no gift card, sent to the account's address.
    pub(super) fn new(buyer: UserId, key: String, digest: BodyDigest, mut lines: Vec<(OfferFacts, u32)>) -> Self {
        lines.sort_by_key(|(offer, _)| offer.number);
        Self { buyer, key, digest, lines, coupon: None, gift_card: None, ship_to: None }
    }

    pub(super) fn home(&self) -> OfferNumber {
        self.lines.first().map_or(OfferNumber(0), |(offer, _)| offer.number)
    }

    pub(super) fn has_goods(&self) -> bool {
        self.lines.iter().any(|(offer, _)| offer.kind == ProductKind::Goods)
    }

    fn name(&self, number: u32) -> Name {
        let again = || body_digest(&[&self.digest.to_be_bytes()[..], &number.to_be_bytes()].concat());
        let digest = if number == 0 { self.digest } else { again() };
        Name { order: OrderId::of_request(self.buyer, &self.key, digest, self.home()), digest }
    }
}

impl Orders {
    /// Places the order in a task of its own: a buyer who hangs up leaves nothing half done.
    pub(super) async fn place_basket(self: &Arc<Self>, basket: Basket) -> Outcome<OrderView> {
        let orders = Arc::clone(self);
        let placed = tokio::spawn(async move { orders.place_named(&basket).await });
        placed.await.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal)))
    }

    pub(super) async fn place_named(&self, basket: &Basket) -> Outcome<OrderView> {
        for number in 0..NAMES {
            let name = basket.name(number);
            match self.place_as(basket, name).await? {
                Came::Placed(hold) => return self.completed(hold).await,
                Came::Aborted => {}
                Came::Refused(problem) => return Err(problem),
                Came::Unknown(error) => return Err(error.into()),
            }
        }
        let detail = format!("This request was refused {NAMES} times under its key; send it with a new one");
        Err(Problem::new(ErrorCode::WrongState).detail(detail))
    }

    /// The order of a request, if it was placed.
    pub(super) async fn placed(&self, basket: &Basket) -> Outcome<Option<Hold>> {
        for number in 0..NAMES {
            match self.ports.ledger.find(basket.name(number).order).await? {
                Some(hold) if hold.is_aborted() => {}
                found => return Ok(found),
            }
        }
        Ok(None)
    }

    /// What exists is completed. What cannot be now is by the sweeper: the order exists all the same.
    async fn completed(&self, hold: Hold) -> Outcome<OrderView> {
        let completed = self.lines.complete(hold.clone()).await;
        if let Err(error) = &completed {
            tracing::debug!(order = %hold.order, %error, "the order is completed later");
        }
        Ok(self.view(completed.as_ref().unwrap_or(&hold)))
    }

    async fn place_as(&self, basket: &Basket, name: Name) -> Outcome<Came> {
        if let Some(hold) = self.ports.ledger.known(name.order).await? {
            return Ok(if hold.is_aborted() { Came::Aborted } else { Came::Placed(hold) });
        }
        let mut finish = self.claim_beside_twins(basket, name.order).await?;
        let came = self.hold_all(basket, name).await;
        if let Some(finish) = &mut finish {
            finish.end = match &came {
                Came::Placed(_) => End::Granted,
                Came::Aborted | Came::Refused(_) => End::Refused,
                Came::Unknown(_) => End::Unknown,
            };
        }
        Ok(came)
    }

    /// Claims the key. Of a twin that is still busy under another name of this request the end is waited for.
    async fn claim_beside_twins(&self, basket: &Basket, order: OrderId) -> Outcome<Option<Finish<'_>>> {
        let since = Instant::now();
        loop {
            let claimed = self.claim(order);
            let holder = self.keys.holder(order).filter(|holder| *holder != order);
            let is_twin = |holder| (0..NAMES).any(|number| basket.name(number).order == holder);
            match claimed {
                Err(_) if since.elapsed() < TWIN && holder.is_some_and(is_twin) => tokio::time::sleep(LOOK).await,
                claimed => return claimed,
            }
        }
    }
}
