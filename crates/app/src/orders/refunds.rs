//! Sending back what a completed order cost, step by step; each step is recorded before the next begins.
//!
//! 1. A refund is written as PENDING together with `refund.requested` (by [`super::cancel`], or here when the provider
//!    took all of the money back by itself).
//! 2. The vouchers role takes back what it delivered: `vouchers.voided`. Or it was just used: `vouchers.in_use`, and the
//!    refund is REFUSED, which `refund.refused` tells.
//! 3. The units go back to the ledger (`Return`, once per refund id), and with the last of them the order's coupon
//!    ([`super::taken_back`]): `order.canceled`; then `refund.approved`.
//! 4. The payments role sends the money back, to the charge and what the charge does not have to the gift card that had paid
//!    the rest: `refund.done`, and only now does the refund look done.
//!
//! A refund takes back all that is left of an order, or some units of it, or nothing but money; of money alone step 4 is all
//! there is. Which may be decided is a matter of the order's [books](super::books). Money that goes back in part at the
//! provider's side is booked by the payments role, decides nothing here, and leaves less to send back ([`super::parts`]).
//!
//! A crash between two steps repeats the later one: every step is safe to repeat.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, TakenLine};
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::ledger::{Command, Hold, HoldState, Outcome as LedgerOutcome};
use firstcome_core::money::Money;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{LoggedEvent, PortError};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{RecordsExt, Stored, Unit};
use firstcome_core::step::Step;

use super::books::Books;
use super::parts::PartBack;
use super::policy::{self, GivenUp};
use super::refund::{CANCELED_BY_PROVIDER, GIVEN_UP, Refund, Taken};
use super::steps::told;
use super::{Ports, taken_back, topic};
use crate::consumer::{Consumer, HandleError, Handler, parse};

/// The name of the consumer that follows the payments' topic.
pub(super) const PAYMENTS_CONSUMER: &str = "orders.payments";

/// The consumer that follows one topic.
pub(super) fn consumer(ports: &Ports, name: &'static str) -> Arc<Consumer<LoggedEvent, Refunds>> {
    let handler = Refunds { ports: ports.clone(), topic: name };
    Arc::new(Consumer::new(topic(ports, name), &ports.records, &ports.clock, handler))
}

/// What goes on with a refund when another role has done its part.
pub(super) struct Refunds {
    ports: Ports,
    topic: &'static str,
}

#[async_trait]
impl Handler<LoggedEvent> for Refunds {
    fn name(&self) -> &'static str {
        if self.topic == firstcome_core::events::topics::VOUCHERS { "orders.vouchers" } else { PAYMENTS_CONSUMER }
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            unit.append(self.one(parse(event)?).await?);
        }
        Ok(unit)
    }
}

impl Refunds {
    async fn one(&self, event: RoleEvent) -> Result<Unit, HandleError> {
        match event {
            RoleEvent::VouchersVoided { refund, .. } => self.approve(refund).await,
            RoleEvent::VouchersInUse { refund, .. } => self.settle(refund, RefundState::Refused, None).await,
            RoleEvent::RefundDone { refund, amount, .. } => self.settle(refund, RefundState::Done, Some(amount)).await,
            RoleEvent::GiftCardGivenUp { refund, order, offer, units, face, percent } => {
                self.given_up(refund, order, GivenUp { offer, units, face, percent }).await
            }
            RoleEvent::CanceledByProvider { refund, order, amount, whole: false, attempt } => {
                self.note(refund, order, amount, attempt).await
            }
            RoleEvent::RefundQuarantined { refund, .. } => self.settle(refund, RefundState::Quarantined, None).await,
            RoleEvent::CanceledByProvider { refund, order, amount, attempt, .. } => {
                self.adopt(refund, order, amount, attempt).await
            }
            _ => Ok(Unit::new()),
        }
    }

