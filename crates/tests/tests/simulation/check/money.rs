//! Money: each charge is one sale or one refund of the same amount, and each sale that costs something is one charge.

use std::collections::BTreeMap;

use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::payment::RefundState;

use super::Checker;
use crate::simulation::charges::{Charge, has_moved};
use crate::simulation::story::Told;

impl Checker<'_> {
    pub(super) fn money(&mut self) {
        let mut kept: BTreeMap<OrderId, usize> = BTreeMap::new();
        for charge in self.books.charges.iter().filter(|charge| has_moved(charge.payment.status)) {
            let Ok(order) = charge.payment.order_id.parse::<OrderId>() else { continue };
            let hold = self.books.orders.get(&order);
            if charge.payment.balance.amount > 0 {
                *kept.entry(order).or_default() += 1;
            }
            self.charge(charge, hold);
        }
        for (order, times) in kept.iter().filter(|(_, times)| **times > 1) {
            self.report("double_charge", format!("{order} was charged {times} times"));
        }
        for (order, hold) in &self.books.orders {
            if hold.state == HoldState::Sold && hold.total().amount > 0 && !kept.contains_key(order) {
                self.report("delivery_without_charge", format!("{hold:?}"));
            }
        }
        self.as_told();
        self.books_are_closed();
    }

    fn charge(&mut self, charge: &Charge, hold: Option<&Hold>) {
        let payment = &charge.payment;
        let back: i64 = payment.cancels.iter().map(|cancel| cancel.amount).sum();
        if payment.cancels.len() > 1 || back + payment.balance.amount != payment.total.amount {
            self.report("refunded_twice", format!("{payment:?}"));
        }
        if back > 0 && payment.balance.amount > 0 {
            self.report("refunded_in_part", format!("{payment:?}"));
        }
        let sold = hold.filter(|hold| hold.state == HoldState::Sold);
        if payment.balance.amount > 0 && sold.is_none() {
            self.report("charge_without_delivery", format!("{payment:?} for {hold:?}"));
        }
        if sold.is_some_and(|hold| payment.balance.amount > 0 && hold.total() != payment.total) {
            self.report("wrong_amount", format!("{payment:?} for {hold:?}"));
        }
    }

    fn as_told(&mut self) {
        for attempt in self.story.iter().flat_map(|wish| wish.tries.values()) {
            let charge = self.books.charges.iter().find(|charge| charge.payment.payment_key == attempt.card);
            let moved = charge.is_some_and(|charge| has_moved(charge.payment.status));
            let kept = moved && charge.is_some_and(|charge| charge.payment.balance.amount > 0);
            match &attempt.told {
                Told::Ok(_) if !moved => self.report("lost_payment", format!("{attempt:?}: {charge:?}")),
                Told::No(_) if kept => self.report("charged_after_no", format!("{attempt:?}: {charge:?}")),
                _ => {}
            }
        }
    }

    fn books_are_closed(&mut self) {
        for payment in &self.books.payments {
            let charge = self.books.charges.iter().find(|charge| charge.payment.payment_key == payment.payment_key);
            let kept = charge
                .map_or(0, |charge| if has_moved(charge.payment.status) { charge.payment.balance.amount } else { 0 });
            let booked = if payment.state.is_charged() { payment.amount - payment.refunded } else { 0 };
            if payment.state.is_undecided() {
                self.report("unfinished", format!("{payment:?}"));
            } else if booked != kept && payment.state.is_charged() {
                self.report("books_differ", format!("{payment:?}: {charge:?}"));
            }
        }
        for refund in &self.books.refunds {
            match refund.state {
                RefundState::Pending => self.report("unfinished", format!("{refund:?}")),
                RefundState::Quarantined => self.report("stuck_refund", format!("{refund:?}")),
                _ => {}
            }
        }
        for decision in &self.books.decisions {
            match decision.state {
                RefundState::Pending => self.report("unfinished", format!("{decision:?}")),
                RefundState::Quarantined => self.report("stuck_refund", format!("{decision:?}")),
                _ => {}
            }
        }
    }
}
