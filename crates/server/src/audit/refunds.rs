//! Refunds: what the orders role decided, what payments did about it, and the units that came back must be one story.

use std::collections::{HashMap, HashSet};

use firstcome_app::orders;
use firstcome_app::payments::{Origin, Refund};
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::ledger::Hold;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{PortError, Records};

use super::books::every;
use super::journal::Journal;
use super::report::Report;

/// What was decided to be taken back.
#[derive(Default)]
pub(super) struct Decided {
    refunds: HashMap<RefundId, orders::Refund>,
    by_order: HashMap<OrderId, Vec<RefundId>>,
}

/// A refund as payments has it.
struct Sent {
    amount: i64,
    to_card: i64,
    state: RefundState,
    origin: Origin,
}

impl Decided {
    pub(super) async fn read(orders: &dyn Records) -> Result<Self, PortError> {
        let mut decided = Self::default();
        every::<orders::Refund>(orders, |refund| {
            decided.by_order.entry(refund.order).or_default().push(refund.refund);
            decided.refunds.insert(refund.refund, refund);
        })
        .await?;
        Ok(decided)
    }

    /// The refunds of an order that are over, and in which money went, or would have gone.
    fn done(&self, order: OrderId) -> impl Iterator<Item = &orders::Refund> {
        let ids = self.by_order.get(&order).into_iter().flatten();
        ids.filter_map(|id| self.refunds.get(id)).filter(|refund| refund.state == RefundState::Done)
    }

    /// Minor units of an order's charge that went back by decision.
    pub(super) fn sent_back(&self, order: OrderId) -> i64 {
        self.done(order).filter(|refund| !refund.by_provider).map(|refund| refund.from_charge().amount).sum()
    }

    /// Minor units that went back to an order's gift card, and those that are on their way.
    pub(super) fn to_card(&self, order: OrderId) -> (i64, i64) {
        let ids = self.by_order.get(&order).into_iter().flatten();
        let refunds = ids.filter_map(|id| self.refunds.get(id));
        refunds.fold((0, 0), |(done, pending), refund| match refund.state {
            RefundState::Done | RefundState::Quarantined => (done + refund.to_card(), pending),
            RefundState::Pending => (done, pending + refund.to_card()),
            RefundState::Refused => (done, pending),
        })
    }

    /// Whether all that was left of an order was taken back, by a refund that is over.
    pub(super) fn took_all(&self, order: OrderId) -> bool {
        self.done(order).any(orders::Refund::is_whole)
    }

    /// The orders of which more than they cost was decided to go back.
    fn too_much(&self, journal: &Journal) -> Vec<OrderId> {
        let mut decided: HashMap<OrderId, i64> = HashMap::new();
        let standing = |refund: &&orders::Refund| refund.state != RefundState::Refused && !refund.by_provider;
        for refund in self.refunds.values().filter(standing) {
            let sum = decided.entry(refund.order).or_default();
            *sum = sum.saturating_add(refund.amount);
        }
        let is_more =
            |(order, sum): &(OrderId, i64)| journal.order(*order).is_some_and(|hold| *sum > hold.total().amount);
        decided.into_iter().filter(is_more).map(|(order, _)| order).collect()
    }

    /// The orders whose deliveries are being taken back.
    pub(super) fn leaving(&self) -> HashSet<OrderId> {
        let pending = self.refunds.values().filter(|refund| refund.state == RefundState::Pending);
        pending.map(|refund| refund.order).collect()
    }

    /// Compares what was decided with the journal and with the refunds of `payments`, read after it.
    pub(super) async fn check(
        &self,
        journal: &Journal,
        payments: &dyn Records,
        report: &mut Report,
    ) -> Result<(), PortError> {
        let mut sent = HashMap::new();
        let mut back: HashMap<PaymentId, i64> = HashMap::new();
        every::<Refund>(payments, |refund| {
            let Refund { refund_id, payment_id, order_id, amount, state, origin, to_card, .. } = refund;
            if state == RefundState::Done {
                *back.entry(payment_id).or_default() += amount;
            }
            if origin == Origin::Order && self.refunds.get(&refund_id).is_none_or(|known| known.order != order_id) {
                report.differ(place(refund_id, order_id), "payments has it, but nobody decided it".to_owned());
            }
            sent.insert(refund_id, Sent { amount, to_card: to_card.unwrap_or(0), state, origin });
        })
        .await?;
        for refund in self.refunds.values() {
            let hold = journal.order(refund.order);
            let all =
                hold.is_some_and(|hold| back.get(&hold.attempt).copied().unwrap_or_default() >= hold.due().amount);
            let place = place(refund.refund, refund.order);
            let back = came_back(refund, journal);
            match judge_decision(refund, hold, back).or_else(|| judge_sending(refund, sent.get(&refund.refund), all)) {
                Some(Finding::Flying(why)) => report.flying(place, why.to_owned()),
                Some(Finding::Differs(why)) => report.differ(place, why.to_owned()),
                None => {}
            }
        }
        for order in self.too_much(journal) {
            report.differ(format!("refunds of order {order}"), "they are about more than the order cost".to_owned());
        }
        // What comes back to the account of a voucher is compared with its row: a till undoes what it took without a refund.
        for ((order, _), hold) in journal.holds.iter().filter(|((_, offer), _)| !offer.is_account()) {
            for back in hold.returns().iter().filter(|back| {
                back.quantity > 0 && self.refunds.get(&back.id).is_none_or(|known| known.order != *order)
            }) {
                report.differ(place(back.id, *order), "its units came back, but nobody decided it".to_owned());
            }
        }
        Ok(())
    }
}

