//! One movement that the provider lists, against what we have of it.

use firstcome_core::payment::RefundState;
use firstcome_core::ports::{Movement, ProviderTransaction};
use firstcome_core::time::Time;

use super::calendar::UNDER_WAY;
use super::rows::FindingClass;
use crate::payments::rows::{Payment, Refund};

/// Our rows about some movements: every attempt and refund of their orders, and every attempt of their payments.
#[derive(Default)]
pub(super) struct Ours {
    pub(super) payments: Vec<Payment>,
    pub(super) refunds: Vec<Refund>,
}

/// What is to be said of a movement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// We have it, and say the same.
    Match,
    /// It is on its way into our books.
    InFlight,
    /// It does not agree.
    Differs(Box<Difference>),
}

/// What does not agree, and with which row of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) class: FindingClass,
    pub(super) detail: String,
    pub(super) payment: Option<Payment>,
    pub(super) refund: Option<Refund>,
}

impl Difference {
    fn of(class: FindingClass, detail: impl Into<String>) -> Verdict {
        Self::with(class, detail, None, None)
    }

    fn with(
        class: FindingClass,
        detail: impl Into<String>,
        payment: Option<&Payment>,
        refund: Option<&Refund>,
    ) -> Verdict {
        let (payment, refund) = (payment.cloned(), refund.cloned());
        Verdict::Differs(Box::new(Self { class, detail: detail.into(), payment, refund }))
    }
}

impl Ours {
    /// What is to be said of a movement at this time.
    pub(super) fn judge(&self, theirs: &ProviderTransaction, now: Time) -> Verdict {
        let is_fresh = now.since(theirs.at) < UNDER_WAY;
        match theirs.movement {
            Movement::Charge => self.charge(theirs, is_fresh),
            Movement::Cancel => self.cancel(theirs, is_fresh),
        }
    }

    fn charge(&self, theirs: &ProviderTransaction, is_fresh: bool) -> Verdict {
        let attempts: Vec<&Payment> =
            self.payments.iter().filter(|payment| payment.payment_key == theirs.payment_key).collect();
        let charged: Vec<&Payment> = attempts.iter().copied().filter(|payment| payment.state.is_charged()).collect();
        let is_undecided = attempts.iter().any(|payment| payment.state.is_undecided());
        match (&charged[..], attempts.last()) {
            ([], _) if is_undecided || is_fresh => Verdict::InFlight,
            ([], Some(failed)) => {
                let detail = "it was collected, and our attempt says that it failed";
                Difference::with(FindingClass::Mismatch, detail, Some(failed), None)
            }
            ([], None) => Difference::of(FindingClass::MissingInShop, "it was collected, and we have no attempt of it"),
            ([ours], _) if !is_same(ours, theirs) => {
                let detail = "order, amount or currency are not the same";
                Difference::with(FindingClass::Mismatch, detail, Some(ours), None)
            }
            ([ours], _) => self.paid_before(ours).unwrap_or(Verdict::Match),
            ([first, .., last], _) => {
                let detail = format!("it stands in our books more than once, as {} too", first.payment_id);
                Difference::with(FindingClass::Duplicate, detail, Some(last), None)
            }
        }
    }

    /// Whether the order had been paid already, and nothing sends either charge back.
    fn paid_before(&self, ours: &Payment) -> Option<Verdict> {
        let of_order = self.payments.iter().filter(|other| other.order_id == ours.order_id);
        let mut kept = of_order.filter(|payment| payment.state.is_charged() && self.kept(payment) > 0);
        let is_earlier = |other: &&Payment| {
            (other.created_at, other.payment_id) < (ours.created_at, ours.payment_id) && self.kept(ours) > 0
        };
        let earlier = kept.find(is_earlier)?;
        let detail = format!("its order was paid before, by {}", earlier.payment_id);
        Some(Difference::with(FindingClass::Duplicate, detail, Some(ours), None))
    }

    /// Minor units of a payment that stay with us.
    fn kept(&self, payment: &Payment) -> i64 {
        let of_payment = self.refunds.iter().filter(|refund| refund.payment_id == payment.payment_id);
        let leaving: i64 =
            of_payment.filter(|refund| refund.state == RefundState::Pending).map(|refund| refund.amount).sum();
        payment.amount.saturating_sub(payment.refunded).saturating_sub(leaving)
    }

    fn cancel(&self, theirs: &ProviderTransaction, is_fresh: bool) -> Verdict {
        let named = |refund: &&Refund| refund.transaction.as_ref() == Some(&theirs.transaction);
        let booked: Vec<&Refund> = self.refunds.iter().filter(named).collect();
        match &booked[..] {
            [] if is_fresh || self.is_being_sent(theirs) => Verdict::InFlight,
            [] => Difference::of(FindingClass::MissingInShop, "it was sent back, and we have no refund of it"),
            [ours] if self.is_same_cancel(ours, theirs) => Verdict::Match,
            [ours] => {
                let detail = "amount, currency or payment are not the same";
                Difference::with(FindingClass::Mismatch, detail, None, Some(ours))
            }
            [first, .., last] => {
                let detail = format!("it stands in our books more than once, as {} too", first.refund_id);
                Difference::with(FindingClass::Duplicate, detail, None, Some(last))
            }
        }
    }

    /// Whether a refund of the same payment waits for the provider's answer, which may have been lost.
    fn is_being_sent(&self, theirs: &ProviderTransaction) -> bool {
        self.refunds.iter().any(|refund| {
            refund.state == RefundState::Pending && refund.amount == theirs.amount.amount && self.is_of(refund, theirs)
        })
    }

    fn is_same_cancel(&self, ours: &Refund, theirs: &ProviderTransaction) -> bool {
        ours.state == RefundState::Done && ours.money() == theirs.amount && self.is_of(ours, theirs)
    }

    /// Whether a refund is one of the payment that the provider names.
    fn is_of(&self, refund: &Refund, theirs: &ProviderTransaction) -> bool {
        self.payments
            .iter()
            .any(|payment| payment.payment_id == refund.payment_id && payment.payment_key == theirs.payment_key)
    }
}

fn is_same(ours: &Payment, theirs: &ProviderTransaction) -> bool {
    ours.money() == theirs.amount && theirs.order_id.parse() == Ok(ours.order_id)
}
