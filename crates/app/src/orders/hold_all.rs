//! Holding all lines of an order over several offers, or none. [`super::lines`] has the steps.

use firstcome_core::ids::OfferId;
use firstcome_core::ledger::{CardPart, Command, Facts, Hold, HoldRequest, Line, Outcome as LedgerOutcome, Refusal};
use firstcome_core::ports::{LedgerState, PortError};
use futures_util::future::{join_all, try_join_all};

use super::Orders;
use super::basket::{Basket, Name};
use super::coupons::not_applicable;
use super::facts::OfferFacts;
use super::fee::goods_of;
use super::gift_cards::GiftCard;
use super::lines::Aborted;
use super::place::reused;
use super::quote::{self, RefusedLine};
use crate::http::{Outcome, Problem};

/// With fewer units than this left of an offer its last ones may be what several orders want in this moment.
const FEW: u64 = 256;

/// What came of one name of a request.
pub(super) enum Came {
    /// The order exists.
    Placed(Hold),
    /// The order of this name will never exist.
    Aborted,
    /// Nothing is held.
    Refused(Problem),
    /// Nobody knows; the sweeper finds out.
    Unknown(PortError),
}

/// What is asked of the ledger.
struct Asked {
    /// The home.
    offer: OfferId,
    home: HoldRequest,
    /// In the order in which they are prepared, the home's neighbour last.
    others: Vec<(OfferId, HoldRequest)>,
    /// Whether an offer has few units left.
    is_scarce: bool,
    /// A gift card, and what is to be paid with it.
    card: Option<(GiftCard, i64)>,
}

impl Asked {
    /// A part of the order is paid with a gift card, which has prepared it.
    fn pays_with(&mut self, card: &GiftCard, part: CardPart) {
        let (account, order, digest) = (card.account(), self.home.order, self.home.digest);
        self.others.insert(0, (account.id(), account.request(part.amount, order, digest)));
        self.home.facts.get_or_insert_default().by_card = Some(part);
    }
}

impl Orders {
    pub(super) async fn hold_all(&self, basket: &Basket, name: Name) -> Came {
        let mut asked = match self.ask(basket, name).await {
            Ok(asked) => asked,
            Err(problem) => return self.refuse(name, problem).await,
        };
        let has_card = asked.card.is_some();
        if let Some((card, costs)) = asked.card.take() {
            match self.reserve(&card, costs, name).await {
                Ok(Some(part)) => asked.pays_with(&card, part),
                Ok(None) => return Came::Aborted,
                Err(problem) => return self.refuse(name, problem).await,
            }
        }
        let (prepared, came) = sort(&asked.others, self.prepare(&asked).await);
        if let Some(came) = came {
            return if prepared.is_empty() && !has_card && matches!(came, Came::Refused(_)) {
                came
            } else {
                self.undo(&asked, came).await
            };
        }
        let other_lines = prepared.into_iter().rev().collect();
        let facts = Facts { other_lines, ..asked.home.facts.as_deref().cloned().unwrap_or_default() };
        let request = HoldRequest { facts: Some(Box::new(facts)), ..asked.home.clone() };
        let came = match self.ports.ledger.decide(basket.home(), Command::Hold(request)).await {
            Ok(LedgerOutcome::Held(hold) | LedgerOutcome::Granted(hold) | LedgerOutcome::AlreadyHeld(hold)) => {
                return Came::Placed(hold);
            }
            Ok(LedgerOutcome::Refused(refusal)) => Came::Refused(quote::problem(refusal).with("offer_id", asked.offer)),
            Ok(LedgerOutcome::KeyReused) => Came::Refused(reused()),
            // Aborted by somebody else, or its price has changed since it was asked for.
            Ok(_) => Came::Aborted,
            Err(PortError::Overloaded) => Came::Refused(PortError::Overloaded.into()),
            Err(error) => return Came::Unknown(error),
        };
        self.undo(&asked, came).await
    }