/// Nothing moves it any more.
const NEEDS_A_PERSON: &str = "it needs a person: look into the quarantine";

fn place(refund: RefundId, order: OrderId) -> String {
    format!("refund {refund} of order {order}")
}

/// What is to be said of a refund.
#[derive(PartialEq, Eq, Debug)]
enum Finding {
    Flying(&'static str),
    Differs(&'static str),
}

use Finding::{Differs, Flying};

/// Units that came back under the name of a refund.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Back {
    None,
    Some,
    /// As many as were decided, of every line.
    All,
}

fn came_back(refund: &orders::Refund, journal: &Journal) -> Back {
    let of = |offer| -> u32 {
        let hold = journal.holds.get(&(refund.order, offer));
        let returns = hold.map_or(&[][..], |hold| hold.returns());
        returns.iter().filter(|back| back.id == refund.refund).map(|back| back.quantity).sum()
    };
    let Some(taken) = &refund.taken else {
        return if of(refund.order.home()) > 0 { Back::All } else { Back::None };
    };
    let lines = &taken.0.lines;
    match lines.iter().filter(|line| of(line.offer) == line.quantity).count() {
        all if all == lines.len() && all > 0 => Back::All,
        0 if lines.iter().all(|line| of(line.offer) == 0) => Back::None,
        _ => Back::Some,
    }
}

/// A decision against its order.
fn judge_decision(refund: &orders::Refund, hold: Option<&Hold>, back: Back) -> Option<Finding> {
    let Some(hold) = hold else { return Some(Differs("the journal knows no such order")) };
    let total = hold.total();
    if refund.user != hold.person {
        return Some(Differs("it is not its buyer's"));
    }
    if refund.currency != total.currency || !(0..=total.amount).contains(&refund.amount) {
        return Some(Differs("it is about more than the order cost, or another currency"));
    }
    match refund.state {
        RefundState::Refused if back != Back::None => Some(Differs("it is refused, but its units came back")),
        RefundState::Done | RefundState::Quarantined if back != Back::All && !refund.leaves_delivery() => {
            Some(Differs("it was carried out, but its units did not come back"))
        }
        _ => None,
    }
}

/// A decision against what payments did about it. `all` says whether all that the order cost is back. What the provider
/// sent back by itself, when it was decided here before, is in the books under the provider's names.
fn judge_sending(refund: &orders::Refund, sent: Option<&Sent>, all: bool) -> Option<Finding> {
    use RefundState::{Done, Pending, Quarantined, Refused};
    let Some(Sent { amount, to_card, state, origin }) = sent else {
        return match refund.state {
            Pending => Some(Flying("it is under way")),
            Quarantined => Some(Flying(NEEDS_A_PERSON)),
            Done if refund.to_card() > 0 => Some(Differs("it is done, but no gift card got anything for it")),
            Done if !all && refund.amount > 0 => Some(Differs("it is done, but no money went back for it")),
            Done | Refused => None,
        };
    };
    let joined = refund.by_provider && *origin == Origin::Order;
    let decided = refund.from_charge().amount;
    match (refund.state, state) {
        (Done, Done) if *to_card != refund.to_card() => {
            Some(Differs("a gift card got another amount than was decided"))
        }
        (Refused, Refused) | (Done, Done) if *amount != decided && !joined => {
            Some(Differs("its amount is not what payments has"))
        }
        (Refused, Refused) | (Done, Done) => None,
        (Pending | Quarantined, _) if *amount > decided => Some(Differs("payments sends back more than was decided")),
        (Done, Pending | Quarantined | Refused) if joined && all => None,
        (Pending | Quarantined, Done) => Some(Flying("the money is back, and the order is still to hear of it")),
        (Pending, Refused) if !joined => Some(Differs("payments was told that it is refused")),
        (Pending | Quarantined, Quarantined) => Some(Flying(NEEDS_A_PERSON)),
        (Pending, _) | (Quarantined, Pending) => Some(Flying("it is under way")),
        _ => Some(Differs("its state and what payments did about it do not fit")),
    }
}
