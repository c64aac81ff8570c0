//! What the provider is told is free of VAT of money that goes back.

use firstcome_core::ids::RefundId;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::PortError;
use firstcome_core::tax::Tax;
use firstcome_core::time::Time;

use super::Payments;
use super::rows::{Origin, Payment, Refund, refunds_of};

impl Payments {
    /// What the provider is told is free of VAT of a refund: as much as was decided, as far as the charge has so much left
    /// of what is free and of what is taxable.
    pub(super) async fn tax_free_of(&self, refund: &Refund, payment: &Payment) -> Result<i64, PortError> {
        let Some(of_charge) = payment.tax_free else { return Ok(0) };
        let refunds = refunds_of(&*self.ports.records, refund.order_id).await?;
        // At no percent: how much VAT there is in it is the provider's to count.
        let tax = |amount: i64, free: i64| Tax::of(amount - free, free, 0);
        let whole = tax(payment.amount, of_charge);
        let part =
            |before: Tax, refund: &Refund| whole.part(before, refund.amount, Some(refund.wanted_free(of_charge)), 0);
        let mut others: Vec<&Refund> =
            refunds.iter().map(|other| &other.record).filter(|other| other.goes_before(refund)).collect();
        // What is sent at the same moment has its turn, so that each is told the same whenever it is asked again.
        others.sort_by_key(|other| (other.state != RefundState::Done, other.turn()));
        let before = others.into_iter().fold(Tax::default(), |before, other| match other.state {
            RefundState::Done => before + tax(other.amount, other.tax_free.unwrap_or(0)),
            _ => before + part(before, other),
        });
        Ok(part(before, refund).tax_free)
    }
}

impl Refund {
    /// Of a charge for which nothing was delivered all goes back.
    fn wanted_free(&self, of_charge: i64) -> i64 {
        if self.origin == Origin::Undeliverable { of_charge } else { self.tax_free.unwrap_or(0) }
    }

    /// Whether it has taken its part of the same charge before another, or takes it first.
    fn goes_before(&self, other: &Self) -> bool {
        let is_first = match self.state {
            RefundState::Done => true,
            RefundState::Pending => self.turn() < other.turn(),
            RefundState::Quarantined | RefundState::Refused => false,
        };
        self.payment_id == other.payment_id && self.refund_id != other.refund_id && is_first
    }

    fn turn(&self) -> (Time, RefundId) {
        (self.created_at, self.refund_id)
    }
}
