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
pub(super) struct Decided(HashMap<RefundId, orders::Refund>);

/// A refund as payments has it.
struct Sent {
    amount: i64,
    state: RefundState,
    origin: Origin,
}

impl Decided {
    pub(super) async fn read(orders: &dyn Records) -> Result<Self, PortError> {
        let mut decided = HashMap::new();
        every::<orders::Refund>(orders, |refund| {
            decided.insert(refund.refund, refund);
        })
        .await?;
        Ok(Self(decided))
    }

    /// The orders whose deliveries are being taken back.
    pub(super) fn leaving(&self) -> HashSet<OrderId> {
        let pending = self.0.values().filter(|refund| refund.state == RefundState::Pending);
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
            let Refund { refund_id, payment_id, order_id, amount, state, origin, .. } = refund;
            if state == RefundState::Done {
                *back.entry(payment_id).or_default() += amount;
            }
            if origin == Origin::Order && self.0.get(&refund_id).is_none_or(|known| known.order != order_id) {
                report.differ(place(refund_id, order_id), "payments has it, but nobody decided it".to_owned());
            }
            sent.insert(refund_id, Sent { amount, state, origin });
        })
        .await?;
        for refund in self.0.values() {
            let hold = journal.order(refund.order);
            let all =
                hold.is_some_and(|hold| back.get(&hold.attempt).copied().unwrap_or_default() >= hold.total().amount);
            let place = place(refund.refund, refund.order);
            match judge_decision(refund, hold).or_else(|| judge_sending(refund, sent.get(&refund.refund), all)) {
                Some(Finding::Flying(why)) => report.flying(place, why.to_owned()),
                Some(Finding::Differs(why)) => report.differ(place, why.to_owned()),
                None => {}
            }
        }
        for ((order, _), hold) in &journal.holds {
            for back in
                hold.returns().iter().filter(|back| self.0.get(&back.id).is_none_or(|known| known.order != *order))
            {
                report.differ(place(back.id, *order), "its units came back, but nobody decided it".to_owned());
            }
        }
        Ok(())
    }
}

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

/// A decision against its order.
fn judge_decision(refund: &orders::Refund, hold: Option<&Hold>) -> Option<Finding> {
    let Some(hold) = hold else { return Some(Differs("the journal knows no such order")) };
    let total = hold.total();
    if refund.user != hold.person {
        return Some(Differs("it is not its buyer's"));
    }
    if refund.currency != total.currency || !(0..=total.amount).contains(&refund.amount) {
        return Some(Differs("it is about more than the order cost, or another currency"));
    }
    let returned = hold.returns().iter().any(|back| back.id == refund.refund);
    match refund.state {
        RefundState::Refused if returned => Some(Differs("it is refused, but its units came back")),
        RefundState::Done | RefundState::Quarantined if !returned => {
            Some(Differs("it was carried out, but its units did not come back"))
        }
        _ => None,
    }
}

/// A decision against what payments did about it. `all` says whether all that the order cost is back. What the provider
/// sent back by itself, when it was decided here before, is in the books under the provider's names.
fn judge_sending(refund: &orders::Refund, sent: Option<&Sent>, all: bool) -> Option<Finding> {
    use RefundState::{Done, Pending, Quarantined, Refused};
    let Some(Sent { amount, state, origin }) = sent else {
        return match refund.state {
            Pending | Quarantined => Some(Flying("it is under way")),
            Done if !all => Some(Differs("it is done, but no money went back for it")),
            Done | Refused => None,
        };
    };
    let joined = refund.by_provider && *origin == Origin::Order;
    match (refund.state, state) {
        (Refused, Refused) | (Done, Done) if *amount != refund.amount && !joined => {
            Some(Differs("its amount is not what payments has"))
        }
        (Refused, Refused) | (Done, Done) => None,
        (Pending | Quarantined, _) if *amount > refund.amount => {
            Some(Differs("payments sends back more than was decided"))
        }
        (Done, Pending | Quarantined | Refused) if joined && all => None,
        (Pending | Quarantined, Done) => Some(Flying("the money is back, and the order is still to hear of it")),
        (Pending, Refused) if !joined => Some(Differs("payments was told that it is refused")),
        (Quarantined, Quarantined) => Some(Flying("a person must look at it")),
        (Pending, _) | (Quarantined, Pending) => Some(Flying("it is under way")),
        _ => Some(Differs("its state and what payments did about it do not fit")),
    }
}
