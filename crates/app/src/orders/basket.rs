//! Placing an order over several offers. [`super::lines`] has the steps and what a crash between them leaves.
//!
//! A refusal is decided anew when the same request comes again, but an aborted order is aborted for ever. So a request
//! has several names, one after the other: the first whose order was not aborted is the one that counts.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, OfferId, OfferNumber, OrderId, UserId, body_digest};
use firstcome_core::ledger::{
    CardPart, Command, Facts, Hold, HoldRequest, HoldState, Line, Outcome as LedgerOutcome, Refusal, ReleaseReason,
};
use firstcome_core::ports::{LedgerState, PortError};
use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;

use super::Orders;
use super::addresses::ShipTo;
use super::coupons::not_applicable;
use super::facts::OfferFacts;
use super::gift_cards::GiftCard;
use super::keys::End;
use super::lines::Aborted;
use super::place::{Finish, reused};
use super::quote::{self, RefusedLine};
use super::view::OrderView;
use crate::http::{Outcome, Problem};

/// Names that a request has: how often it may be aborted and decided anew.
const NAMES: u32 = 16;
/// How long a twin that is being aborted is waited for.
const TWIN: Duration = Duration::from_secs(2);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What a buyer wants.
pub(super) struct Basket {
    pub(super) buyer: UserId,
    pub(super) key: String,
    pub(super) digest: BodyDigest,
    /// Offers and units, each offer once. The first is the order's home.
    pub(super) lines: Vec<(OfferFacts, u32)>,
    /// The code of a coupon.
    pub(super) coupon: Option<String>,
    /// The code of a gift card.
    pub(super) gift_card: Option<String>,
    pub(super) ship_to: Option<ShipTo>,
}

/// A name of a request, with the digest that goes with it.
#[derive(Clone, Copy)]
struct Name {
    order: OrderId,
    digest: BodyDigest,
}

/// What is asked of the ledger.
struct Asked {
    /// The home.
    offer: OfferId,
    home: HoldRequest,
    others: Vec<(OfferId, HoldRequest)>,
    /// A gift card, and what is to be paid with it.
    card: Option<(GiftCard, i64)>,
}

/// What came of one name.
enum Came {
    /// The order exists.
    Placed(Hold),
    /// The order of this name will never exist.
    Aborted,
    /// Nothing is held.
    Refused(Problem),
    /// Nobody knows; the sweeper finds out.
    Unknown(PortError),
}

impl Basket {
    fn home(&self) -> OfferNumber {
        self.lines.first().map_or(OfferNumber(0), |(offer, _)| offer.number)
    }

    fn name(&self, number: u32) -> Name {
        let again = || body_digest(&[&self.digest.to_be_bytes()[..], &number.to_be_bytes()].concat());
        let digest = if number == 0 { self.digest } else { again() };
        Name { order: OrderId::of_request(self.buyer, &self.key, digest, self.home()), digest }
    }

    fn request(&self, name: Name, quantity: u32) -> HoldRequest {
        HoldRequest { order: name.order, person: self.buyer, quantity, digest: name.digest, discount: 0, facts: None }
    }
}