    /// A part of the money is back: the delivery stays, and a refund is about the rest. What of the order's tax went back with
    /// it is counted like that of any refund.
    async fn note(
        &self,
        refund: RefundId,
        order: OrderId,
        amount: Money,
        attempt: Option<PaymentId>,
    ) -> Result<Unit, HandleError> {
        let Some(hold) = self.ports.ledger.find(order).await? else { return Ok(Unit::new()) };
        if !is_delivered_for(&hold, attempt)? {
            return Ok(Unit::new());
        }
        Ok(self.noted(Books::read(&*self.ports.records, &hold).await?, refund, amount))
    }

    /// What to write of it.
    fn noted(&self, books: Books, refund: RefundId, amount: Money) -> Unit {
        let (now, tax) = (self.ports.clock.now(), books.tax_of(refund, amount.amount, None));
        let (tax_free, vat) = (Some(tax.tax_free), Some(tax.vat));
        let part = PartBack { refund, order: books.hold.order, amount: amount.amount, at: now, tax_free, vat };
        let told = told(&books.hold, Step::Refunded { amount, to_card: 0 });
        books.touch(now).advance(&part, 1).event(&told, now)
    }

    /// What was delivered is taken back: give the units back, then let the money go.
    async fn approve(&self, refund: RefundId) -> Result<Unit, HandleError> {
        let Some(mut stored) = self.ports.records.load::<Refund>(refund).await? else { return Ok(Unit::new()) };
        if stored.record.state != RefundState::Pending {
            return Ok(Unit::new());
        }
        let (order, now) = (stored.record.order, self.ports.clock.now());
        let mut unit = Unit::new();
        if let Some(hold) = self.ports.ledger.find(order).await? {
            let lines = stored.record.lines(&hold);
            self.take_back(&stored.record, &lines).await?;
            let mut books = Books::read(&*self.ports.records, &hold).await?;
            let whole = taken_back::note(&*self.ports.ledger, &books, refund).await?;
            let told = told(&hold, Step::TakenBack { lines: lines.clone(), whole });
            unit = unit.event(&RoleEvent::OrderCanceled { refund, order, lines, whole }, now).event(&told, now);
            let left = books.left_beside(refund);
            if !stored.record.by_provider && left < stored.record.amount {
                // What this one leaves is for the others. What went back elsewhere went back of the charge.
                stored.record.amount = left.max(stored.record.to_card());
            }
            stored.record = stored.record.counted(&books);
            unit.append(books.decide_waiting(&stored, now));
            // Of two that become less, or are counted, at once, the second looks again.
            unit.append(books.touch(now));
        }
        if stored.record.to_card() == 0 && (stored.record.by_provider || stored.record.amount == 0) {
            stored.record.state = RefundState::Done;
            let told = stored.record.money_is_back();
            return Ok(told.iter().fold(unit, |unit, told| unit.event(told, now)).update(&stored));
        }
        let approved = stored.record.approved();
        Ok(unit.update(&stored).event(&approved, now))
    }

    /// The units of each line come back to its offer, once per refund.
    async fn take_back(&self, refund: &Refund, lines: &[TakenLine]) -> Result<(), HandleError> {
        let restock = refund.taken.as_ref().is_none_or(|taken| taken.0.restock);
        for &TakenLine { offer, quantity, .. } in lines {
            let command = Command::Return { order: refund.order, return_id: refund.refund, quantity, restock };
            match self.ports.ledger.decide(offer, command).await? {
                LedgerOutcome::Returned { .. } => {}
                other => return Err(HandleError::Rejected(format!("the ledger answered {other:?} to a return"))),
            }
        }
        Ok(())
    }

