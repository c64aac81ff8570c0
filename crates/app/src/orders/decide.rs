//! Deciding about an order that was sold: what is asked is tried against its [books](super::books) until nobody was faster.

use std::collections::{HashMap, HashSet};

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::TakenLine;
use firstcome_core::ids::{OfferId, OfferNumber, RefundId};
use firstcome_core::ledger::Hold;
use firstcome_core::ports::Committed;
use firstcome_core::product::RefundPolicy;
use firstcome_core::time::Time;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Orders;
use super::books::Books;
use super::cancel::wrong_state;
use super::facts::Facts;
use super::policy::{self, Due};
use super::refund::{Refund, Taken};
use super::terms::RefundTerms;
use crate::http::{Outcome, Problem};

/// How often a decision is tried while others are faster.
const TRIES: u32 = 16;
/// Lines that one request may name.
const MAX_LINES: usize = 50;

/// Units of one line of an order.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TakeLine)]
pub(super) struct LineRequest {
    /// The line's offer.
    #[garde(skip)]
    #[schema(value_type = String, example = "ofr_01h455vb4pex5vsknk084sn02q")]
    pub(super) offer_id: OfferId,
    /// Units.
    #[garde(range(min = 1))]
    #[schema(example = 1, minimum = 1)]
    pub(super) quantity: u32,
}

/// Refuses a list of no lines, and one that is too long.
#[expect(clippy::ref_option, reason = "garde calls it with the field")]
pub(super) fn some_lines(lines: &Option<Vec<LineRequest>>, (): &()) -> garde::Result {
    if lines.as_ref().is_none_or(|lines| (1..=MAX_LINES).contains(&lines.len())) {
        return Ok(());
    }
    Err(garde::Error::new(format!("1 to {MAX_LINES} lines can be named")))
}

/// What is to be done about an order.
pub(super) enum Decision {
    /// Nothing: this was decided before.
    Made(Refund),
    /// To send this back.
    New(Refund),
}

impl Orders {
    /// Decides about a refund, once whoever asks at the same moment.
    pub(super) async fn decide(
        &self,
        hold: &Hold,
        decide: impl Fn(&mut Books, Time) -> Outcome<Decision>,
    ) -> Outcome<Refund> {
        self.change(hold, |books, now| {
            Ok(match decide(books, now)? {
                Decision::Made(refund) => refund,
                Decision::New(refund) => {
                    books.decided = Some(refund.clone());
                    refund
                }
            })
        })
        .await
    }

    /// Changes the books of an order.
    pub(super) async fn change<T>(&self, hold: &Hold, change: impl Fn(&mut Books, Time) -> Outcome<T>) -> Outcome<T> {
        for _ in 0..TRIES {
            let mut books = Books::read(&*self.ports.records, hold).await?;
            let now = self.ports.clock.now();
            let made = change(&mut books, now)?;
            if books.decided.is_some() && books.is_full() {
                return Err(wrong_state(hold, "There are too many refunds of it"));
            }
            let unit = books.into_unit(now);
            if unit.is_empty() || self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(made);
            }
        }
        Err(Problem::new(ErrorCode::Overloaded))
    }

    /// A refund of these units by the policies that they were sold under.
    pub(super) fn by_policy(
        &self,
        books: &Books,
        terms: &HashMap<OfferNumber, RefundTerms>,
        refund: RefundId,
        lines: Vec<TakenLine>,
        reason: String,
        now: Time,
    ) -> Outcome<Decision> {
        let percent = |offer| terms.get(&offer).map_or(0, |terms| policy::percent(terms, now, &self.ports.time_zone));
        let policy = policy_of(terms, lines.first().map_or(books.hold.order.home(), |line| line.offer));
        if lines.is_empty() {
            return Err(wrong_state(&books.hold, "All of it was taken back already"));
        }
        if lines.iter().all(|line| percent(line.offer) == 0) {
            let why = match policy {
                RefundPolicy::ByVisitDate => "No money goes back from the day of the visit on",
                _ => "This offer was sold without a right to cancel",
            };
            return Err(wrong_state(&books.hold, why).with("policy", policy));
        }
        let Due { cost, amount, tax_free } = policy::due(books, &lines, percent);
        let taken = Taken { lines, restock: true, cost, tax_free: Some(tax_free), ..Taken::default() };
        Ok(Decision::New(books.refund(refund, taken, amount, policy, reason, now)))
    }

    /// The lines of an order that a request names.
    pub(super) fn lines_of(&self, books: &Books, lines: &[LineRequest]) -> Outcome<Vec<TakenLine>> {
        let mut seen = HashSet::new();
        let wrong = |why: String| Problem::field("lines", why);
        let left = books.lines_left();
        let mut asked: HashMap<OfferNumber, u32> = HashMap::new();
        for LineRequest { offer_id, quantity } in lines {
            let number = offer_id.number();
            let is_known = self.facts.read(number, |facts| facts.offer) == Some(*offer_id);
            let of_order = super::books::sold_lines(&books.hold).iter().any(|line| line.offer == number);
            if !is_known || !of_order {
                return Err(wrong(format!("{offer_id} is not in this order")));
            }
            if !seen.insert(number) {
                return Err(wrong("each offer may stand in one line only".to_owned()));
            }
            let of_line = left.iter().find(|line| line.offer == number).map_or(0, |line| line.quantity);
            if *quantity > of_line {
                return Err(wrong(format!("{of_line} units of {offer_id} are left")).with("left", of_line));
            }
            asked.insert(number, *quantity);
        }
        let taken = left.into_iter().filter_map(|line| Some(TakenLine { quantity: *asked.get(&line.offer)?, ..line }));
        Ok(taken.collect())
    }
}

/// The policy that a line was sold under.
pub(super) fn policy_of(terms: &HashMap<OfferNumber, RefundTerms>, offer: OfferNumber) -> RefundPolicy {
    terms.get(&offer).map_or(RefundPolicy::FullUntilUsed, |terms| terms.policy)
}

impl Books {
    /// Refuses to cancel goods that are not with us any more.
    pub(super) fn has_not_left(&self, lines: &[TakenLine], facts: &Facts) -> Outcome<()> {
        match self.after.shipping.filter(|_| lines.iter().any(|line| facts.is_goods(line.offer))) {
            None => Ok(()),
            Some(shipping) => {
                let why = "The goods have been shipped: they can be sent back when they are delivered";
                Err(wrong_state(&self.hold, why).with("shipping", shipping))
            }
        }
    }
}