    /// Prepares the other lines, all at once. Where there are few units it is one after the other and in the same order for
    /// everybody, up to the first that is refused, and the home comes last: so of two orders that want the same last units
    /// one gets them.
    async fn prepare(&self, asked: &Asked) -> Vec<Result<LedgerOutcome, PortError>> {
        let prepare = |(offer, request): &(OfferId, HoldRequest)| {
            self.ports.ledger.decide(offer.number(), Command::Prepare(request.clone()))
        };
        if !asked.is_scarce {
            return join_all(asked.others.iter().map(prepare)).await;
        }
        let mut answers = Vec::with_capacity(asked.others.len());
        for line in &asked.others {
            let answer = prepare(line).await;
            let is_prepared = matches!(answer, Ok(LedgerOutcome::Held(_) | LedgerOutcome::AlreadyHeld(_)));
            answers.push(answer);
            if !is_prepared {
                break;
            }
        }
        answers
    }

    /// A refusal before any lane was asked: unless the order exists already.
    async fn refuse(&self, name: Name, problem: Problem) -> Came {
        match self.ports.ledger.find(name.order).await {
            Ok(Some(hold)) if hold.is_aborted() => Came::Aborted,
            Ok(Some(hold)) => Came::Placed(hold),
            Ok(None) => Came::Refused(problem),
            Err(error) => Came::Unknown(error),
        }
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
        let wanted = basket.lines.iter().zip(&states);
        let lines: Vec<(OfferId, HoldRequest)> =
            wanted.map(|((offer, quantity), state)| (offer.offer, request(basket, name, *quantity, state))).collect();
        let prices = states.iter().zip(&lines).map(|(state, (_, line))| (state.offer.terms.price, line.quantity));
        let total = quote::sum(prices)?;
        for (offer, _) in &basket.lines {
            self.check_conditions(basket.buyer, offer).await?;
        }
        let address = self.address_for(basket, name.order).await?;
        let (now, mut refused) = (self.ports.clock.now(), Vec::new());
        for (offer, line) in &lines {
            let refusal = self.ports.ledger.would_refuse(offer.number(), line, now).await?;
            refused.extend(refusal.map(|refusal| RefusedLine { offer: *offer, refusal }));
        }
        if let Some(problem) = quote::worst(refused) {
            return Err(problem);
        }
        let mut lines = lines.into_iter();
        let (offer, mut home) =
            lines.next().ok_or_else(|| Problem::field("lines", "an order has at least one line"))?;
        let mut others: Vec<_> = lines.collect();
        let mut facts = self.facts_of(&basket.lines, address).map(|facts| *facts).unwrap_or_default();
        if let Some(code) = &basket.coupon {
            let (coupon, discount) = self.coupon(basket.buyer, code, total).await?;
            home.discount = discount;
            facts.coupon = Some(coupon.voucher);
            let account = coupon.account();
            others.push((account.id(), account.request(1, name.order, name.digest)));
        }
        others.reverse();
        let prices = states.iter().zip(&basket.lines);
        let prices = prices.map(|(state, (offer, quantity))| (offer, state.offer.terms.price, *quantity));
        let fee = self.ports.shop.shipping.of(goods_of(prices, home.discount));
        facts.shipping_fee = (fee > 0).then_some(fee);
        home.facts = Some(Box::new(facts));
        let costs = total.amount - home.discount + fee;
        let card = match basket.gift_card.as_ref().filter(|_| costs > 0) {
            Some(code) => Some((self.gift_card(basket, code, total.currency).await?, costs)),
            None => None,
        };
        let is_scarce = states.iter().any(|state| state.offer.stock.available() < FEW);
        Ok(Asked { offer, home, others, is_scarce, card })
    }

    /// The offer as the ledger knows it; a draft it does not.
    async fn state_of(&self, offer: &OfferFacts) -> Outcome<LedgerState> {
        let state = self.ports.ledger.snapshot(offer.number).await?;
        state.ok_or_else(|| quote::problem(Refusal::UnknownOffer).with("offer_id", offer.offer))
    }
}

/// Units of one offer, at the price that the order is counted with.
fn request(basket: &Basket, name: Name, quantity: u32, state: &LedgerState) -> HoldRequest {
    HoldRequest {
        order: name.order,
        person: basket.buyer,
        quantity,
        unit_price: Some(state.offer.terms.price),
        digest: name.digest,
        discount: 0,
        facts: None,
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