    async fn settle(
        &self,
        refund: RefundId,
        state: RefundState,
        went_back: Option<Money>,
    ) -> Result<Unit, HandleError> {
        let Some(mut stored) = self.ports.records.load::<Refund>(refund).await? else { return Ok(Unit::new()) };
        // What the provider sent back is back, whatever became of asking it or of what was delivered.
        let is_back = stored.record.by_provider && state != RefundState::Done;
        if stored.record.state == RefundState::Done || stored.record.state == state || is_back {
            return Ok(Unit::new());
        }
        stored.record.state = state;
        // Less than was wanted, when a part had gone back before.
        let went_back = went_back.filter(|_| !stored.record.by_provider);
        let to_card = stored.record.to_card();
        let now = self.ports.clock.now();
        let amount = went_back.map_or(stored.record.amount, |money| money.amount + to_card);
        if amount != stored.record.amount {
            stored.record.amount = amount;
            let told = stored.record.money_is_back();
            let unit = self.counted_again(stored).await?;
            return Ok(told.iter().fold(unit, |unit, told| unit.event(told, now)));
        }
        if state != RefundState::Refused {
            let told = stored.record.money_is_back();
            return Ok(told.iter().fold(Unit::new().update(&stored), |unit, told| unit.event(told, now)));
        }
        // Another may take all that is left.
        stored.record.all_of = None;
        let told = stored.record.told(Step::RefundRefused);
        let mut unit = Unit::new().update(&stored).event(&stored.record.was_refused(), now).event(&told, now);
        if let Some(hold) = self.ports.ledger.find(stored.record.order).await? {
            let mut books = Books::read(&*self.ports.records, &hold).await?;
            unit.append(books.decide_waiting(&stored, now));
            unit.append(books.touch(now));
        }
        Ok(unit)
    }

    /// A refund became less than it was: so does its part of the order's tax.
    async fn counted_again(&self, mut stored: Stored<Refund>) -> Result<Unit, HandleError> {
        let Some(hold) = self.ports.ledger.find(stored.record.order).await? else {
            return Ok(Unit::new().update(&stored));
        };
        let books = Books::read(&*self.ports.records, &hold).await?;
        stored.record = stored.record.counted(&books);
        Ok(books.touch(self.ports.clock.now()).update(&stored))
    }

    /// An owner gave up what was left of a gift card: its share of what the card had cost goes back, as money alone.
    async fn given_up(&self, refund: RefundId, order: OrderId, card: GivenUp) -> Result<Unit, HandleError> {
        let hold = self.ports.ledger.find(order).await?;
        let hold = hold.ok_or_else(|| HandleError::Rejected(format!("{order} is unknown")))?;
        let mut books = Books::read(&*self.ports.records, &hold).await?;
        if books.made(refund).is_some() {
            return Ok(Unit::new());
        }
        let (owed, left) = (policy::for_given_up(&hold, card), books.left());
        let (now, amount, reason) = (self.ports.clock.now(), owed.min(left), GIVEN_UP.to_owned());
        // A gift card was sold without VAT.
        let taken = Taken { tax_free: Some(amount), ..Taken::default() };
        let decided = books.refund(refund, taken, amount, RefundPolicy::FullUntilUsed, reason, now);
        if left < owed && books.is_undecided() {
            // A refund that takes the card back, and cannot any more, will be refused: until then its money counts as gone.
            let waiting = decided.waiting_for(owed);
            return Ok(books.touch(now).insert(&waiting));
        }
        if amount < 1 {
            return Ok(Unit::new());
        }
        books.decided = Some(decided);
        Ok(books.into_unit(now))
    }

    /// The provider sent all of the money back by itself, at once or little by little: what was delivered is taken back.
    async fn adopt(
        &self,
        refund: RefundId,
        order: OrderId,
        amount: Money,
        attempt: Option<PaymentId>,
    ) -> Result<Unit, HandleError> {
        let Some(hold) = self.ports.ledger.find(order).await? else {
            return Err(HandleError::Rejected(format!("{order} is unknown")));
        };
        if !is_delivered_for(&hold, attempt)? {
            return Ok(Unit::new());
        }
        let mut books = Books::read(&*self.ports.records, &hold).await?;
        if let Some(begun) = books.begun() {
            if begun.record.state == RefundState::Done && !begun.record.by_provider {
                // It kept a part of the money, which the provider sends back by itself.
                return Ok(self.noted(books, refund, amount));
            }
            return Ok(self.join(books, begun, amount));
        }
        let now = self.ports.clock.now();
        let reason = CANCELED_BY_PROVIDER.to_owned();
        let taken = Taken { lines: books.lines_left(), restock: true, cost: amount.amount, ..Taken::default() };
        // Nothing of the charge is left, and nothing of the delivery: what the card has paid goes back too.
        let to_card = books.card_left();
        let amount = amount.amount.saturating_add(to_card);
        let adopted = books.refund(refund, taken, amount, RefundPolicy::FullUntilUsed, reason, now);
        let to_card = (to_card > 0).then_some(to_card);
        books.decided = Some(Refund { by_provider: true, to_card, ..adopted });
        Ok(books.into_unit(now))
    }