impl Asked {
    /// A part of the order is paid with a gift card, which has prepared it.
    fn pays_with(&mut self, card: &GiftCard, part: CardPart, name: Name) {
        let account = card.account();
        self.others.push((account.id(), account.request(part.amount, name.order, name.digest)));
        self.home.facts.get_or_insert_default().by_card = Some(part);
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
            return Ok(match hold.state {
                HoldState::Held if hold.due().amount < 0 => self.take_apart(&hold).await,
                _ if hold.is_aborted() => Came::Aborted,
                _ => Came::Placed(hold),
            });
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

    async fn hold_all(&self, basket: &Basket, name: Name) -> Came {
        let mut asked = match self.ask(basket, name).await {
            Ok(asked) => asked,
            Err(problem) => return self.refuse(name.order, problem).await,
        };
        if let Some((card, costs)) = asked.card.take() {
            match self.reserve(&card, costs, name.order, name.digest).await {
                Ok(Some(part)) => asked.pays_with(&card, part, name),
                Ok(None) => return Came::Aborted,
                Err(problem) => return self.refuse(name.order, problem).await,
            }
        }
        let prepare = |(offer, request): &(OfferId, HoldRequest)| {
            self.ports.ledger.decide(offer.number(), Command::Prepare(request.clone()))
        };
        let answers = join_all(asked.others.iter().map(prepare)).await;
        let (prepared, came) = sort(&asked.others, answers);
        if let Some(came) = came {
            return if prepared.is_empty() && matches!(came, Came::Refused(_)) {
                came
            } else {
                self.undo(&asked, came).await
            };
        }
        let facts = Facts { other_lines: prepared, ..asked.home.facts.as_deref().cloned().unwrap_or_default() };
        let request = HoldRequest { facts: Some(Box::new(facts)), ..asked.home.clone() };
        let came = match self.ports.ledger.decide(basket.home(), Command::Hold(request)).await {
            Ok(LedgerOutcome::Held(hold)) if hold.due().amount < 0 => return self.take_apart(&hold).await,
            Ok(LedgerOutcome::Held(hold) | LedgerOutcome::Granted(hold) | LedgerOutcome::AlreadyHeld(hold)) => {
                return Came::Placed(hold);
            }
            Ok(LedgerOutcome::Refused(refusal)) => Came::Refused(quote::problem(refusal).with("offer_id", asked.offer)),
            Ok(LedgerOutcome::KeyReused) => Came::Refused(reused()),
            Ok(_) => Came::Aborted,
            Err(PortError::Overloaded) => Came::Refused(PortError::Overloaded.into()),
            Err(error) => return Came::Unknown(error),
        };
        self.undo(&asked, came).await
    }

    /// A refusal before any lane was asked: unless the order exists already.
    async fn refuse(&self, order: OrderId, problem: Problem) -> Came {
        match self.ports.ledger.find(order).await {
            Ok(Some(hold)) if hold.is_aborted() => Came::Aborted,
            Ok(Some(hold)) => Came::Placed(hold),
            Ok(None) => Came::Refused(problem),
            Err(error) => Came::Unknown(error),
        }
    }

    /// An offer became cheaper while its order was placed, and the card would pay more than it costs: it is decided anew.
    /// Until it is taken apart nothing can pay such an order, and its deadline ends it all the same.
    async fn take_apart(&self, hold: &Hold) -> Came {
        let command = Command::Release { order: hold.order, reason: ReleaseReason::Aborted };
        if let Err(error) = self.ports.ledger.decide(hold.order.home(), command).await {
            return Came::Unknown(error);
        }
        self.lines.release_others(hold, ReleaseReason::Aborted).await;
        Came::Aborted
    }

    /// Gives back what was prepared. What cannot be given back now is by the sweeper.
    async fn undo(&self, asked: &Asked, came: Came) -> Came {
        if asked.others.is_empty() {
            return came;
        }
        let HoldRequest { order, person, .. } = asked.home;
        let others = asked.others.iter().map(|(offer, _)| offer.number());
        match self.lines.abort(order, person, others).await {
            Ok(Aborted::Exists(hold)) => Came::Placed(hold),
            Ok(Aborted::Yes) => came,
            Err(error) => {
                tracing::debug!(%order, %error, "an order is aborted later");
                came
            }
        }
    }

    /// What is to be asked of the ledger, unless it is known already that it would refuse.
    async fn ask(&self, basket: &Basket, name: Name) -> Outcome<Asked> {
        let states = try_join_all(basket.lines.iter().map(|(offer, _)| self.state_of(offer))).await?;
        let lines = || basket.lines.iter().zip(&states).map(|((offer, quantity), state)| (offer, *quantity, state));
        let total = quote::sum(lines().map(|(_, quantity, state)| (state.offer.terms.price, quantity)))?;
        for (offer, _) in &basket.lines {
            self.check_conditions(basket.buyer, offer).await?;
        }
        let address = self.address_for(basket, name.order).await?;
        let now = self.ports.clock.now();
        let refused = lines().filter_map(|(offer, quantity, state)| {
            let refusal = quote::refusal(state, &basket.request(name, quantity), now)?;
            Some(RefusedLine { offer: offer.offer, refusal })
        });
        if let Some(problem) = quote::worst(refused.collect()) {
            return Err(problem);
        }
        let mut requests = basket.lines.iter().map(|(offer, quantity)| (offer.offer, basket.request(name, *quantity)));
        let (offer, mut home) = requests.next().ok_or_else(|| Problem::field("lines", "an order has lines"))?;
        let mut others: Vec<_> = requests.collect();
        let mut facts = Facts { address, ..Facts::default() };
        if let Some(code) = &basket.coupon {
            let (coupon, discount) = self.coupon(basket.buyer, code, total).await?;
            home.discount = discount;
            facts.coupon = Some(coupon.voucher);
            let account = coupon.account();
            others.push((account.id(), account.request(1, name.order, name.digest)));
        }
        home.facts = Some(Box::new(facts));
        let costs = total.amount - home.discount;
        let card = match basket.gift_card.as_ref().filter(|_| costs > 0) {
            Some(code) => Some((self.gift_card(basket, code, total.currency).await?, costs)),
            None => None,
        };
        Ok(Asked { offer, home, others, card })
    }

    /// The offer as the ledger knows it; a draft it does not.
    async fn state_of(&self, offer: &OfferFacts) -> Outcome<LedgerState> {
        let state = self.ports.ledger.snapshot(offer.number).await?;
        state.ok_or_else(|| quote::problem(Refusal::UnknownOffer).with("offer_id", offer.offer))
    }
}

/// The lines that are prepared, and what came of the order if that is not all of them.
fn sort(
    others: &[(OfferId, HoldRequest)],
    answers: Vec<Result<LedgerOutcome, PortError>>,
) -> (Vec<Line>, Option<Came>) {
    let (mut lines, mut refused, mut used, mut came) = (Vec::new(), Vec::new(), None, None);
    for ((offer, request), answer) in others.iter().zip(answers) {
        match answer {
            Ok(LedgerOutcome::Held(hold) | LedgerOutcome::AlreadyHeld(hold)) => lines.push(Line {
                offer: *offer,
                quantity: request.quantity,
                unit_price: hold.unit_price,
                seq: Some(hold.granted_seq),
            }),
            // A coupon's: that of a gift card is prepared already.
            Ok(LedgerOutcome::Refused(_)) if offer.number().is_account() => {
                used = Some(not_applicable("used", "It has been used, or is reserved by an order that is not paid"));
            }
            Ok(LedgerOutcome::Refused(refusal)) => refused.push(RefusedLine { offer: *offer, refusal }),
            Ok(LedgerOutcome::KeyReused) => came = Some(Came::Refused(reused())),
            Ok(_) => came = Some(Came::Aborted),
            Err(PortError::Overloaded) => came = came.or(Some(Came::Refused(PortError::Overloaded.into()))),
            Err(error) => came = came.or(Some(Came::Unknown(error))),
        }
    }
    let refused = || quote::worst(refused).or(used).map(Came::Refused);
    (lines, came.or_else(refused))
}