    /// The order was being canceled, or had been refused that, when the last of the money went back: one decision is both, and
    /// about what went back. Its units come back under its name, so once.
    fn join(&self, books: Books, mut begun: Stored<Refund>, went_back: Money) -> Unit {
        let now = self.ports.clock.now();
        let refund = &mut begun.record;
        if refund.by_provider {
            return Unit::new();
        }
        // What it consists of is counted anew.
        refund.amount = went_back.amount.saturating_add(refund.to_card());
        (refund.tax_free, refund.vat) = (None, None);
        if refund.state == RefundState::Refused {
            // Some units may have come back since.
            let taken = Taken { lines: books.lines_left(), restock: true, cost: refund.amount, ..Taken::default() };
            let again = books.refund(refund.refund, taken, refund.amount, refund.policy, refund.reason.clone(), now);
            *refund = Refund { created_at: refund.created_at, ..again };
        }
        refund.by_provider = true;
        refund.state = RefundState::Pending;
        let requested = refund.begins();
        books.touch(now).update(&begun).event(&requested, now)
    }
}

/// Whether the order was delivered for the money of this attempt. Not when another one paid for it, nor when nothing was
/// delivered yet: payments then delivers nothing for it any more, unless it is just about to.
fn is_delivered_for(hold: &Hold, attempt: Option<PaymentId>) -> Result<bool, PortError> {
    let is_its = attempt.is_none_or(|attempt| hold.attempt == attempt);
    match hold.state {
        HoldState::Sold | HoldState::Returned => Ok(is_its),
        HoldState::Paying if is_its => Err(PortError::Unavailable(format!("{} is being paid", hold.order))),
        HoldState::Prepared | HoldState::Held | HoldState::Paying | HoldState::Released => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::{OfferNumber, UserId};
    use firstcome_core::ledger::{Event, Granted};
    use firstcome_core::money::Currency;
    use firstcome_core::time::Time;

    use super::*;

    #[test]
    fn only_what_the_money_paid_for_is_taken_back() {
        let (paid, other) = (PaymentId([1; 16]), PaymentId([2; 16]));
        let user = UserId([3; 16]);
        let granted = Granted {
            order: OrderId::of_request(user, "key", 0, OfferNumber(1)),
            person: user,
            quantity: 1,
            unit_price: Money::new(1_000, Currency::KRW),
            discount: 0,
            digest: 0,
            expires_at: Time(9),
            terms_version: 1,
            facts: None,
        };
        let held = Hold::created_by(&Event::Held(granted), 1, Time(1)).expect("it grants");
        let in_state = |state| Hold { state, attempt: paid, ..held.clone() };
        let sold = in_state(HoldState::Sold);
        assert!(is_delivered_for(&sold, Some(paid)).unwrap());
        assert!(is_delivered_for(&sold, None).unwrap(), "an event of an old version");
        assert!(!is_delivered_for(&sold, Some(other)).unwrap(), "a charge too many, sent back");
        assert!(!is_delivered_for(&in_state(HoldState::Released), Some(paid)).unwrap());
        assert!(!is_delivered_for(&in_state(HoldState::Paying), Some(other)).unwrap());
        let undecided = is_delivered_for(&in_state(HoldState::Paying), Some(paid));
        assert!(undecided.expect_err("not known yet").is_retryable());
    }
}
